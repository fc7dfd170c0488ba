import { screen, within } from '@testing-library/react';
import { expect, it, vi } from 'vitest';
import { show, tidyWorld } from '../../testing/world';
import type { Run } from './data';
import { ShareRun } from './ShareRun';

tidyWorld();

const run: Run = {
  id: 'r2', status: 'completed', team: 'root-mas', agent: 'painter', agents: [], owner_id: 'u-ada', root_run_id: 'r1', parent_run_id: 'r1', attempt: 1, last_seq: 1, usage: { input_tokens: 0, cached_tokens: 0, output_tokens: 0 },
  cost_usd: '0', tree_cost_usd: '0', created_at: '2026-01-01T00:00:00Z', log_pruned: false,
};

it('shares the whole run, says what that shows, and takes it back', async () => {
  let since: string | null = null;
  const root = () => ({ body: { ...run, id: 'r1', parent_run_id: null, shared_at: since } });
  const { user, made } = show(<ShareRun run={run} link="https://mas.example/runs/r2" canShare />, {
    'GET /api/v1/runs/r1': root,
    'POST /api/v1/runs/r1/share': () => { since = '2026-01-02T00:00:00Z'; return root(); },
    'DELETE /api/v1/runs/r1/share': () => { since = null; return { status: 204 }; },
  });
  const write = vi.spyOn(navigator.clipboard, 'writeText');
  await user.click(await screen.findByRole('button', { name: 'Share' }));
  expect(await screen.findByText(/Everybody who is signed in here and has the link then reads all of it/)).toBeTruthy();
  await user.click(await screen.findByRole('button', { name: 'Share and copy the link' }));
  expect(await screen.findByText(/Shared since/)).toBeTruthy();
  expect(write.mock.calls).toEqual([['https://mas.example/runs/r2']]);
  await user.click(screen.getByRole('button', { name: 'Stop sharing' }));
  expect(await screen.findByText(/Not shared/)).toBeTruthy();
  expect(made('POST /api/v1/runs/r1/share')).toHaveLength(1);
});

it('lets an administrator end what somebody else shares, and asks before', async () => {
  const { user, made } = show(<ShareRun run={run} link="https://mas.example/runs/r2" canShare={false} canStop />, { 'DELETE /api/v1/runs/r2/share': { status: 204 } });
  await user.click(await screen.findByRole('button', { name: 'Stop sharing' }));
  expect(made('DELETE /api/v1/runs/r2/share')).toHaveLength(0);
  await user.click(within(await screen.findByRole('dialog')).getByRole('button', { name: 'Stop sharing' }));
  await vi.waitFor(() => { expect(made('DELETE /api/v1/runs/r2/share')).toHaveLength(1); });
});

it('only copies the link of a run that is not one’s own', async () => {
  const { user, calls } = show(<ShareRun run={run} link="https://mas.example/runs/r2" canShare={false} />);
  const write = vi.spyOn(navigator.clipboard, 'writeText');
  await user.click(await screen.findByRole('button', { name: 'Copy the link' }));
  expect(write.mock.calls).toEqual([['https://mas.example/runs/r2']]);
  expect(calls).toEqual([]);
});
