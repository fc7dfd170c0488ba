import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { useEffect, useRef } from 'react';
import { useTranslation } from 'react-i18next';
import { api, data } from '../api/client';
import { notificationsAreOn, notify } from './notifications';
import { useSession } from './session';
import { unseen } from './windows';

/** That approvals wait, and of which tools; those that this user may decide. What exactly would run is not asked for: with others' calls that is written down each time. */
function useApprovalBadge() {
  const { can } = useSession();
  return useQuery({
    queryKey: ['approvals', 'badge'],
    queryFn: () => data(api.GET('/api/v1/approvals', { params: { query: { status: 'pending', view: 'badge', limit: 200 } } })),
    enabled: can('approvals:decide'),
    refetchInterval: 15_000,
    refetchIntervalInBackground: notificationsAreOn(),
  });
}

/** What waits, with the exact calls, for the page that shows them: read when it is opened and when something else waits. */
export function useWaitingApprovals() {
  const badge = useApprovalBadge();
  const waiting = badge.data?.items.map((a) => a.id).join(' ');
  const calls = useQuery({
    queryKey: ['approvals', 'pending', waiting],
    queryFn: () => data(api.GET('/api/v1/approvals', { params: { query: { status: 'pending', limit: 200 } } })),
    enabled: waiting !== undefined,
    placeholderData: keepPreviousData,
    refetchOnWindowFocus: false,
  });
  return badge.isError && !badge.data ? badge : calls;
}

export function useApprovalCount(): number {
  return useApprovalBadge().data?.items.length ?? 0;
}

/** What a window shows that shows the call to whoever decides. */
export function shownApproval(id: string): string {
  return `approval ${id}`;
}

/** Notifies of what begins to wait while the page is there, whichever run it is of; what waited before is not news. One window of the browser does (`tells`), and only of what no window shows. */
export function useApprovalNotices(tells: boolean): void {
  const { t } = useTranslation();
  const items = useApprovalBadge().data?.items;
  const before = useRef<ReadonlySet<string> | null>(null);
  useEffect(() => {
    if (!items) return;
    const fresh = before.current === null ? [] : items.filter((a) => !before.current?.has(a.id));
    before.current = new Set(items.map((a) => a.id));
    if (!tells || fresh.length === 0) return;
    void unseen(fresh.map((a) => shownApproval(a.id))).then((names) => {
      const told = fresh.filter((a) => names.includes(shownApproval(a.id)));
      if (told.length > 0) notify(told.map((a) => a.id).join(' '), t('notify.waiting'), [...new Set(told.map((a) => a.tool))].join(', '), '/approvals');
    });
  }, [items, t, tells]);
}
