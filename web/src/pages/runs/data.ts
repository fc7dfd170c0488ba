import { useInfiniteQuery, useQuery } from '@tanstack/react-query';
import { api, data, idempotencyKey } from '../../api/client';
import { allOf, calmly } from '../../api/pages';
import type { SchemaAgentView, SchemaRunView } from '../../api/schema';

export type Run = SchemaRunView;

export const statuses = ['queued', 'running', 'waiting_approval', 'waiting_input', 'waiting_children', 'waiting_timer', 'needs_review', 'completed', 'failed', 'cancelled'] as const;
export type Status = (typeof statuses)[number];

export interface Filters {
  status: string;
  agent: string;
  conversation: string;
  user: string;
  /** 'true': only those that one shares. */
  shared: string;
}

export const filterNames = ['status', 'agent', 'conversation', 'user', 'shared'] as const;

/** Filters live in the address, so that a list can be kept and shown to others. */
export function filtersOf(params: URLSearchParams): Filters {
  const text = (name: string) => params.get(name)?.trim() ?? '';
  const status = text('status');
  return { status: statuses.some((s) => s === status) ? status : '', agent: text('agent'), conversation: text('conversation'), user: text('user'), shared: text('shared') === 'true' ? 'true' : '' };
}

export function withFilter(params: URLSearchParams, name: keyof Filters, value: string): URLSearchParams {
  const next = new URLSearchParams(params);
  if (value === '') next.delete(name);
  else next.set(name, value);
  return next;
}

export function isOver(status: string): boolean {
  return status === 'completed' || status === 'failed' || status === 'cancelled';
}

/** What administrators name instead of a user to see everybody's runs. */
export const everybody = '*';

/** @param isAudited Each look at it is written down: then it is not looked at unasked. */
export function useRuns(filters: Filters, isAudited: boolean) {
  const { shared, ...named } = filters;
  const query = { ...Object.fromEntries(Object.entries(named).filter(([, value]) => value !== '')), ...(shared !== '' && { shared: true }) };
  return useInfiniteQuery({
    queryKey: ['runs', 'list', filters],
    initialPageParam: '',
    queryFn: ({ pageParam }) => data(api.GET('/api/v1/runs', { params: { query: { ...query, limit: 50, ...(pageParam && { cursor: pageParam }) } } })),
    getNextPageParam: (page) => page.next_cursor ?? undefined,
    // What goes on moves; one's own list is also read for what begins elsewhere.
    refetchInterval: (state) => isAudited ? false : state.state.data?.pages.some((p) => p.items.some((r) => !isOver(r.status))) ? 5_000 : filters.user === '' ? calmly(state.state.data, 30_000) : false,
  });
}

/** The run and those below it: state and cost. Of others' runs each reading can be a row of the audit log: they are read when they are opened and when they end. */
export function useRunTree(runId: string, userId: string) {
  return useQuery({
    queryKey: ['run', runId],
    queryFn: () => data(api.GET('/api/v1/runs/{id}', { params: { path: { id: runId }, query: { tree: 1 } } })),
    refetchInterval: (state) => state.state.data?.owner_id === userId && !isOver(state.state.data.status) ? 5_000 : false,
  });
}

export function useAgentNames() {
  return useQuery({ queryKey: ['agents', 'names'], queryFn: async () => (await allOf<SchemaAgentView>((cursor) => data(api.GET('/api/v1/agents', { params: { query: { limit: 200, ...(cursor && { cursor }) } } })))).map((a) => a.name).sort(), staleTime: 60_000 });
}

/** Everybody, by id: for administrators, who may look at others' runs. */
export function useUserNames(enabled: boolean) {
  return useQuery({
    queryKey: ['users', 'names'], enabled, staleTime: 60_000,
    queryFn: async () => {
      const names = new Map<string, string>();
      for (let cursor: string | null | undefined = ''; cursor !== null && cursor !== undefined;) {
        const page: { items: { id: string; username: string }[]; next_cursor?: string | null } = await data(api.GET('/api/v1/users', { params: { query: { limit: 200, ...(cursor && { cursor }) } } }));
        for (const user of page.items) names.set(user.id, user.username);
        cursor = page.next_cursor;
      }
      return names;
    },
  });
}

/** Makes a new run with the same input. The key belongs to the intention: sent again after a lost answer, it makes no second one. */
export async function retryRun(runId: string, fromSeq: number | undefined, key: string = idempotencyKey()): Promise<string> {
  const made = await data(api.POST('/api/v1/runs/{id}/retry', { params: { path: { id: runId } }, headers: { 'Idempotency-Key': key }, body: fromSeq === undefined ? {} : { from_seq: fromSeq } }));
  return made.id;
}

export async function cancelRun(runId: string): Promise<void> {
  await api.POST('/api/v1/runs/{id}/cancel', { params: { path: { id: runId } }, body: {} });
}
