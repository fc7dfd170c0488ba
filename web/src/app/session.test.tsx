import { useQuery, useQueryClient } from '@tanstack/react-query';
import { act, screen, waitFor } from '@testing-library/react';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { useEffect, useState } from 'react';
import { api, data } from '../api/client';
import { ada, show, tidyWorld, type Server } from '../testing/world';
import { useToast } from '../ui/Toast';
import { useSession } from './session';
import { forgetDrafts, read, write } from './storage';

tidyWorld();

const assign = vi.fn();
const channel = 'rootmas:signed-out';

beforeEach(() => {
  assign.mockReset();
  vi.stubGlobal('location', { pathname: '/c/1', assign });
});
afterEach(() => {
  vi.useRealTimers();
  forgetDrafts();
  Reflect.deleteProperty(navigator, 'serviceWorker');
});

/** Keeps what is written in it under the name of whoever is here, as the message box does. */
function Part() {
  const { user, signOut } = useSession();
  const cache = useQueryClient();
  const [text] = useState(() => read('draft', 'new', user.id) ?? '');
  useEffect(() => { write('draft', 'new', text, user.id); }, [text, user.id]);
  return <><p>{user.username}: {text}</p><button type="button" onClick={() => void signOut()}>Out</button><button type="button" onClick={() => void cache.invalidateQueries({ queryKey: ['me'] })}>Look</button></>;
}

async function opened(server: Server = {}) {
  write('draft', 'new', 'of Ada', ada.id);
  write('draft', 'new', 'of Cy', 'u-cy');
  const world = show(<Part />, server);
  await screen.findByText('ada: of Ada');
  return world;
}

const drafts = () => [ada.id, 'u-bo', 'u-cy'].map((id) => read('draft', 'new', id));

it('stays, and says so, when the sign-out did not reach the server; and leaves when it does', async () => {
  let reaches = false;
  const { user } = await opened({
    'POST /api/v1/auth/logout': () => {
      if (!reaches) throw new TypeError('Failed to fetch');
      return { status: 204 };
    },
  });
  await user.click(screen.getByRole('button', { name: 'Out' }));
  const dialog = await screen.findByRole('dialog', { name: 'You are still signed in' });
  expect(dialog.textContent).toContain('did not reach the server');
  expect(assign).not.toHaveBeenCalled();
  expect(drafts()).toEqual(['of Ada', null, 'of Cy']);
  reaches = true;
  await user.click(screen.getByRole('button', { name: 'Try again' }));
  await waitFor(() => { expect(assign).toHaveBeenCalledWith('/'); });
  expect(screen.queryByText('ada: of Ada')).toBeNull();
  expect(drafts()).toEqual([null, null, null]);
});

it('says what a server refuses, with what to quote', async () => {
  const { user } = await opened({ 'POST /api/v1/auth/logout': { status: 500, body: { detail: 'Broken', trace_id: 'trace-1' } } });
  await user.click(screen.getByRole('button', { name: 'Out' }));
  expect((await screen.findByRole('alert')).textContent).toContain('trace-1');
  expect(assign).not.toHaveBeenCalled();
});

it('leaves a session that has ended already, and tells the other windows', async () => {
  const told = vi.fn();
  const other = new BroadcastChannel(channel);
  other.addEventListener('message', ({ data }: MessageEvent<unknown>) => { if (data === null) told(); });
  const { user } = await opened({ 'POST /api/v1/auth/logout': { status: 401, body: {} } });
  await user.click(screen.getByRole('button', { name: 'Out' }));
  await waitFor(() => { expect([assign, told].map((f) => f.mock.calls.length)).toEqual([1, 1]); });
  other.close();
});

it('leaves when another window signs out', async () => {
  const { made } = await opened();
  const other = new BroadcastChannel(channel);
  other.postMessage(null);
  await waitFor(() => { expect(assign).toHaveBeenCalledWith('/'); });
  await waitFor(() => { expect(screen.queryByText('ada: of Ada')).toBeNull(); });
  expect(drafts()).toEqual([null, null, null]);
  expect(made('POST /api/v1/auth/logout')).toEqual([]);
  other.close();
});

function Deletes({ onExpire }: { onExpire: () => Promise<void> }) {
  const toast = useToast();
  return <><Part /><button type="button" onClick={() => { toast('It was deleted', { onExpire }); }}>Delete</button></>;
}

it('makes final what could still be undone before it signs out, and waits for it', async () => {
  let done: () => void = () => undefined;
  const onExpire = vi.fn(() => new Promise<void>((resolve) => { done = resolve; }));
  const { user, made } = show(<Deletes onExpire={onExpire} />, { 'POST /api/v1/auth/logout': { status: 204 } });
  await user.click(await screen.findByRole('button', { name: 'Delete' }));
  act(() => { dispatchEvent(new Event('blur')); }); // it stays, however slow the machine is
  await user.click(screen.getByRole('button', { name: 'Out' }));
  expect(onExpire).toHaveBeenCalledOnce();
  expect(made('POST /api/v1/auth/logout')).toEqual([]);
  done();
  await waitFor(() => { expect(assign).toHaveBeenCalledWith('/'); });
  expect(made('POST /api/v1/auth/logout')).toHaveLength(1);
  expect(onExpire).toHaveBeenCalledOnce();
});

it('makes it final, and stays, when another window is about to sign out; and tells the others so', async () => {
  const onExpire = vi.fn(() => Promise.resolve());
  const { user } = show(<Deletes onExpire={onExpire} />, { 'POST /api/v1/auth/logout': { status: 500, body: {} } });
  await user.click(await screen.findByRole('button', { name: 'Delete' }));
  act(() => { dispatchEvent(new Event('blur')); }); // it stays, however slow the machine is
  const said = vi.fn();
  const other = new BroadcastChannel(channel);
  other.addEventListener('message', ({ data }: MessageEvent<unknown>) => { said(data); });
  other.postMessage('settling');
  await waitFor(() => { expect(onExpire).toHaveBeenCalledOnce(); });
  expect(assign).not.toHaveBeenCalled();
  await user.click(screen.getByRole('button', { name: 'Out' }));
  await waitFor(() => { expect(said.mock.calls).toEqual([['settling']]); });
  other.close();
});

it('begins anew, with nothing of the former, when somebody else was signed in meanwhile', async () => {
  let who = ada;
  const { user } = await opened({ 'GET /api/v1/auth/me': () => ({ body: { user: who, permissions: ['*'], limits: { runs: null, requests: null } } }) });
  who = { id: 'u-bo', username: 'bo', role: 'user' };
  const close = isToldSomething();
  await user.click(screen.getByRole('button', { name: 'Look' }));
  await waitFor(() => { expect(assign).toHaveBeenCalledWith('/'); });
  expect(close).toHaveBeenCalledOnce();
  expect(screen.queryByText(/of Ada/)).toBeNull();
  expect(drafts()).toEqual([null, null, 'of Cy']);
});

/** A notification is shown. */
function isToldSomething() {
  const close = vi.fn(() => { expect(assign).not.toHaveBeenCalled(); });
  Object.defineProperty(navigator, 'serviceWorker', { configurable: true, value: { getRegistration: () => Promise.resolve({ getNotifications: () => Promise.resolve([{ close }]) }) } });
  return close;
}

it('leaves no notification behind for whoever comes next', async () => {
  const { user } = await opened({ 'POST /api/v1/auth/logout': { status: 204 } });
  const close = isToldSomething();
  await user.click(screen.getByRole('button', { name: 'Out' }));
  await waitFor(() => { expect(assign).toHaveBeenCalledWith('/'); });
  expect(close).toHaveBeenCalledOnce();
});

function Asks() {
  const { ended } = useSession();
  useQuery({ queryKey: ['models'], queryFn: () => data(api.GET('/api/v1/models')), retry: false });
  return <><Part /><button type="button" onClick={() => { api.GET('/api/v1/models').catch(() => undefined); }}>Ask</button><p>{ended ? 'Ended' : 'Here'}</p></>;
}

it('goes on when another window has signed the same user in again, and asks for the password when the next session ends', async () => {
  let isIn = false;
  const { user, made } = show(<Asks />, { 'GET /api/v1/models': () => isIn ? { body: { offline: true, notes: [], providers: [], tiers: [], embedding: null, items: [] } } : { status: 401, body: {} } });
  expect(await screen.findByText('Ended')).toBeTruthy();
  const before = made('GET /api/v1/models').length;
  isIn = true;
  await user.click(screen.getByRole('button', { name: 'Look' }));
  expect(await screen.findByText('Here')).toBeTruthy();
  await waitFor(() => { expect(made('GET /api/v1/models').length).toBeGreaterThan(before); });
  isIn = false;
  await user.click(screen.getByRole('button', { name: 'Ask' }));
  expect(await screen.findByText('Ended')).toBeTruthy();
  expect(assign).not.toHaveBeenCalled();
});

it('asks again who is here until the server answers, and says meanwhile that it does not', async () => {
  vi.useFakeTimers({ shouldAdvanceTime: true });
  let isThere = false;
  const { made } = show(<Part />, {
    'GET /api/v1/auth/me': () => {
      if (!isThere) throw new TypeError('Failed to fetch');
      return { body: { user: ada, permissions: ['*'], limits: {}, credential: 'cookie', scopes: [] } };
    },
  });
  await screen.findByText('failed');
  await vi.advanceTimersByTimeAsync(60_000);
  expect(made('GET /api/v1/auth/me').length).toBeGreaterThan(5);
  expect(screen.getByText('failed')).toBeTruthy(); // and not between its tries that it is loading
  isThere = true;
  await vi.advanceTimersByTimeAsync(10_000);
  expect(await screen.findByText('ada:')).toBeTruthy();
});
