import { QueryClient, QueryClientProvider } from '@tanstack/react-query';
import { act, cleanup, render, screen } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { afterEach, beforeAll, beforeEach, expect, it, vi } from 'vitest';
import { Problem } from '../../api/problem';
import type { Source } from '../../chat/citations';
import { startLanguages } from '../../i18n';
import { readPlace } from './data';
import { DocumentText } from './DocumentText';

const get = vi.hoisted(() => vi.fn<(path: string, options: { params: { query: { start: number; end: number } }; signal?: AbortSignal }) => Promise<{ data: unknown }>>());
vi.mock('../../api/client', () => ({ api: { GET: get }, data: async (call: Promise<{ data: unknown }>) => (await call).data }));

beforeAll(async () => {
  Element.prototype.scrollIntoView = vi.fn();
  await startLanguages('en');
});
beforeEach(() => { get.mockReset(); });
afterEach(cleanup);

const source: Source = { documentId: 'd', title: 'handbook.md', page: null, excerpt: '28 days', start: 50_000, end: 50_007 };
const holds = (text: string) => get.mockImplementation((_path, { params: { query: { start, end } } }) => Promise.resolve({ data: { document_id: 'd', start, end: Math.min(end, text.length), characters: text.length, text: text.slice(start, end) } }));
function show() {
  const cache = new QueryClient({ defaultOptions: { queries: { retry: false } } });
  render(<QueryClientProvider client={cache}><DocumentText source={source} label="Text" /></QueryClientProvider>);
  return cache;
}
const marked = async () => (await screen.findByRole('region', { name: 'Text' })).querySelector('mark')?.textContent;
const text = `${'a'.repeat(50_000)}28 days${'b'.repeat(50_000)}`;

it('marks the cited words, brings them into view, and shows more on both sides when asked', async () => {
  holds(text);
  show();
  expect(await marked()).toBe('28 days');
  expect(Element.prototype.scrollIntoView).toHaveBeenCalled();
  const user = userEvent.setup();
  await user.click(screen.getByRole('button', { name: 'Show what stands before' }));
  await user.click(await screen.findByRole('button', { name: 'Show what comes after' }));
  await vi.waitFor(() => { expect(screen.getByRole('region').textContent.match(/b/g)?.length).toBeGreaterThan(9_000); });
  expect(screen.getByRole('region').textContent).toContain(`${'a'.repeat(9_000)}28 days${'b'.repeat(9_000)}`);
  expect(await marked()).toBe('28 days');
});

it('finds the words where they are now, and says when they are gone from a document that was replaced', async () => {
  holds(`New beginning. There are 28 days. ${'c'.repeat(60_000)}`);
  show();
  expect(await marked()).toBe('28 days');
  cleanup();
  holds('There are 30 days.');
  show();
  expect(await marked()).toBeUndefined();
  expect(screen.getByText('The document no longer says this: it was replaced since')).toBeTruthy();
  expect(screen.getByText('28 days')).toBeTruthy();
});

it('looks for words that have moved in the whole text, from the place that was cited on, and is told when nobody waits any more', async () => {
  const limited = (text: string) => get.mockImplementation((_path, { params: { query: { start, end } }, signal }) => {
    signal?.throwIfAborted();
    return Promise.resolve({ data: { document_id: 'd', start, end: Math.min(end, start + 200_000, text.length), characters: text.length, text: text.slice(start, Math.min(end, start + 200_000)) } });
  });
  const far: Source = { ...source, start: 900_000, end: 900_007 };
  // Across the border of two pages, and far behind what one answer holds.
  for (const at of [199_996, 650_000, 1_199_990]) {
    limited(`${'a'.repeat(at)}28 days${'b'.repeat(1_200_000 - at)}`);
    const place = await readPlace(far);
    expect(place.cited && place.text.slice(place.cited.from, place.cited.to)).toBe('28 days');
    expect([place.start + (place.cited?.from ?? 0), place.sought]).toEqual([at, true]);
  }
  expect(get.mock.calls.filter(([, { params: { query } }]) => query.end - query.start === 200_000).length).toBeLessThan(21);

  limited('c'.repeat(9_000_000));
  get.mockClear();
  expect(await readPlace(far)).toMatchObject({ cited: null, sought: false });
  expect(get.mock.calls.length).toBe(21);
  get.mockClear();
  const leaving = new AbortController();
  const reading = readPlace(far, leaving.signal);
  leaving.abort();
  await expect(reading).rejects.toThrow();
  expect(get.mock.calls.length).toBeLessThan(3);
});

it('does not say that the document has lost its words before all of it was looked through', async () => {
  holds('c'.repeat(9_000_000));
  show();
  expect(await screen.findByText(/too long to look for them in all of it/)).toBeTruthy();
  expect(screen.queryByText(/it was replaced since/)).toBeNull();
});

it('keeps the excerpt when the document is no longer there, and offers to ask again when the server does not answer', async () => {
  get.mockRejectedValue(new Problem(404, { code: 'document_not_found' }));
  show();
  expect(await screen.findByText('The document is no longer there')).toBeTruthy();
  expect(screen.getByText('28 days')).toBeTruthy();
  cleanup();
  get.mockRejectedValue(Problem.unreachable(''));
  show();
  expect(await screen.findByText('28 days')).toBeTruthy();
  holds(text);
  await userEvent.setup().click(screen.getByRole('button', { name: 'Try again' }));
  expect(await marked()).toBe('28 days');
});

it('keeps what is being read when a later look fails, and takes it away when the document is gone', async () => {
  holds(text);
  const cache = show();
  expect(await marked()).toBe('28 days');
  get.mockRejectedValue(new Problem(503, { trace_id: 'trace-8' }));
  await act(() => cache.invalidateQueries());
  expect(await screen.findByText('trace-8')).toBeTruthy();
  expect(await marked()).toBe('28 days');
  get.mockRejectedValue(new Problem(404, { code: 'document_not_found' }));
  await act(() => cache.invalidateQueries());
  expect(await screen.findByText('The document is no longer there')).toBeTruthy();
  expect(screen.queryByRole('region', { name: 'Text' })).toBeNull();
});
