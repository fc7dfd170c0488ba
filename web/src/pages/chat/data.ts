import { useInfiniteQuery, useMutation, useQuery, useQueryClient, type InfiniteData, type QueryClient } from '@tanstack/react-query';
import { useEffect, useMemo } from 'react';
import { api, data } from '../../api/client';
import { calmly } from '../../api/pages';
import { Problem } from '../../api/problem';
import type { SchemaConversationAnswer, SchemaConversationChangeRequest, SchemaMessageAnswer, SchemaPageOfConversationAnswer, SchemaRunView } from '../../api/schema';
import { messagesOf, readMessages, type MessagePage } from './messagePages';

export type Conversation = SchemaConversationAnswer;
export type Message = SchemaMessageAnswer;
export type Run = SchemaRunView;

/** The newest, those at the top only, or those in folders only. */
type Of = 'newest' | 'pinned' | 'filed';

/** What has to be read again after something was said: the conversation is among the newest then, whatever place it has. */
export const newestConversations = ['conversations', { of: 'newest' satisfies Of }] as const;

/** `all`: page after page. `search`: words of titles, for which the server looks; it may have looked through many before it finds one. `each`: milliseconds from one reading to the next. */
function useList(archived: boolean, of: Of, { all = false, enabled = true, limit = 50, each = 15_000, search = '' } = {}) {
  const list = useInfiniteQuery({
    queryKey: ['conversations', { archived, of, search: search || undefined }],
    enabled,
    initialPageParam: '',
    queryFn: (how) => data(api.GET('/api/v1/conversations', {
      params: { query: { limit, archived, ...(of === 'pinned' && { pinned: true }), ...(of === 'filed' && { filed: true }), ...(search && { search }), ...(how.pageParam && { cursor: how.pageParam }) } },
      ...(search && { signal: how.signal }), // a search that nobody waits for any more ends, here and on the server
    })),
    getNextPageParam: (page) => page.next_cursor ?? undefined,
    refetchInterval: (query) => search === '' && calmly(query.state.data, each), // a search may look through thousands for one page
  });
  const { hasNextPage, isFetching, isError, fetchNextPage } = list;
  const goesOn = all || (search !== '' && list.data?.pages.at(-1)?.items.length === 0);
  const pages = list.data?.pages.length; // one that comes at once is not seen to be fetched
  // After a page that could not be read, the next regular reading goes on: asked for at once it would be asked for without end.
  useEffect(() => {
    if (goesOn && hasNextPage && !isFetching && !isError) void fetchNextPage();
  }, [goesOn, hasNextPage, isFetching, isError, pages, fetchNextPage]);
  return list;
}

/** The newest. `search`: of those whose title has every word of it. */
export function useConversations(archived: boolean, how: { search?: string; enabled?: boolean } = {}) {
  return useList(archived, 'newest', how);
}

/** What somebody gave a place, at the top or in a folder: all of it, however much is newer. The server looks through all conversations for it, and it seldom changes on other devices. */
export function usePlaced(archived: boolean) {
  const how = { all: true, limit: 200, each: 60_000 };
  return [useList(archived, 'pinned', how), useList(archived, 'filed', how)] as const;
}

/** Each conversation once, as the list that read it last has it, those first in which something happened last. */
export function merged(lists: readonly (Pages | undefined)[]): Conversation[] {
  const newest = new Map<string, Conversation>();
  for (const c of lists.flatMap((list) => list?.pages ?? []).flatMap((page) => page.items)) {
    const known = newest.get(c.id);
    if (!known || moment(c) > moment(known)) newest.set(c.id, c);
  }
  return [...newest.values()].sort((a, b) => moment(b) - moment(a));
}

const moment = (conversation: Conversation) => Date.parse(conversation.updated_at);

/** The conversation itself; that something was said on another device is seen by it. */
export function useConversation(id: string | undefined) {
  return useQuery({
    queryKey: ['conversation', id],
    enabled: id !== undefined,
    queryFn: () => data(api.GET('/api/v1/conversations/{id}', { params: { path: { id: id ?? '' } } })),
    refetchInterval: 15_000,
  });
}

/** What was read of each conversation, as long as its messages are kept. */
const read = new WeakMap<object, MessagePage[]>();

/** All messages of the conversation's tree. */
export function useMessages(id: string | undefined) {
  const cache = useQueryClient();
  return useQuery({
    queryKey: ['messages', id],
    enabled: id !== undefined,
    queryFn: async ({ queryKey }) => {
      const kept = cache.getQueryCache().find({ queryKey });
      const pages = await readMessages(id ?? '', (kept && read.get(kept)) ?? []);
      if (kept) read.set(kept, pages);
      return messagesOf(pages);
    },
  });
}

/** What the conversation has cost so far; read again whenever the conversation is. */
export function useConversationTotals(id: string | undefined) {
  return useQuery({ queryKey: ['conversation', id, 'totals'], enabled: id !== undefined, queryFn: () => data(api.GET('/api/v1/conversations/{id}/totals', { params: { path: { id: id ?? '' } } })) });
}

/** The newest of the conversation's runs by id: what each answer cost, and which are not over. Older ones are read when their messages come into view: {@link useRunsBackTo}. */
export function useConversationRuns(id: string | undefined) {
  const list = useInfiniteQuery({
    queryKey: ['runs', { conversation: id }],
    enabled: id !== undefined,
    initialPageParam: '',
    queryFn: ({ pageParam }) => data(api.GET('/api/v1/runs', { params: { query: { conversation: id ?? '', limit: 200, ...(pageParam && { cursor: pageParam }) } } })),
    getNextPageParam: (page) => page.next_cursor ?? undefined,
  });
  const runs = useMemo(() => list.data && new Map(list.data.pages.flatMap((page) => page.items).map((run) => [run.id, run])), [list.data]);
  const oldest = list.data?.pages.at(-1)?.items.at(-1)?.id ?? '';
  /** Whether it would be among those that were read, were it there: ids grow with time. */
  const reaches = (run: string) => !list.hasNextPage || run >= oldest;
  return { runs, reaches, list };
}

/** Reads on until that run is there. */
export function useRunsBackTo(run: string | undefined, { list, reaches }: ReturnType<typeof useConversationRuns>): void {
  const { isFetching, isError, fetchNextPage } = list;
  const isShort = run !== undefined && list.data !== undefined && !reaches(run);
  const pages = list.data?.pages.length; // one that comes at once is not seen to be fetched
  useEffect(() => {
    if (isShort && !isFetching && !isError) void fetchNextPage();
  }, [isShort, isFetching, isError, pages, fetchNextPage]);
}

export function useModels() {
  return useQuery({ queryKey: ['models'], queryFn: () => data(api.GET('/api/v1/models')), staleTime: 60_000 });
}

/** What `If-Match` has to say to change the conversation as it is now. */
export async function matchNow(id: string): Promise<Record<string, string>> {
  const { response } = await api.GET('/api/v1/conversations/{id}', { params: { path: { id } } });
  const etag = response.headers.get('etag');
  return etag ? { 'If-Match': etag } : {};
}

/** `known`: what {@link matchNow} gave before, so that it takes one request only, which also goes out while the page is left; if it no longer holds it is read again. */
export async function deleteConversation(id: string, known?: Promise<Record<string, string> | null>): Promise<void> {
  const remove = async (headers: Record<string, string>) => { await api.DELETE('/api/v1/conversations/{id}', { params: { path: { id } }, headers, keepalive: true }); };
  const is = (error: unknown, status: number) => error instanceof Problem && error.status === status;
  try {
    await remove(await known ?? await matchNow(id)).catch(async (error: unknown) => {
      if (!is(error, 412)) throw error;
      await remove(await matchNow(id));
    });
  } catch (error) {
    if (!is(error, 404)) throw error; // gone already, by another window or on another device
  }
}

type Pages = InfiniteData<SchemaPageOfConversationAnswer>;

/** Shows the conversation with that in each list that has it. */
function showWith(cache: QueryClient, id: string, fields: Partial<Conversation>): void {
  cache.setQueriesData<Pages>({ queryKey: ['conversations'] }, (old) => old && {
    ...old,
    pages: old.pages.map((page) => ({ ...page, items: page.items.map((c) => c.id === id ? { ...c, ...fields } : c) })),
  });
}

const givenIn = (change: SchemaConversationChangeRequest) => (Object.keys(change) as (keyof typeof change)[]).filter((field) => change[field] !== null);

/**
 * Title, pin, archive, folder: shown at once, taken back if the server refuses or cannot be reached. `match`: the tag of what somebody looked at when they decided; without it, what is there now is changed.
 * Either is one request, which also goes out while the page is left.
 */
export function useChangeConversation() {
  const cache = useQueryClient();
  return useMutation({
    mutationFn: ({ conversation, change, match }: { conversation: Conversation; change: SchemaConversationChangeRequest; match?: string }) =>
      api.PATCH('/api/v1/conversations/{id}', { params: { path: { id: conversation.id } }, body: change, headers: { 'If-Match': match ?? '*' }, keepalive: true }),
    onMutate: ({ conversation, change }) => { showWith(cache, conversation.id, Object.fromEntries(givenIn(change).map((field) => [field, change[field]]))); },
    // Not left to the lists that are read again: whatever failed may fail there, too.
    onError: (_error, { conversation, change }) => { showWith(cache, conversation.id, Object.fromEntries(givenIn(change).map((field) => [field, conversation[field]]))); },
    onSettled: (_result, _error, { conversation }) => Promise.all([cache.invalidateQueries({ queryKey: ['conversations'] }), cache.invalidateQueries({ queryKey: ['conversation', conversation.id] })]),
  });
}
