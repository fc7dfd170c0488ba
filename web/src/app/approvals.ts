import { useQuery } from '@tanstack/react-query';
import { useEffect, useRef } from 'react';
import { useTranslation } from 'react-i18next';
import { api, data } from '../api/client';
import { notificationsAreOn, notifyOnce } from './notifications';
import { useSession } from './session';

/** Approvals that wait for somebody; those that this user may see. */
export function useWaitingApprovals() {
  const { can } = useSession();
  return useQuery({
    queryKey: ['approvals', 'pending'],
    queryFn: () => data(api.GET('/api/v1/approvals', { params: { query: { status: 'pending', limit: 200 } } })),
    enabled: can('chat:read'),
    refetchInterval: 15_000,
    refetchIntervalInBackground: notificationsAreOn(),
  });
}

export function useApprovalCount(): number {
  return useWaitingApprovals().data?.items.length ?? 0;
}

/** Notifies of what begins to wait while the page is there, whichever run it is of; what waited before is not news. */
export function useApprovalNotices(): void {
  const { t } = useTranslation();
  const items = useWaitingApprovals().data?.items;
  const before = useRef<ReadonlySet<string> | null>(null);
  useEffect(() => {
    if (!items) return;
    const fresh = before.current === null ? [] : items.filter((a) => !before.current?.has(a.id));
    before.current = new Set(items.map((a) => a.id));
    notifyOnce(fresh.map((a) => a.id), t('notify.waiting'), [...new Set(fresh.map((a) => a.tool))].join(', '), '/approvals');
  }, [items, t]);
}
