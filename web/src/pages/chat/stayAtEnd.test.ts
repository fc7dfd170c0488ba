// @vitest-environment jsdom
import { renderHook } from '@testing-library/react';
import { expect, it } from 'vitest';
import { useStayAtEnd } from './stayAtEnd';

/** A box as a browser has it: its place never exceeds its content. */
function boxOf(height: number, inner = 500) {
  let top = 0;
  return {
    clientHeight: inner,
    scrollHeight: height,
    get scrollTop() {
      return top = Math.max(0, Math.min(top, this.scrollHeight - inner));
    },
    set scrollTop(to: number) {
      top = Math.max(0, Math.min(to, this.scrollHeight - inner));
    },
    scrollTo(to: { top: number }) {
      this.scrollTop = to.top;
    },
  };
}

function open(height: number) {
  const box = boxOf(height);
  const { result } = renderHook(() => useStayAtEnd({ current: box as unknown as HTMLElement }));
  const { onGrown, onScroll, leave } = result.current;
  const grow = (to: number) => {
    box.scrollHeight = to;
    onGrown();
  };
  grow(height);
  onScroll();
  return { box, grow, onScroll, leave };
}

it('stays at the end while content grows, also when it has grown before the browser tells of the move', () => {
  const { box, grow, onScroll } = open(2000);
  expect(box.scrollTop).toBe(1500);
  grow(3000);
  box.scrollHeight = 4000; // not told of yet
  onScroll();
  grow(4000);
  expect(box.scrollTop).toBe(3500);
});

it('stays at the end when a long row is exchanged for one whose height is only guessed', () => {
  const { box, grow, onScroll } = open(3000);
  grow(1200);
  box.scrollHeight = 3000;
  onScroll();
  grow(3000);
  expect(box.scrollTop).toBe(2500);
});

it('stays at the end when the content becomes shorter by itself', () => {
  const { box, grow, onScroll } = open(3000);
  box.scrollHeight = 2000;
  box.scrollTop = 1300; // the rows in view were shifted
  onScroll();
  grow(2000);
  expect(box.scrollTop).toBe(1500);
});

it('leaves whoever has scrolled up, until they are back', () => {
  const { box, grow, onScroll } = open(3000);
  box.scrollTop = 1000;
  onScroll();
  grow(4000);
  expect(box.scrollTop).toBe(1000);
  box.scrollTop = 2000; // down, and not yet there
  onScroll();
  grow(5000);
  expect(box.scrollTop).toBe(2000);
  box.scrollTop = 4450;
  onScroll();
  grow(6000);
  expect(box.scrollTop).toBe(5500);
});

it('leaves whoever has gone to a message', () => {
  const { box, grow, leave } = open(3000);
  leave();
  box.scrollTop = 100;
  grow(4000);
  expect(box.scrollTop).toBe(100);
});
