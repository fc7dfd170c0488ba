import { screen, waitFor } from '@testing-library/react';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { forgetDrafts } from '../../app/storage';
import { show, tidyWorld } from '../../testing/world';
import { Thread } from './Thread';

tidyWorld();
beforeEach(() => {
  vi.stubGlobal('matchMedia', () => ({ matches: false, addEventListener: () => undefined, removeEventListener: () => undefined }));
  Element.prototype.scrollTo ??= () => undefined; // jsdom has none
  // and lays nothing out: of a list without height nothing is shown
  vi.spyOn(Element.prototype, 'clientHeight', 'get').mockReturnValue(6_000);
  vi.spyOn(HTMLElement.prototype, 'offsetHeight', 'get').mockImplementation(function height(this: HTMLElement) { return this.getAttribute('role') === 'log' ? 6_000 : 100; });
});
afterEach(() => { forgetDrafts(); });

const names = ['one', 'two', 'three', 'four', 'five', 'six', 'seven'];
const event = (run: string, seq: number, type: string) => `id: ${seq}\nevent: ${type}\ndata: ${JSON.stringify({ type, run_id: run, seq, created_at: '2026-01-01T00:01:00Z', message_id: `answer to ${run}`, text: `Answer to ${run}` })}\n\n`;

/** A conversation whose first message is worked on while six others wait their turn, and the streams that are open. */
function busy() {
  const status = new Map(names.map((run, i) => [run, i === 0 ? 'running' : 'queued']));
  const said = (run: string, at: number) => ({ id: `m-${run}`, parent_id: at > 0 && status.get(run) !== 'queued' ? `a-${names[at - 1]}` : null, branch_id: 'b', role: 'user', content: `Say ${run}`, run_id: run, status: status.get(run) === 'queued' ? 'queued' : 'complete', citations: [], created_at: `2026-01-01T00:00:0${at}Z` });
  const answer = (run: string) => ({ ...said(run, 0), id: `a-${run}`, parent_id: `m-${run}`, role: 'assistant', content: `Answer to ${run}`, created_at: '2026-01-01T00:01:00Z' });
  const world = show(<Thread conversationId="c1" onCreated={() => undefined} />, {
    'GET /api/v1/conversations': { body: { items: [], next_cursor: null } }, 'GET /api/v1/teams': { body: { items: [] } }, 'GET /api/v1/documents/limits': { body: { max_file_bytes: 1000, kinds: [] } },
    'GET /api/v1/models': { body: { offline: true, notes: [], providers: [], tiers: [], embedding: null, items: [] } },
    'GET /api/v1/conversations/c1': () => ({ body: { id: 'c1', title: 'Numbers', archived: false, pinned: false, current_leaf: `m-${names.find((run) => status.get(run) === 'running') ?? 'one'}` } }),
    'GET /api/v1/conversations/c1/messages': () => ({ body: { items: [...names.map(said), ...names.filter((run) => status.get(run) === 'completed').map(answer)], next_cursor: null } }),
    'GET /api/v1/runs': () => ({ body: { items: [...names].reverse().map((run) => ({ id: run, status: status.get(run), cost_usd: '0', tree_cost_usd: '0', usage: { input_tokens: 0, output_tokens: 0, cached_tokens: 0 } })), next_cursor: null } }),
    ...Object.fromEntries(names.map((run) => [`POST /api/v1/runs/${run}/cancel`, () => { status.set(run, 'cancelled'); return { body: {} }; }])),
  });
  const opened: string[] = [];
  const streams = new Map<string, ReadableStreamDefaultController<Uint8Array>>();
  const others = fetch;
  vi.stubGlobal('fetch', (request: Request) => {
    const run = /\/runs\/(\w+)\/events/.exec(request.url)?.[1];
    if (!run) return others(request);
    opened.push(run);
    return Promise.resolve(new Response(new ReadableStream<Uint8Array>({
      start(to) {
        streams.set(run, to);
        to.enqueue(new TextEncoder().encode(event(run, 1, 'run.queued')));
        if (status.get(run) === 'cancelled') to.enqueue(new TextEncoder().encode(event(run, 2, 'run.cancelled')));
      },
    }), { headers: { 'content-type': 'text/event-stream' } }));
  });
  const end = (run: string) => {
    status.set(run, 'completed');
    const next = names[names.indexOf(run) + 1];
    if (next) status.set(next, 'running');
    streams.get(run)?.enqueue(new TextEncoder().encode(event(run, 2, 'run.completed')));
  };
  return { ...world, opened, end };
}

it('follows of many messages the one that is worked on, and the next when it ended', async () => {
  const { opened, end } = busy();
  expect(await screen.findByText('Say seven')).toBeTruthy();
  await waitFor(() => { expect(opened.length).toBeGreaterThan(0); });
  expect(screen.getAllByText('Waits its turn')).toHaveLength(6);
  expect(opened).toEqual(['one']);
  end('one');
  await waitFor(() => { expect(opened.length).toBeGreaterThan(1); });
  expect(await screen.findByText('Answer to one')).toBeTruthy();
  expect(screen.getAllByText('Waits its turn')).toHaveLength(5);
  expect(opened).toEqual(['one', 'two']);
});

it('shows what became of those that waited when all were stopped', async () => {
  const { user, made } = busy();
  await user.click(await screen.findByRole('button', { name: 'Stop' }));
  await waitFor(() => { expect(made('POST /api/v1/runs/seven/cancel')).toHaveLength(1); });
  await waitFor(() => { expect(screen.queryByText('Waits its turn')).toBeNull(); });
});
