// @vitest-environment jsdom
import { act, cleanup, renderHook } from '@testing-library/react';
import { afterEach, expect, it, vi } from 'vitest';
import { useLiveActivity } from './live';

class Socket {
  static readonly OPEN = 1;
  static all: Socket[] = [];
  readyState = 0;
  closed = 0;
  sent: string[] = [];
  onopen: (() => void) | null = null;
  onmessage: ((message: { data: string }) => void) | null = null;
  onclose: (() => void) | null = null;

  constructor() {
    Socket.all.push(this);
  }

  open(): void {
    this.readyState = 1;
    this.onopen?.();
  }

  send(text: string): void {
    this.sent.push(text);
  }

  /** Over a line that is dead nobody says that it is closed. */
  close(): void {
    this.readyState = 2;
    this.closed++;
  }
}

function live() {
  vi.useFakeTimers();
  vi.stubGlobal('WebSocket', Socket);
  Socket.all = [];
  return renderHook(() => useLiveActivity(null, false));
}

const later = (ms: number) => act(() => vi.advanceTimersByTimeAsync(ms));
const last = () => {
  const socket = Socket.all.at(-1);
  if (!socket) throw new Error('There is no socket.');
  return socket;
};

afterEach(() => {
  cleanup();
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

it('gives the same function in each rendering, so that what is on its way is not begun anew', () => {
  const { result, rerender } = renderHook(() => useLiveActivity(null, true));
  const first = result.current.onArrived;
  rerender();
  expect(result.current.onArrived).toBe(first);
});

it('asks a silent server whether it is there, and keeps a line that answers', async () => {
  const { result, unmount } = live();
  const socket = last();
  act(() => { socket.open(); });
  for (let i = 0; i < 8; i++) {
    await later(15_000);
    act(() => { socket.onmessage?.({ data: '{"type":"pong"}' }); });
  }
  expect(socket.sent).toEqual(Array.from({ length: 8 }, () => '{"type":"ping"}'));
  expect([Socket.all.length, socket.closed, result.current.connection]).toEqual([1, 0, 'live']);
  unmount();
  expect(socket.closed).toBe(1);
  await later(60_000);
  expect([Socket.all.length, socket.sent.length]).toEqual([1, 8]);
});

it('gives up a line on which nothing was heard for 40 s, also while it is being opened, and comes back', async () => {
  const { result } = live();
  const first = last();
  act(() => { first.open(); });
  await later(39_000);
  expect([first.closed, result.current.connection]).toEqual([0, 'live']);
  await later(2_500);
  expect([first.closed, Socket.all.length]).toEqual([1, 2]);
  const second = last();
  await later(50_000); // never opened
  expect(second.closed).toBe(1);
  act(() => { last().open(); });
  expect(result.current.connection).toBe('live');
});

it('gives up its line when the network is gone, and comes back with it', async () => {
  const { result } = live();
  const first = last();
  act(() => { first.open(); });
  await act(async () => { dispatchEvent(new Event('offline')); await vi.advanceTimersByTimeAsync(0); });
  expect(first.closed).toBe(1);
  await act(async () => { dispatchEvent(new Event('online')); await vi.advanceTimersByTimeAsync(0); });
  expect([Socket.all.length, result.current.connection]).toEqual([2, 'lost']);
  act(() => { last().open(); });
  expect(result.current.connection).toBe('live');
});
