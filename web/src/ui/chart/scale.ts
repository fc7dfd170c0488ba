/** The arithmetic of charts: pure, so that it can be proven. */

/** Round steps (1, 2, 5 × 10ⁿ) from 0 to at least the largest value; about as many as wanted. */
export function ticks(max: number, wanted = 4, whole = false): number[] {
  if (!Number.isFinite(max) || max <= 0) return [0, 1];
  const rough = max / wanted;
  const power = 10 ** Math.floor(Math.log10(rough));
  const factor = [1, 2, 5, 10].find((f) => f * power >= rough * 0.999_999) ?? 10;
  const step = whole ? Math.max(1, Math.ceil(factor * power)) : factor * power;
  const count = Math.max(1, Math.ceil(max / step - 1e-9));
  return Array.from({ length: count + 1 }, (_, i) => Number((i * step).toPrecision(12)));
}

export interface Point {
  start: string;
  key: string | null;
  value: number;
}

export interface Series {
  key: string | null;
  /** One for each bucket; null: nothing was measured. */
  values: readonly (number | null)[];
}

/** Beginnings of all buckets from `from` until before `to`, in milliseconds. */
export function bucketsOf(from: string, to: string, size: number): number[] {
  const [first, end] = [new Date(from).getTime(), new Date(to).getTime()];
  if (!Number.isFinite(first) || !Number.isFinite(end) || size <= 0) return [];
  return Array.from({ length: Math.min(1_000, Math.max(0, Math.ceil((end - first) / size))) }, (_, i) => first + i * size);
}

/** Points put into their buckets, by key in the order given; points of no such key are added to the last series, of all others. What was not measured is `gap`. */
export function seriesOf(points: readonly Point[], keys: readonly string[], buckets: readonly number[], gap: 0 | null): Series[] {
  const index = new Map(buckets.map((b, i) => [b, i]));
  const make = (): (number | null)[] => buckets.map(() => gap);
  const byKey = new Map<string | null, (number | null)[]>(keys.map((k) => [k, make()]));
  for (const point of points) {
    const at = index.get(new Date(point.start).getTime());
    if (at === undefined) continue;
    const key = point.key !== null && byKey.has(point.key) ? point.key : null;
    const values = byKey.get(key) ?? make();
    values[at] = (values[at] ?? 0) + point.value;
    byKey.set(key, values);
  }
  return [...byKey].map(([key, values]) => ({ key, values }));
}

/** Bars upon each other: for each series its lower and upper end in each bucket. */
export function stack(series: readonly Series[]): { key: string | null; ends: readonly (readonly [number, number])[] }[] {
  const tops: number[] = [];
  return series.map((s) => ({
    key: s.key,
    ends: s.values.map((value, i) => {
      const low = tops[i] ?? 0;
      const high = low + Math.max(0, value ?? 0);
      tops[i] = high;
      return [low, high] as const;
    }),
  }));
}

export function maxOf(series: readonly Series[], stacked: boolean): number {
  const each = stacked ? stack(series).at(-1)?.ends.map((e) => e[1]) ?? [] : series.flatMap((s) => s.values.map((v) => v ?? 0));
  return each.reduce((a, b) => Math.max(a, b), 0);
}

/** A line through what was measured, broken where nothing was. A point alone is a short stroke, so that it is seen. */
export function linePath(values: readonly (number | null)[], x: (i: number) => number, y: (value: number) => number): string {
  const parts: string[] = [];
  values.forEach((value, i) => {
    if (value === null) return;
    const before = values[i - 1];
    const isNew = before === undefined || before === null;
    parts.push(`${isNew ? 'M' : 'L'}${round(x(i))} ${round(y(value))}`);
    const after = values[i + 1];
    if (isNew && (after === undefined || after === null)) parts.push('h0.01');
  });
  return parts.join(' ');
}

export function round(value: number): number {
  return Math.round(value * 100) / 100;
}

/** Which labels of an axis fit, evenly: the first always, the rest every so many. */
export function everyNth(count: number, fit: number): number {
  return Math.max(1, Math.ceil(count / Math.max(1, fit)));
}

/** The value below which the share of the values lies (nearest rank); null: there are none. */
export function percentile(values: readonly number[], share: number): number | null {
  const sorted = values.filter((v) => Number.isFinite(v)).sort((a, b) => a - b);
  return sorted[Math.max(0, Math.min(sorted.length - 1, Math.ceil(share * sorted.length) - 1))] ?? null;
}
