import { useInfiniteQuery, useQuery } from '@tanstack/react-query';
import { useEffect, useRef } from 'react';
import { useTranslation } from 'react-i18next';
import { api, data } from '../api/client';
import { notificationsAreOn, notify } from './notifications';
import { useSession } from './session';
import { unseen } from './windows';

/** That approvals wait, and of which tools; those that this user may decide. What exactly would run is not asked for: with others' calls that is written down each time. */
function useApprovalBadge() {
  const { can, user } = useSession();
  return useQuery({
    queryKey: ['approvals', 'badge'],
    queryFn: () => data(api.GET('/api/v1/approvals', { params: { query: { status: 'pending', view: 'badge', limit: 200 } } })),
    enabled: can('approvals:decide'),
    refetchInterval: 15_000,
    refetchIntervalInBackground: notificationsAreOn(user.id),
  });
}

/** What waits, with the exact calls, for the page that shows them: read when it is opened and when something else waits; page by page where it is a lot. */
export function useWaitingApprovals() {
  const badge = useApprovalBadge();
  const waiting = badge.data?.items.map((a) => a.id).join(' ');
  const calls = useInfiniteQuery({
    queryKey: ['approvals', 'pending'],
    initialPageParam: '',
    queryFn: ({ pageParam }) => data(api.GET('/api/v1/approvals', { params: { query: { status: 'pending', limit: 200, ...(pageParam && { cursor: pageParam }) } } })),
    getNextPageParam: (page) => page.next_cursor ?? undefined,
    enabled: waiting !== undefined,
    staleTime: 0,
    refetchOnWindowFocus: false,
  });
  const read = useRef(waiting);
  const { refetch } = calls;
  useEffect(() => {
    if (read.current !== undefined && read.current !== waiting) void refetch();
    read.current = waiting;
  }, [waiting, refetch]);
  const of = badge.isError && !badge.data ? badge : calls;
  return {
    items: calls.data?.pages.flatMap((page) => page.items) ?? [], isPending: of.isPending, isLoadingError: of.isLoadingError, error: of.error, refetch: of.refetch,
    more: calls.hasNextPage ? { load: () => void calls.fetchNextPage(), busy: calls.isFetchingNextPage } : undefined,
  };
}

/** How many wait; `more`: and others that are not counted here. */
export function useApprovalCount(): { count: number; more: boolean } {
  const badge = useApprovalBadge().data;
  return { count: badge?.items.length ?? 0, more: Boolean(badge?.next_cursor) };
}

/** What a window shows that shows the call to whoever decides. */
export function shownApproval(id: string): string {
  return `approval ${id}`;
}

/** Notifies of what begins to wait while the page is there, whichever run it is of; what waited before is not news. One window of the browser does (`tells`), and only of what no window shows. */
export function useApprovalNotices(tells: boolean): void {
  const { t } = useTranslation();
  const user = useSession().user.id;
  const items = useApprovalBadge().data?.items;
  const before = useRef<ReadonlySet<string> | null>(null);
  useEffect(() => {
    if (!items) return;
    const fresh = before.current === null ? [] : items.filter((a) => !before.current?.has(a.id));
    before.current = new Set(items.map((a) => a.id));
    if (!tells || fresh.length === 0) return;
    void unseen(fresh.map((a) => shownApproval(a.id))).then((names) => {
      const told = fresh.filter((a) => names.includes(shownApproval(a.id)));
      if (told.length > 0) notify(user, told.map((a) => a.id).join(' '), t('notify.waiting'), [...new Set(told.map((a) => a.tool))].join(', '), '/approvals');
    });
  }, [items, t, tells, user]);
}
