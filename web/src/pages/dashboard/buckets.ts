import { useMemo } from 'react';
import { useFormat } from '../../i18n/format';
import { bucketsOf } from '../../ui/chart/scale';

/** The hours or days of a report, and what they are called: one hour of two days by both. */
export function useBuckets({ bucket, from, to }: { bucket: string; from: string; to: string }) {
  const format = useFormat();
  return useMemo(() => {
    const hourly = bucket === 'hour';
    const buckets = bucketsOf(from, to, hourly ? 3_600_000 : 86_400_000);
    const times = buckets.map((b) => new Date(b));
    return hourly
      ? { buckets, labels: times.map(format.moment), clock: times.map((time) => ({ time: format.clock(time), day: format.dayShort(time) })) }
      : { buckets, labels: times.map(format.dayOfYear), clock: undefined };
  }, [bucket, from, to, format]);
}
