// @vitest-environment jsdom
import { afterEach, expect, it, vi } from 'vitest';
import { RunFeed } from './feed';

const line = (seq: number, type: string) => `id: ${seq}\nevent: ${type}\ndata: ${JSON.stringify({ type, run_id: 'r', seq, created_at: '2026-01-01T00:00:00Z', text: 'what is left', message_id: 'm' })}\n\n`;
const stream = (...lines: string[]) => new Response(lines.join(''), { headers: { 'content-type': 'text/event-stream' } });

afterEach(() => { vi.unstubAllGlobals(); });

it('comes to the end of a log whose steps were removed, and asks no more', async () => {
  // The answer is number 7, the end number 9; the server gives what it has after the position that is asked for.
  const asked = vi.fn((request: Request) => {
    const after = Number(request.headers.get('last-event-id') ?? 0);
    return Promise.resolve(after < 7 ? stream(line(7, 'message.completed'), line(9, 'run.completed')) : stream(line(9, 'run.completed')));
  });
  vi.stubGlobal('fetch', asked);
  vi.stubGlobal('Request', class extends Request {
    constructor(input: RequestInfo | URL, init?: RequestInit) { super(typeof input === 'string' ? new URL(input, 'http://localhost') : input, init); }
  });
  const stored = vi.fn();
  const feed = new RunFeed('r', stored);
  const leave = feed.subscribe(() => undefined);
  await vi.waitFor(() => { expect(feed.state.fold.status).toBe('completed'); });
  expect(feed.state.fold.answer?.text).toBe('what is left');
  expect(asked).toHaveBeenCalledTimes(2);
  expect(stored).toHaveBeenCalledTimes(2);
  leave();
});

it('takes a number that is missing in the middle of a stream for a loss, and asks for it', async () => {
  const asked = vi.fn((request: Request) => Promise.resolve(request.headers.get('last-event-id') === '1' ? stream(line(2, 'run.started'), line(3, 'run.completed')) : stream(line(1, 'run.queued'), line(3, 'run.completed'))));
  vi.stubGlobal('fetch', asked);
  vi.stubGlobal('Request', class extends Request {
    constructor(input: RequestInfo | URL, init?: RequestInit) { super(typeof input === 'string' ? new URL(input, 'http://localhost') : input, init); }
  });
  const stored: number[] = [];
  const feed = new RunFeed('r', (event) => { stored.push(event.seq); });
  const leave = feed.subscribe(() => undefined);
  await vi.waitFor(() => { expect(feed.state.fold.status).toBe('completed'); });
  expect(stored).toEqual([1, 2, 3]);
  leave();
});

it('tells whoever looks once in a frame, however much has come', async () => {
  const frames: FrameRequestCallback[] = [];
  vi.stubGlobal('requestAnimationFrame', (frame: FrameRequestCallback) => frames.push(frame));
  vi.stubGlobal('cancelAnimationFrame', () => undefined);
  vi.stubGlobal('Request', class extends Request {
    constructor(input: RequestInfo | URL, init?: RequestInit) { super(typeof input === 'string' ? new URL(input, 'http://localhost') : input, init); }
  });
  const deltas = Array.from({ length: 100 }, (_, i) => `data: ${JSON.stringify({ type: 'message.delta', run_id: 'r', seq: 3, n: i + 1, message_id: 'm', text: `${i} `, created_at: '2026-01-01T00:00:00Z' })}\n\n`);
  vi.stubGlobal('fetch', () => Promise.resolve(new Response(new ReadableStream({
    start(to) {
      // Each in a piece of its own, and the stream stays open.
      for (const piece of [line(1, 'run.queued'), line(2, 'run.started'), line(3, 'model.requested'), ...deltas]) to.enqueue(new TextEncoder().encode(piece));
    },
  }))));
  const feed = new RunFeed('r');
  const told = vi.fn(() => feed.state.fold.n);
  const leave = feed.subscribe(told);
  await vi.waitFor(() => { expect(feed.state.fold.n).toBe(100); });
  expect([told.mock.calls.length, frames.length]).toEqual([0, 1]);
  frames[0]?.(0);
  expect(told.mock.results.map((r) => r.value as number)).toEqual([100]);
  leave();
});

it('lets go of a stream that nobody has looked at for a while, and goes on where it stood when somebody does', async () => {
  vi.useFakeTimers({ shouldAdvanceTime: true });
  const hidden = vi.spyOn(document, 'hidden', 'get').mockReturnValue(false);
  const look = (isHidden: boolean) => {
    hidden.mockReturnValue(isHidden);
    document.dispatchEvent(new Event('visibilitychange'));
  };
  const asked: Request[] = [];
  vi.stubGlobal('Request', class extends Request {
    constructor(input: RequestInfo | URL, init?: RequestInit) { super(typeof input === 'string' ? new URL(input, 'http://localhost') : input, init); }
  });
  vi.stubGlobal('fetch', (request: Request) => {
    asked.push(request);
    return Promise.resolve(asked.length > 1 ? stream(line(2, 'run.completed')) : new Response(new ReadableStream({
      start(to) {
        to.enqueue(new TextEncoder().encode(line(1, 'run.queued')));
        request.signal.addEventListener('abort', () => { to.error(new DOMException('aborted', 'AbortError')); });
      },
    })));
  });
  try {
    const feed = new RunFeed('r');
    const leave = feed.subscribe(() => undefined);
    await vi.waitFor(() => { expect(feed.state.fold.seq).toBe(1); });
    look(true);
    await vi.advanceTimersByTimeAsync(10_000);
    look(false);
    await vi.advanceTimersByTimeAsync(2_000); // what says nothing for 40 seconds is given up anyway
    expect([asked.length, asked[0]?.signal.aborted]).toEqual([1, false]);
    look(true);
    await vi.advanceTimersByTimeAsync(60_000);
    expect([asked.length, asked[0]?.signal.aborted]).toEqual([1, true]);
    look(false);
    await vi.waitFor(() => { expect(feed.state.fold.status).toBe('completed'); });
    expect(asked.map((request) => request.headers.get('last-event-id'))).toEqual([null, '1']);
    leave();
    look(true);
    look(false);
    expect(asked).toHaveLength(2);
  } finally {
    vi.useRealTimers();
  }
});
