import { QueryObserver } from '@tanstack/react-query';
import { afterEach, expect, it, vi } from 'vitest';
import { SharedCache } from './sharedCache';

const windows: SharedCache[] = [];

afterEach(() => { windows.splice(0).forEach((w) => { w.close(); }); });

/** A window that shows something; gives how often it was read. */
function opened(...keys: readonly (readonly unknown[])[]) {
  const cache = new SharedCache();
  windows.push(cache);
  const reads = keys.map((queryKey) => {
    const queryFn = vi.fn(() => Promise.resolve(1));
    new QueryObserver(cache, { queryKey, queryFn, staleTime: Infinity }).subscribe(() => undefined);
    return queryFn;
  });
  return { cache, count: () => reads.map((r) => r.mock.calls.length) };
}

it('reads again in every window what one of them knows to be out of date, once, and nothing else', async () => {
  const here = opened(['conversations', { archived: false }], ['teams']);
  const there = opened(['conversations', { archived: false }], ['messages', 'c1'], ['teams']);
  await vi.waitFor(() => { expect([here.count(), there.count()]).toEqual([[1, 1], [1, 1, 1]]); });
  await Promise.all([here.cache.invalidateQueries({ queryKey: ['conversations'] }), here.cache.invalidateQueries({ queryKey: ['conversations'] }), here.cache.invalidateQueries({ queryKey: ['messages', 'c1'] })]);
  await vi.waitFor(() => { expect(there.count()).toEqual([2, 2, 1]); });
  const before = here.count();
  // What was heard is not said again: the windows would never come to rest.
  await there.cache.invalidateQueries({ queryKey: ['teams'] });
  await vi.waitFor(() => { expect(here.count()).toEqual([before[0], 2]); });
  expect(there.count()).toEqual([2, 2, 2]);
});

it('reads once more what was being read for the first time when it changed', async () => {
  const here = opened();
  const there = new SharedCache();
  windows.push(there);
  let answer: (value: string) => void = () => undefined;
  const queryFn = vi.fn(() => Promise.resolve('after')).mockImplementationOnce(() => new Promise((resolve) => { answer = resolve; }));
  new QueryObserver(there, { queryKey: ['conversations'], queryFn }).subscribe(() => undefined);
  const begun = vi.spyOn(there.getQueryCache(), 'findAll');
  await here.cache.invalidateQueries({ queryKey: ['conversations'] });
  await vi.waitFor(() => { expect(begun).toHaveBeenCalled(); });
  answer('before');
  await vi.waitFor(() => { expect(there.getQueryData(['conversations'])).toBe('after'); });
});
