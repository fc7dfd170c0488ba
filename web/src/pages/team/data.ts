import { useQuery, useQueryClient } from '@tanstack/react-query';
import { api, data, versioned } from '../../api/client';
import type { SchemaAgentView, SchemaTeamView } from '../../api/schema';

interface PageOf<T> {
  items: readonly T[];
  next_cursor: string | null;
}

/** Catalogs are small, but not always one page. */
async function all<T, P extends PageOf<T>>(page: (cursor: string | undefined) => Promise<P>): Promise<{ items: T[]; first: P }> {
  const first = await page(undefined);
  const items = [...first.items];
  for (let next = first.next_cursor; next !== null && items.length < 2_000;) {
    const more = await page(next);
    items.push(...more.items);
    next = more.next_cursor;
  }
  return { items, first };
}

export function useAgents() {
  return useQuery({
    queryKey: ['agents'],
    queryFn: async () => {
      const { items, first } = await all<SchemaAgentView, PageOf<SchemaAgentView> & { problems: NonNullable<unknown> }>(async (cursor) => {
        const page = await data(api.GET('/api/v1/agents', { params: { query: { limit: 200, ...(cursor !== undefined && { cursor }) } } }));
        return { ...page, next_cursor: page.next_cursor ?? null };
      });
      return { items, problems: first.problems as readonly { source: string; key: string; message: string; severity: string }[] };
    },
  });
}

/** All teams. `staleTime`: where they are only chosen from, they need not be of this moment. */
export function useTeams(staleTime?: number) {
  return useQuery({
    queryKey: ['teams'], ...(staleTime !== undefined && { staleTime }),
    queryFn: async () => (await all<SchemaTeamView, PageOf<SchemaTeamView>>(async (cursor) => {
      const page = await data(api.GET('/api/v1/teams', { params: { query: { limit: 200, ...(cursor !== undefined && { cursor }) } } }));
      return { ...page, next_cursor: page.next_cursor ?? null };
    })).items,
  });
}

export function useStatuses() {
  return useQuery({ queryKey: ['agents', 'status'], queryFn: () => data(api.GET('/api/v1/agents/status')), refetchInterval: 10_000 });
}

export function useFlows(enabled: boolean) {
  return useQuery({ queryKey: ['flows'], enabled, queryFn: () => data(api.GET('/api/v1/visualization/flows', { params: { query: { limit: 20 } } })), refetchInterval: 10_000 });
}

export function useAgent(name: string) {
  return useQuery({ queryKey: ['agents', 'one', name], queryFn: () => versioned(api.GET('/api/v1/agents/{name}', { params: { path: { name } } })) });
}

export function useTeam(name: string) {
  return useQuery({ queryKey: ['teams', 'one', name], queryFn: () => versioned(api.GET('/api/v1/teams/{name}', { params: { path: { name } } })) });
}

/** After a change: everything that shows the catalog asks again. */
export function useCatalogChanged() {
  const cache = useQueryClient();
  return () => Promise.all([cache.invalidateQueries({ queryKey: ['agents'] }), cache.invalidateQueries({ queryKey: ['teams'] })]);
}
