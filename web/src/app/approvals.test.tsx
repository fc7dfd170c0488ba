import { useQueryClient } from '@tanstack/react-query';
import { act, screen } from '@testing-library/react';
import { afterEach, expect, it, vi } from 'vitest';
import { ada, show, tidyWorld } from '../testing/world';
import { useApprovalNotices, useWaitingApprovals } from './approvals';
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

function Inbox() {
  const waiting = useWaitingApprovals();
  const cache = useQueryClient();
  return <><p>{waiting.data?.items.length}</p><button type="button" onClick={() => void cache.invalidateQueries({ queryKey: ['approvals', 'badge'] })}>Look</button></>;
}

it('asks what exactly would run only for the page that shows it, and only when something else waits', async () => {
  const waiting = [{ id: 'a1', tool: 'write_file' }];
  const { made } = show(<Inbox />, { 'GET /api/v1/approvals': () => ({ body: { items: waiting } }) });
  const looks = (withContent: boolean) => made('GET /api/v1/approvals').filter((c) => (c.query.get('view') === 'badge') !== withContent).length;
  const look = () => { act(() => { screen.getByRole('button').click(); }); };
  expect(await screen.findByText('1')).toBeTruthy();
  look();
  await vi.waitFor(() => { expect(looks(false)).toBe(2); });
  waiting.push({ id: 'a2', tool: 'send_mail' });
  look();
  expect(await screen.findByText('2')).toBeTruthy();
  expect([looks(false), looks(true)]).toEqual([3, 2]);
});

it('asks nothing for those who decide nothing', async () => {
  const { made } = show(<Watches />, { 'GET /api/v1/auth/me': { body: { user: { ...ada, role: 'readonly' }, permissions: ['chat:read'], limits: { runs: null, requests: null }, credential: 'cookie', scopes: [] } } });
  await screen.findByRole('button');
  expect(made('GET /api/v1/approvals')).toEqual([]);
});
