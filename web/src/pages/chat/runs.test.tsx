import { screen } from '@testing-library/react';
import { useState } from 'react';
import { expect, it, vi } from 'vitest';
import { show, tidyWorld } from '../../testing/world';
import { useConversationRuns, useRunsBackTo } from './data';

tidyWorld();

const id = (n: number) => `r${String(n).padStart(4, '0')}`;
const total = 1_000;

/** A conversation of which only the messages of one run are in view. */
function View() {
  const [oldest, setOldest] = useState(total);
  const read = useConversationRuns('c1');
  useRunsBackTo(id(oldest), read);
  return <><p>{`${read.runs?.get(id(oldest))?.status ?? 'none'}, ${read.runs?.size ?? 0} read`}</p>{[990, 801, 500, 5000].map((n) => <button key={n} type="button" onClick={() => { setOldest(n); }}>{n}</button>)}</>;
}

it('reads those runs of a conversation whose messages are in view, and older ones when one goes back to them', async () => {
  const { user, made } = show(<View />, {
    'GET /api/v1/runs': ({ query }) => {
      const [from, limit] = [Number(query.get('cursor') ?? total), Number(query.get('limit'))];
      return { body: { items: Array.from({ length: limit }, (_, i) => ({ id: id(from - i), status: 'completed' })), next_cursor: from > limit ? String(from - limit) : null } };
    },
  });
  expect(await screen.findByText('completed, 200 read')).toBeTruthy();
  for (const n of ['990', '801', '5000']) await user.click(screen.getByRole('button', { name: n }));
  expect(made('GET /api/v1/runs')).toHaveLength(1);
  await user.click(screen.getByRole('button', { name: '500' }));
  expect(await screen.findByText('completed, 600 read')).toBeTruthy();
  expect(made('GET /api/v1/runs').map(({ query }) => query.get('cursor'))).toEqual([null, '800', '600']);
});

it('asks again for older runs that could not be read when the list is read again, and not without end', async () => {
  let isBusy = true;
  const { user, cache, made } = show(<View />, {
    'GET /api/v1/runs': ({ query }) => query.has('cursor') && isBusy ? { status: 503, body: {} } : { body: { items: Array.from({ length: 200 }, (_, i) => ({ id: id((query.has('cursor') ? 800 : total) - i), status: 'completed' })), next_cursor: query.has('cursor') ? null : '800' } },
  });
  await screen.findByText('completed, 200 read');
  await user.click(screen.getByRole('button', { name: '500' }));
  await vi.waitFor(() => { expect(made('GET /api/v1/runs')).toHaveLength(2); });
  await vi.waitFor(() => { expect(cache.isFetching()).toBe(0); });
  isBusy = false;
  expect(made('GET /api/v1/runs')).toHaveLength(2);
  await cache.invalidateQueries({ queryKey: ['runs', { conversation: 'c1' }] });
  expect(await screen.findByText('none, 400 read')).toBeTruthy();
});
