// @vitest-environment jsdom
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { soon } from './soon';

let visibility: DocumentVisibilityState = 'visible';
const frames: FrameRequestCallback[] = [];

function turn(to: DocumentVisibilityState): void {
  visibility = to;
  document.dispatchEvent(new Event('visibilitychange'));
}

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  vi.spyOn(document, 'visibilityState', 'get').mockImplementation(() => visibility);
  // Frames are drawn only for who looks: here never by themselves.
  vi.stubGlobal('requestAnimationFrame', (frame: FrameRequestCallback) => frames.push(frame));
  vi.stubGlobal('cancelAnimationFrame', (id: number) => { frames.splice(id - 1, 1); });
});

afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
  frames.length = 0;
  visibility = 'visible';
});

it('waits for the next frame of a page that is seen', () => {
  const run = vi.fn();
  soon(run);
  vi.runAllTimers();
  expect(run).not.toHaveBeenCalled();
  frames.forEach((frame) => { frame(0); });
  expect(run).toHaveBeenCalledOnce();
});

it('needs no frame where none is drawn', () => {
  visibility = 'hidden';
  const run = vi.fn();
  soon(run);
  expect(run).not.toHaveBeenCalled();
  vi.runAllTimers();
  expect(run).toHaveBeenCalledOnce();
  turn('visible');
  expect(run).toHaveBeenCalledOnce();
});

it('loses nothing that was to come when the page is hidden', () => {
  const run = vi.fn();
  soon(run);
  turn('hidden');
  expect(run).toHaveBeenCalledOnce();
  expect(frames).toHaveLength(0);
});
