import { act } from '@testing-library/react';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { show, tidyWorld, type Call } from '../../testing/world';
import { useConversations, usePlaced } from './data';

tidyWorld();
beforeEach(() => { vi.useFakeTimers(); });
afterEach(() => { vi.useRealTimers(); });

const pass = (ms: number) => act(() => vi.advanceTimersByTimeAsync(ms));
const apples = { id: 'c1', title: 'Apples', archived: false, pinned: true, folder: null, updated_at: '2026-01-01T00:00:00Z' };

function Lists() {
  useConversations(false);
  usePlaced(false);
  return null;
}

function asked(second: (call: Call) => { status?: number; body: object }) {
  const { made } = show(<Lists />, {
    'GET /api/v1/conversations': (call) => {
      if (call.query.has('cursor')) return second(call);
      return { body: { items: [apples], next_cursor: call.query.has('pinned') ? 'second' : null } };
    },
  });
  return () => {
    const calls = made('GET /api/v1/conversations').map(({ query }) => query);
    const pinned = calls.filter((q) => q.has('pinned'));
    return { newest: calls.filter((q) => !q.has('pinned') && !q.has('filed')).length, first: pinned.filter((q) => !q.has('cursor')).length, second: pinned.filter((q) => q.has('cursor')).length };
  };
}

it('asks for a page that could not be read when the list is read again, and not before', async () => {
  let isBusy = true;
  const count = asked(() => isBusy ? { status: 429, body: { code: 'rate_limited' } } : { body: { items: [], next_cursor: null } });
  await pass(5_000);
  expect(count()).toMatchObject({ first: 1, second: 1 });
  await pass(60_000);
  expect(count()).toMatchObject({ first: 2, second: 2 });
  isBusy = false;
  await pass(60_000);
  expect(count()).toMatchObject({ first: 3, second: 3 });
});

it('reads what has a place page after page, and more seldom than the newest', async () => {
  const count = asked(() => ({ body: { items: [], next_cursor: null } }));
  await pass(5_000);
  expect(count()).toEqual({ newest: 1, first: 1, second: 1 });
  await pass(60_000);
  expect(count()).toEqual({ newest: 5, first: 1, second: 1 });
  await pass(60_000);
  expect(count()).toEqual({ newest: 9, first: 2, second: 2 });
});
