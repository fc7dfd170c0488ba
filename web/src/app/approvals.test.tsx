import { useQueryClient } from '@tanstack/react-query';
import { act, screen } from '@testing-library/react';
import { afterEach, expect, it, vi } from 'vitest';
import { ada, show, tidyWorld } from '../testing/world';
import { useApprovalNotices, useWaitingApprovals } from './approvals';
import { notify } from './notifications';

const shown = vi.hoisted(() => new Set<string>());
vi.mock(import('./notifications'), async (original) => ({ ...await original(), notify: vi.fn() }));
vi.mock(import('./windows'), async (original) => ({ ...await original(), unseen: (names) => Promise.resolve(names.filter((name) => !shown.has(name))) }));
tidyWorld();
afterEach(() => {
  vi.mocked(notify).mockReset();
  shown.clear();
});

function Watches({ tells = true }: { tells?: boolean }) {
  useApprovalNotices(tells);
  const cache = useQueryClient();
  return <button type="button" onClick={() => void cache.invalidateQueries()}>Look</button>;
}

it('notifies of what begins to wait and is not shown, not of what waited before', async () => {
  const waiting = [{ id: 'a1', tool: 'write_file' }];
  const { made } = show(<Watches />, { 'GET /api/v1/approvals': () => ({ body: { items: waiting } }) });
  await screen.findByRole('button');
  const look = async (times: number) => {
    act(() => { screen.getByRole('button').click(); });
    await vi.waitFor(() => { expect(made('GET /api/v1/approvals')).toHaveLength(times); });
  };
  await vi.waitFor(() => { expect(made('GET /api/v1/approvals')).toHaveLength(1); });
  waiting.push({ id: 'a2', tool: 'send_mail' });
  shown.add('approval a2');
  await look(2);
  waiting.push({ id: 'a3', tool: 'http_request' });
  await look(3);
  await vi.waitFor(() => { expect(vi.mocked(notify).mock.calls).toEqual([[ada.id, 'a3', 'Something waits for you', 'http_request', '/approvals']]); });
});

it('leaves it to the window that tells', async () => {
  const waiting = [{ id: 'a1', tool: 'write_file' }];
  const { made } = show(<Watches tells={false} />, { 'GET /api/v1/approvals': () => ({ body: { items: waiting } }) });
  await screen.findByRole('button');
  await vi.waitFor(() => { expect(made('GET /api/v1/approvals')).toHaveLength(1); });
  waiting.push({ id: 'a2', tool: 'send_mail' });
  act(() => { screen.getByRole('button').click(); });
  await vi.waitFor(() => { expect(made('GET /api/v1/approvals')).toHaveLength(2); });
  expect(notify).not.toHaveBeenCalled();
});

function Inbox() {
  const waiting = useWaitingApprovals();
  const cache = useQueryClient();
  return <><p>{waiting.items.length}</p>{waiting.more ? <button type="button" onClick={waiting.more.load}>More</button> : null}<button type="button" onClick={() => void cache.invalidateQueries({ queryKey: ['approvals', 'badge'] })}>Look</button></>;
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

it('reaches what waits beyond the first page', async () => {
  const all = Array.from({ length: 250 }, (_, i) => ({ id: `a${i}`, tool: 'write_file' }));
  const page = (cursor: string | null) => ({ items: cursor ? all.slice(200) : all.slice(0, 200), next_cursor: cursor ? null : 'c200' });
  show(<Inbox />, { 'GET /api/v1/approvals': (call) => ({ body: page(call.query.get('cursor')) }) });
  await screen.findByText('200');
  act(() => { screen.getByRole('button', { name: 'More' }).click(); });
  await screen.findByText('250');
  expect(screen.queryByRole('button', { name: 'More' })).toBeNull();
  // What it knows stays when something else waits.
  all.unshift({ id: 'new', tool: 'write_file' });
  act(() => { screen.getByRole('button', { name: 'Look' }).click(); });
  await screen.findByText('251');
});
