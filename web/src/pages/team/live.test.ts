// @vitest-environment jsdom
import { renderHook } from '@testing-library/react';
import { expect, it } from 'vitest';
import { useLiveActivity } from './live';

it('gives the same function in each rendering, so that what is on its way is not begun anew', () => {
  const { result, rerender } = renderHook(() => useLiveActivity(null, true));
  const first = result.current.onArrived;
  rerender();
  expect(result.current.onArrived).toBe(first);
});
