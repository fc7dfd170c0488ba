import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { loadPart } from './parts';

const gone = new TypeError('Failed to fetch dynamically imported module');

beforeEach(() => { vi.useFakeTimers(); });
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

it('waits for a server that does not answer and then loads the part', async () => {
  const answers = [Promise.reject(new TypeError('refused')), Promise.resolve(new Response('', { status: 503 })), Promise.resolve(new Response('ok'))];
  answers.forEach((a) => void a.catch(() => undefined));
  vi.stubGlobal('fetch', () => answers.shift());
  let there = false;
  const load = vi.fn(() => there ? Promise.resolve('part') : Promise.reject(gone));
  const part = loadPart(load);
  await vi.advanceTimersByTimeAsync(500);
  there = true;
  await vi.advanceTimersByTimeAsync(10_000);
  expect(await part).toBe('part');
});

it('says so when the server answers and the part is not there', async () => {
  vi.stubGlobal('fetch', () => Promise.resolve(new Response('ok')));
  await expect(loadPart(() => Promise.reject(gone))).rejects.toBe(gone);
});
