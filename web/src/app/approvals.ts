import { useQuery } from '@tanstack/react-query';
import { api, data } from '../api/client';
import { useSession } from './session';

/** Approvals that wait for somebody; those that this user may see. */
export function useWaitingApprovals() {
  const { can } = useSession();
  return useQuery({
    queryKey: ['approvals', 'pending'],
    queryFn: () => data(api.GET('/api/v1/approvals', { params: { query: { status: 'pending', limit: 200 } } })),
    enabled: can('chat:read'),
    refetchInterval: 15_000,
  });
}

export function useApprovalCount(): number {
  return useWaitingApprovals().data?.items.length ?? 0;
}
