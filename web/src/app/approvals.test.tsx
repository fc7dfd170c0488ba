import { useQueryClient } from '@tanstack/react-query';
import { act, screen } from '@testing-library/react';
import { afterEach, expect, it, vi } from 'vitest';
import { show, tidyWorld } from '../testing/world';
import { useApprovalNotices } from './approvals';
import { notifyOnce } from './notifications';

vi.mock(import('./notifications'), async (original) => ({ ...await original(), notifyOnce: vi.fn() }));
tidyWorld();
afterEach(() => { vi.mocked(notifyOnce).mockReset(); });

function Watches() {
  useApprovalNotices();
  const cache = useQueryClient();
  return <button type="button" onClick={() => void cache.invalidateQueries()}>Look</button>;
}

it('notifies of what begins to wait, not of what waited before', async () => {
  const waiting = [{ id: 'a1', tool: 'write_file' }];
  show(<Watches />, { 'GET /api/v1/approvals': () => ({ body: { items: waiting } }) });
  await screen.findByRole('button');
  const told = () => vi.mocked(notifyOnce).mock.calls.filter(([ids]) => ids.length > 0);
  await vi.waitFor(() => { expect(notifyOnce).toHaveBeenCalled(); });
  expect(told()).toEqual([]);
  waiting.push({ id: 'a2', tool: 'send_mail' });
  act(() => { screen.getByRole('button').click(); });
  await vi.waitFor(() => { expect(told()).toEqual([[['a2'], 'Something waits for you', 'send_mail', '/approvals']]); });
});
