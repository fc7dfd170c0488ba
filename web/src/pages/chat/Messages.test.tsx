import { screen } from '@testing-library/react';
import { expect, it, vi } from 'vitest';
import { emptyFold, type Step } from '../../chat/fold';
import { useRunWithOthers } from '../../chat/treeLog';
import { show, tidyWorld } from '../../testing/world';
import type { Message, Run } from './data';
import { AnswerView } from './Messages';

vi.mock(import('../../chat/treeLog'), async (original) => ({ ...await original(), useRunWithOthers: vi.fn() }));
tidyWorld();

const message: Message = { id: 'm1', branch_id: 'b', role: 'assistant', content: 'An answer', status: 'complete', tainted: false, citations: [], created_at: '2026-01-01T00:00:00Z', run_id: 'run-1' };
const step = { kind: 'note', key: '1', what: 'handoff', event: { type: 'handoff', seq: 1, from: 'communicator', to: 'researcher' } } as unknown as Step;

async function shown(status: string, cost = '0', treeCost = cost, of = message, errorCode?: string, others = 0, more: Partial<Run> = {}) {
  const fold = { ...emptyFold('run-1'), seq: 3, endedAt: '2026-01-01T00:00:00Z', steps: [step] };
  vi.mocked(useRunWithOthers).mockReturnValue({ run: { fold, connection: 'live', error: null }, folds: [fold], others: { folds: new Map(), failed: new Map(), want: () => undefined } });
  const run = { id: 'run-1', status, usage: { input_tokens: 30, cached_tokens: 0, output_tokens: 12 }, tree_usage: { input_tokens: 30 + others, cached_tokens: 0, output_tokens: 12 }, cost_usd: cost, tree_cost_usd: treeCost, error_code: errorCode, ...more } as unknown as Run;
  const answer = { message: of, mayWrite: true, run, branching: { siblings: ['m1'], index: 0 }, choice: {}, onBranch: () => undefined, onAgain: () => Promise.resolve(), onContinue: () => Promise.resolve() };
  const { user } = show(<AnswerView {...answer} />);
  const button = await screen.findByRole('button', { name: 'Steps' });
  return { user, button, state: () => [button.getAttribute('aria-expanded'), screen.queryByText('1 step') !== null] };
}

it('shows what was done when somebody asks, of a run that failed at once, and takes it away again', async () => {
  const failed = await shown('failed');
  expect(failed.state()).toEqual(['true', true]);
  await failed.user.click(failed.button);
  expect(failed.state()).toEqual(['false', false]);
});

it('shows of other runs nothing until then', async () => {
  const { user, button, state } = await shown('completed');
  expect(state()).toEqual(['false', false]);
  await user.click(button);
  expect(state()).toEqual(['true', true]);
});

it('counts tokens and cost of what was given to others', async () => {
  await shown('completed', '0.25', '0.5', message, undefined, 900);
  expect(screen.getByText(/942 tokens · \$0\.50* with work given to others/)).toBeTruthy();
});

it('says nothing of others where nobody else worked', async () => {
  await shown('completed', '0.25');
  expect(screen.getByText(/42 tokens · \$0\.250*/)).toBeTruthy();
  expect(screen.queryByText(/others/)).toBeNull();
});

it('says of a part of an answer why it is not whole', async () => {
  await shown('failed', '0.25', '0.25', { ...message, status: 'interrupted' }, 'model_budget');
  expect(screen.getByText('The budget is used up. What was done so far is kept.')).toBeTruthy();
  expect(screen.getByRole('button', { name: 'Continue' })).toBeTruthy();
});

it('says of what somebody stopped that there is no more', async () => {
  await shown('cancelled', '0.25', '0.25', { ...message, status: 'interrupted' });
  expect(screen.getByText('Stopped: this is what there was so far.')).toBeTruthy();
});

it.each([
  ['length', 'The model stopped here because its answer was too long.'],
  ['content_filter', 'The provider\'s content filter ended the answer here.'],
])('says of an answer that the model broke off by %s that there is more', async (cutBy, told) => {
  await shown('completed', '0', '0', { ...message, cut_by: cutBy });
  expect(screen.getByText(told)).toBeTruthy();
  expect(screen.getByRole('button', { name: 'Continue' })).toBeTruthy();
});

it('says of a whole answer nothing of the kind', async () => {
  await shown('completed', '0', '0', { ...message, cut_by: null });
  expect(screen.queryByRole('button', { name: 'Continue' })).toBeNull();
});

it('names the model, what came from the provider\'s cache, and what a kept answer saved', async () => {
  const answer = (saved: string) => ({ usage: { input_tokens: 30, cached_tokens: 20, output_tokens: 12 }, tree_usage: { input_tokens: 30, cached_tokens: 20, output_tokens: 12 }, answer: { model: 'large', saved_usd: saved } }) as unknown as Partial<Run>;
  await shown('completed', '0', '0', message, undefined, 0, answer('0.10'));
  expect(screen.getByText(/large · 42 tokens · 20 cached · from the cache, saved \$0\.10/)).toBeTruthy();
});
