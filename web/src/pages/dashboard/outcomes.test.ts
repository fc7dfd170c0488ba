import { expect, it } from 'vitest';
import { runPoints } from './outcomes';

const points = [
  { start: '2026-01-01T00:00:00Z', runs: 6, completed: 3, failed: 1, cancelled: 1, mean_ms: 1_500, slowest_ms: 4_000 },
  { start: '2026-01-02T00:00:00Z', runs: 1, completed: 0, failed: 1, cancelled: 0 },
];

it('draws failed and stopped runs, how long the others took, and what is still open', () => {
  const of = (measure: 'errors' | 'latency' | 'runs') => runPoints(points, measure).map((p) => [p.start.slice(8, 10), p.key, p.value]);
  expect(of('errors')).toEqual([['01', 'failed', 1], ['01', 'cancelled', 1], ['02', 'failed', 1], ['02', 'cancelled', 0]]);
  expect(of('latency')).toEqual([['01', 'mean', 1_500], ['01', 'slowest', 4_000]]);
  expect(of('runs').filter(([, key]) => key === 'open')).toEqual([['01', 'open', 1], ['02', 'open', 0]]);
});
