import { useInfiniteQuery, type QueryKey } from '@tanstack/react-query';

interface ListPage<T> {
  items: T[];
  next_cursor?: string | null;
}

/** How often a list that somebody looks at is read again, for what happens on other devices: the less often the more of it was fetched. */
export function calmly(fetched: { pages: readonly unknown[] } | undefined, each = 15_000): number {
  return each * Math.max(1, fetched?.pages.length ?? 1);
}

/** A list that comes in pages: everything that was fetched so far, and how to get more, as the table wants it. While something of it is moving, it is read again. */
export function usePages<T, P extends ListPage<T> = ListPage<T>>(key: QueryKey, fetch: (cursor: string | undefined) => Promise<P & ListPage<T>>, isMoving: (row: T) => boolean = () => false) {
  const query = useInfiniteQuery({
    queryKey: key,
    initialPageParam: '',
    queryFn: ({ pageParam }) => fetch(pageParam === '' ? undefined : pageParam),
    getNextPageParam: (page) => page.next_cursor ?? undefined,
    refetchInterval: (query) => query.state.data?.pages.some((page) => page.items.some(isMoving)) ? 2_000 : calmly(query.state.data, 30_000),
  });
  return {
    rows: query.data?.pages.flatMap((page) => page.items) ?? [],
    first: query.data?.pages[0],
    loading: query.isPending,
    error: query.error,
    /** Nothing is known, for it could not be read. What was read once stays when a later look fails. */
    lost: query.error !== null && query.data === undefined,
    retry: () => void query.refetch(),
    more: query.hasNextPage ? { load: () => void query.fetchNextPage(), busy: query.isFetchingNextPage } : undefined,
  };
}

/** Every item of a list, page after page. */
export async function allOf<T>(fetch: (cursor: string | undefined) => Promise<ListPage<T>>): Promise<T[]> {
  const all: T[] = [];
  for (let cursor: string | undefined; ;) {
    const page = await fetch(cursor);
    all.push(...page.items);
    if (!page.next_cursor) return all;
    cursor = page.next_cursor;
  }
}
