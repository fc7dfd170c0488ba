import { screen } from '@testing-library/react';
import { expect, it, vi } from 'vitest';
import type { RunEvent } from '../../chat/events';
import { emptyFold } from '../../chat/fold';
import { show as showPart, tidyWorld } from '../../testing/world';
import type { Run } from './data';
import { RunNotices } from './RunNotices';

tidyWorld();

const run = (id: string, more: Partial<Run> = {}): Run => ({
  id, status: 'running', team: 'root-mas', agent: 'communicator', agents: [], owner_id: 'me', root_run_id: 'r', attempt: 1, last_seq: 1, usage: { input_tokens: 0, cached_tokens: 0, output_tokens: 0 }, cost_usd: '0', tree_cost_usd: '0',
  created_at: '2026-01-01T00:00:00Z', ...more,
});
const asking: RunEvent[] = [
  { type: 'run.queued', run_id: 'c', seq: 1, created_at: '2026-01-01T00:00:00Z' },
  { type: 'input.requested', run_id: 'c', seq: 2, created_at: '2026-01-01T00:00:00Z', call: 1, call_id: 'call_1', question: 'By train?', options: ['Yes'] },
];
const state = { fold: emptyFold('r'), connection: 'live', error: null } as const;

function show(view: Run, more: { isOwn: boolean; redacted?: boolean }) {
  const want = vi.fn();
  showPart(<RunNotices run={view} state={state} logs={new Map([['c', asking]])} want={want} redacted={more.redacted ?? false} isOwn={more.isOwn} isAdmin readsAll={false} />);
  return want;
}

it('brings what a run far below asks to the page of the run above', async () => {
  const want = show(run('r', { status: 'waiting_children', children: [run('b', { status: 'waiting_children', children: [run('c', { status: 'waiting_input' })] })] }), { isOwn: true });
  expect(await screen.findByRole('heading', { name: 'By train?' })).toBeTruthy();
  expect(want).toHaveBeenCalledWith('c');
  expect(screen.getByRole('button', { name: 'Yes' })).toBeTruthy();
});

it('asks nobody for what another has to decide, and says why content is missing', async () => {
  show(run('r', { children: [run('c', { status: 'waiting_input' })] }), { isOwn: false, redacted: true });
  expect(await screen.findByText('What was said is hidden')).toBeTruthy();
  expect(screen.queryByText('By train?')).toBeNull();
});

it('says why another failed in the language of the page, also where what was said is hidden', async () => {
  show(run('r', { status: 'failed', error_code: 'guard_cost' }), { isOwn: false, redacted: true });
  expect((await screen.findByText('The run failed')).parentElement?.textContent).toContain('It cost as much as one run may cost.');
});

it('says that only the result is left of a pruned run, and why another failed', async () => {
  show(run('r', { status: 'failed', reason: 'No model answered.', log_pruned: true }), { isOwn: true });
  expect(await screen.findByText('Only the result is left')).toBeTruthy();
  expect(screen.getByRole('alert').textContent).toContain('No model answered.');
});
