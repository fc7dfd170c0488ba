import { screen } from '@testing-library/react';
import { expect, it, vi } from 'vitest';
import { emptyFold, type RunFold } from '../../chat/fold';
import { useRunWithOthers } from '../../chat/treeLog';
import { show, tidyWorld } from '../../testing/world';
import { LiveTurn } from './LiveTurn';

vi.mock(import('../../chat/treeLog'), async (original) => ({ ...await original(), useRunWithOthers: vi.fn() }));
tidyWorld();

const server = { 'GET /api/v1/teams': { body: { items: [] } }, 'GET /api/v1/models': { body: { tiers: [] } } };

function ends(change: Partial<RunFold>) {
  const fold = { ...emptyFold('run-1'), seq: 3, endedAt: '2026-01-01T00:00:00Z', ...change };
  vi.mocked(useRunWithOthers).mockReturnValue({ run: { fold, connection: 'live', error: null }, folds: [fold], others: { folds: new Map(), failed: new Map(), want: () => undefined } });
  const onAgain = vi.fn(() => Promise.resolve());
  return { ...show(<LiveTurn runId="run-1" mayWrite onEnd={() => undefined} onAgain={onAgain} />, server), onAgain };
}

it('says of a failed run why, what to quote and where to look, and asks again', async () => {
  const { user, onAgain } = ends({ status: 'failed', failure: { code: 'budget_exceeded', reason: 'The budget is used up.' } });
  const notice = await screen.findByRole('alert');
  expect(notice.textContent).toContain('The budget is used up.');
  expect(notice.textContent).toContain('budget_exceeded');
  expect(notice.textContent).toContain('run-1');
  expect(screen.getByRole('link', { name: 'See what the run did' }).getAttribute('href')).toBe('/runs/run-1');
  await user.click(screen.getByRole('button', { name: 'Answer again' }));
  await screen.findByRole('dialog');
  await user.click(screen.getByRole('button', { name: 'Answer again' }));
  await vi.waitFor(() => { expect(onAgain).toHaveBeenCalledWith({}); });
});

it('says a known reason in the language of the page, with the server’s words below', async () => {
  ends({ status: 'failed', failure: { code: 'model_auth', reason: 'openai: 401 Incorrect API key.' } });
  const notice = await screen.findByRole('alert');
  expect(notice.textContent).toContain('The provider of the model refuses the key.');
  expect(screen.getByText('openai: 401 Incorrect API key.').lang).toBe('en');
});

it('goes on from a run that was stopped before it said anything', async () => {
  ends({ status: 'cancelled' });
  expect(await screen.findByText('The run was stopped.')).toBeTruthy();
  expect(screen.getByRole('button', { name: 'Answer again' })).toBeTruthy();
});

it('offers nothing of this beside an answer', async () => {
  ends({ status: 'completed' });
  expect(await screen.findByText('The answer is there')).toBeTruthy();
  expect(screen.queryByRole('button', { name: 'Answer again' })).toBeNull();
});

const part = { messageId: 'm1', text: 'So far.', agent: 'communicator', model: '', tier: '', complete: true, interrupted: true, cutBy: '', tainted: false, citations: [] };

it('says at once of an answer that the model broke off that there is more', async () => {
  ends({ status: 'completed', answer: { ...part, interrupted: false, cutBy: 'length' } });
  expect(await screen.findByText('The model stopped here because its answer was too long.')).toBeTruthy();
});

it.each<[string, Partial<RunFold>, string]>([
  ['nothing after a failure, which a notice tells', { status: 'failed', failure: { code: 'model_timeout', reason: '' }, answer: part }, ''],
  ['that it was stopped', { status: 'cancelled', answer: part }, 'The run was stopped.'],
  ['that the answer is there', { status: 'completed', answer: { ...part, interrupted: false } }, 'The answer is there'],
])('tells who listens at the end %s', async (_, change, heard) => {
  ends(change);
  await screen.findByText('So far.');
  expect(document.querySelector('.sr-only[role=status]')?.textContent).toBe(heard);
});

it('tells who listens what a run waits for', async () => {
  ends({ endedAt: '', status: 'waiting_timer' });
  expect(await screen.findByText('Waits a while')).toBeTruthy();
});
