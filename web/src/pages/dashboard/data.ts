import { useQuery } from '@tanstack/react-query';
import { api, data } from '../../api/client';
import { Problem } from '../../api/problem';
import type { SchemaHealthReport } from '../../api/schema';

export type By = 'agent' | 'model' | 'tier' | 'user';
export type Span = 'hours48' | 'days7' | 'days30' | 'days90';

const hour = 3_600_000;
export const spans: Readonly<Record<Span, { bucket: 'hour' | 'day'; size: number; count: number }>> = {
  hours48: { bucket: 'hour', size: hour, count: 48 },
  days7: { bucket: 'day', size: 24 * hour, count: 7 },
  days30: { bucket: 'day', size: 24 * hour, count: 30 },
  days90: { bucket: 'day', size: 24 * hour, count: 90 },
};

const often = { refetchInterval: 15_000 } as const;

export function useUsage(by: By, span: Span, all: boolean) {
  const { bucket, size, count } = spans[span];
  return useQuery({
    queryKey: ['usage', by, span, all],
    queryFn: () => data(api.GET('/api/v1/usage', { params: { query: { by, bucket, scope: all || by === 'user' ? 'all' : 'own', from: new Date(Date.now() - (count - 1) * size).toISOString() } } })),
    placeholderData: (before) => before,
    refetchInterval: 60_000,
  });
}

export function useOutcomes(span: Span, all: boolean) {
  const { bucket, size, count } = spans[span];
  return useQuery({
    queryKey: ['runs', 'outcomes', span, all],
    queryFn: () => data(api.GET('/api/v1/metrics/runs', { params: { query: { bucket, scope: all ? 'all' : 'own', from: new Date(Date.now() - (count - 1) * size).toISOString() } } })),
    placeholderData: (before) => before,
    refetchInterval: 60_000,
  });
}

export function useCacheStats() {
  return useQuery({ queryKey: ['cache', 'stats'], queryFn: () => data(api.GET('/api/v1/cache/stats')), refetchInterval: 60_000 });
}

export function useFigures() {
  return useQuery({ queryKey: ['dashboard'], queryFn: () => data(api.GET('/api/v1/metrics/dashboard')), ...often });
}

export function useModels(enabled: boolean) {
  return useQuery({ queryKey: ['models'], enabled, queryFn: () => data(api.GET('/api/v1/models')) });
}

export function useQueue(enabled: boolean) {
  return useQuery({ queryKey: ['queue'], enabled, queryFn: () => data(api.GET('/api/v1/queue')), ...often });
}

export function useRuns(enabled: boolean) {
  return useQuery({ queryKey: ['runs', 'dashboard'], enabled, queryFn: () => data(api.GET('/api/v1/runs', { params: { query: { limit: 200 } } })), ...often });
}

/** An unhealthy server answers 503, and says what is wrong all the same. */
export function useHealth() {
  return useQuery({
    queryKey: ['health'],
    queryFn: async (): Promise<SchemaHealthReport> => {
      try {
        return await data(api.GET('/health'));
      } catch (error) {
        if (error instanceof Problem && isReport(error.extra)) return error.extra;
        throw error;
      }
    },
    ...often,
  });
}

function isReport(body: unknown): body is SchemaHealthReport {
  return typeof body === 'object' && body !== null && 'services' in body && 'checks' in body && 'version' in body;
}
