import type { SchemaRunOutcomePoint } from '../../api/schema';
import type { Point } from '../../ui/chart/scale';

export const runMeasures = ['errors', 'latency', 'runs'] as const;
export type RunMeasure = (typeof runMeasures)[number];

/** What each figure draws, in this order. */
export const seriesNames: Readonly<Record<RunMeasure, readonly string[]>> = {
  errors: ['failed', 'cancelled'],
  latency: ['mean', 'slowest'],
  runs: ['completed', 'failed', 'cancelled', 'open'],
};

export function runPoints(points: readonly SchemaRunOutcomePoint[], measure: RunMeasure): Point[] {
  return points.flatMap((p) => {
    const values: Readonly<Record<string, number | null | undefined>> = {
      completed: p.completed, failed: p.failed, cancelled: p.cancelled, open: p.runs - p.completed - p.failed - p.cancelled, mean: p.mean_ms, slowest: p.slowest_ms,
    };
    return seriesNames[measure].flatMap((key) => {
      const value = values[key];
      return value === null || value === undefined ? [] : [{ start: p.start, key, value }];
    });
  });
}
