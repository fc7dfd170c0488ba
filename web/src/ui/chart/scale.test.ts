import fc from 'fast-check';
import { expect, it } from 'vitest';
import { formats } from '../../i18n/format';
import { bucketsOf, everyNth, linePath, maxOf, percentile, seriesOf, stack, ticks } from './scale';

it('has round steps that begin at nothing and reach the largest value', () => {
  expect(ticks(9)).toEqual([0, 5, 10]);
  expect(ticks(0.0031)).toEqual([0, 0.001, 0.002, 0.003, 0.004]);
  expect(ticks(3, 4, true)).toEqual([0, 1, 2, 3]);
  expect(ticks(0)).toEqual([0, 1]);
  expect(ticks(NaN)).toEqual([0, 1]);
  fc.assert(fc.property(fc.double({ min: 1e-9, max: 1e12, noNaN: true }), (max) => {
    const all = ticks(max);
    expect(all[0]).toBe(0);
    expect(all.at(-1) ?? 0).toBeGreaterThanOrEqual(max * (1 - 1e-9));
    expect(all.length).toBeLessThanOrEqual(7);
  }));
});

it('has a bucket for each step, also without points', () => {
  const day = 86_400_000;
  expect(bucketsOf('2026-11-01T00:00:00Z', '2026-11-03T12:00:00Z', day).map((b) => new Date(b).getUTCDate())).toEqual([1, 2, 3]);
  expect(bucketsOf('x', 'y', day)).toEqual([]);
  expect(bucketsOf('2026-11-03T00:00:00Z', '2026-11-01T00:00:00Z', day)).toEqual([]);
});

it('loses nothing: what the points sum up to is as high as the bars are', () => {
  const buckets = [0, 1, 2, 3].map((i) => i * 1000);
  const point = fc.record({ start: fc.constantFrom(...buckets).map((b) => new Date(b).toISOString()), key: fc.option(fc.constantFrom('a', 'b', 'c')), value: fc.nat(1000) });
  fc.assert(fc.property(fc.array(point), (points) => {
    const series = seriesOf(points, ['a', 'b'], buckets, 0);
    const tops = stack(series).at(-1)?.ends.map((e) => e[1]) ?? [];
    expect(tops.reduce((a, b) => a + b, 0)).toBe(points.reduce((a, p) => a + p.value, 0));
    expect(maxOf(series, true)).toBe(Math.max(0, ...tops));
    for (const s of stack(series)) for (const [low, high] of s.ends) expect(high).toBeGreaterThanOrEqual(low);
  }));
});

it('breaks a line where nothing was measured, and shows a point alone', () => {
  const x = (i: number) => i * 10;
  expect(linePath([1, 2, null, 4], x, (v) => v)).toBe('M0 1 L10 2 M30 4 h0.01');
  expect(linePath([], x, (v) => v)).toBe('');
});

it('thins labels and finds percentiles', () => {
  expect([everyNth(30, 6), everyNth(3, 6), everyNth(10, 0)]).toEqual([5, 1, 10]);
  expect([percentile([], 0.5), percentile([3, 1, 2], 0.5), percentile([1, 2, 3, 4], 0.95)]).toEqual([null, 2, 4]);
});

const { duration, money } = formats('en');
it.each<[string, (value: number, step?: number) => string, boolean, number, number, number[]]>([
  ['durations', duration, true, 0.1, 7 * 86_400_000, [100, 3_000, 61_000, 200_000, 3_600_000, 4_000_000]],
  ['money', money, false, 1e-6, 1e6, [0.000_001, 0.0003, 0.02, 0.04, 0.075, 0.1, 3, 12]],
])('has no two ticks of %s that read the same', (_, format, whole, min, max, examples) => {
  const check = (most: number) => {
    const all = ticks(most, 4, whole);
    expect(new Set(all.map((value) => format(value, all[1]))).size, String(most)).toBe(all.length);
  };
  examples.forEach(check);
  fc.assert(fc.property(fc.double({ min: Math.log(min), max: Math.log(max), noNaN: true }), (power) => { check(Math.exp(power)); }));
});
