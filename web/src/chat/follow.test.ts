// @vitest-environment jsdom
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createSseParser, follow } from './follow';

const send = vi.hoisted(() => vi.fn<(url: string, init: { headers: Record<string, string>; signal: AbortSignal }) => Promise<Response>>());
vi.mock('../api/client', () => ({ send }));

it('asks ever more seldom for a stream that ends in the same gap each time', async () => {
  vi.useFakeTimers({ shouldAdvanceTime: false });
  try {
    const asked: number[] = [];
    send.mockImplementation(() => {
      asked.push(Date.now());
      return Promise.resolve(new Response(`id: 3:9\nevent: message.delta\ndata: ${JSON.stringify({ type: 'message.delta', run_id: 'r', seq: 3, n: 9 })}\n\n`, { status: 200 }));
    });
    const stop = new AbortController();
    const done = follow('r', { position: () => '3:1', signal: stop.signal, onEvent: () => false });
    while (asked.length < 9) await vi.advanceTimersByTimeAsync(100);
    stop.abort();
    await done;
    const pauses = asked.slice(1).map((time, i) => time - (asked[i] ?? 0));
    expect(pauses.slice(0, 5).every((wait, i) => i === 0 || wait > (pauses[i - 1] ?? 0))).toBe(true);
    expect(Math.min(...pauses.slice(5))).toBeGreaterThan(5_000);
  } finally {
    vi.useRealTimers();
  }
});

it('reads the same events however the stream is cut', () => {
  const text = 'retry: 2000\n\n: heartbeat\n\nid: 1\nevent: run.queued\ndata: {"a":1}\n\nid: 2:1\r\nevent: message.delta\r\ndata: {"text":"щ"}\r\n\r\ndata: one\ndata: two\n\n';
  const read = (chunks: readonly string[]) => {
    const events: unknown[] = [];
    const parse = createSseParser((e) => events.push(e));
    chunks.forEach(parse);
    return events;
  };
  const whole = read([text]);
  expect(whole).toEqual([{ id: '1', type: 'run.queued', data: '{"a":1}' }, { id: '2:1', type: 'message.delta', data: '{"text":"щ"}' }, { id: '', type: '', data: 'one\ntwo' }]);
  fc.assert(fc.property(fc.array(fc.integer({ min: 0, max: text.length }), { maxLength: 20 }), (cuts) => {
    const at = [0, ...cuts.sort((a, b) => a - b), text.length];
    expect(read(at.slice(1).map((end, i) => text.slice(at[i], end)))).toEqual(whole);
  }));
});

describe('a line that is dead', () => {
  /** Answers that send one event and then nothing for ever; the last ends the run. */
  function serve(answers: string[]) {
    const asked: (string | undefined)[] = [];
    send.mockImplementation((_url, { headers, signal }) => {
      asked.push(headers['last-event-id']);
      const text = answers[asked.length - 1] ?? '';
      const body = new ReadableStream<Uint8Array>({
        start(controller) {
          controller.enqueue(new TextEncoder().encode(text));
          if (text.includes('run.completed')) controller.close();
          signal.addEventListener('abort', () => { controller.error(new DOMException('aborted', 'AbortError')); });
        },
      });
      return Promise.resolve(new Response(body, { status: 200 }));
    });
    return asked;
  }

  const event = (seq: number, type: string) => `id: ${seq}\nevent: ${type}\ndata: ${JSON.stringify({ type, run_id: 'r', seq })}\n\n`;

  async function followTo(end: () => void | Promise<void>) {
    let at = 0;
    const states: string[] = [];
    const asked = serve([event(1, 'run.created'), event(2, 'run.completed')]);
    const done = follow('r', { position: () => String(at), signal: new AbortController().signal, onConnection: (state) => { states.push(state); }, onEvent: (e) => { at = e.seq; return true; } });
    await vi.waitFor(() => { expect(at).toBe(1); });
    await end();
    await vi.advanceTimersByTimeAsync(1_000);
    await done;
    expect(asked).toEqual([undefined, '1']);
    expect(states).toEqual(['connecting', 'live', 'lost', 'live']);
  }

  beforeEach(() => { vi.useFakeTimers({ shouldAdvanceTime: true }); });
  afterEach(() => { vi.useRealTimers(); });

  it('is given up when not even a heartbeat came', () => followTo(async () => { await vi.advanceTimersByTimeAsync(40_000); }));
  it('is given up when the browser says that the network is gone', () => followTo(() => { dispatchEvent(new Event('offline')); }));
});
