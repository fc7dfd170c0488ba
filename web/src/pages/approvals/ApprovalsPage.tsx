import { useInfiniteQuery } from '@tanstack/react-query';
import { Inbox } from 'lucide-react';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { Link } from 'react-router';
import { api, data } from '../../api/client';
import { parseExact } from '../../api/exact';
import type { SchemaApprovalView } from '../../api/schema';
import { useWaitingApprovals } from '../../app/approvals';
import { NotForYou } from '../../app/NotForYou';
import { useSession } from '../../app/session';
import { ApprovalCard } from '../../chat/Decisions';
import { useFormat } from '../../i18n/format';
import { Button } from '../../ui/Button';
import { Badge, EmptyState, Loading, Page } from '../../ui/Layout';
import { ReadNotice } from '../../ui/Notice';
import { Table } from '../../ui/Table';
import { Tabs } from '../../ui/Tabs';
import { useUserNames } from '../runs/data';
import styles from './ApprovalsPage.module.css';

/** What waits for a person, and what was decided. */
export default function ApprovalsPage() {
  const { t } = useTranslation();
  const [tab, setTab] = useState('waiting');
  if (!useSession().can('approvals:decide')) return <NotForYou title={t('nav.approvals')} />;
  return (
    <Page title={t('nav.approvals')} intro={t('approvals.intro')}>
      <Tabs label={t('nav.approvals')} value={tab} onChange={setTab} tabs={[{ value: 'waiting', label: t('approvals.waiting'), content: <Waiting /> }, { value: 'decided', label: t('approvals.decided'), content: <Decided /> }]} />
    </Page>
  );
}

function Waiting() {
  const { t } = useTranslation();
  const waiting = useWaitingApprovals();
  const ownerOf = useOwners(waiting.items.map((a) => a.owner_id));
  if (waiting.isPending) return <Loading label={t('state.loading')} />;
  if (waiting.isLoadingError) return <ReadNotice of={waiting} />;
  if (waiting.items.length === 0) return <><ReadNotice of={waiting} /><EmptyState icon={<Inbox size={32} />} title={t('approvals.none')}>{t('approvals.noneText')}</EmptyState></>;
  return (
    <>
      <ReadNotice of={waiting} />
      <ul className={styles.list}>
        {waiting.items.map((a) => (
          <li key={a.id}>
            <ApprovalCard approval={{ id: a.id, runId: a.run_id, agent: a.agent, tool: a.tool, arguments: parseExact(a.arguments_text), hash: a.arguments_hash, approver: a.approver, reason: a.reason, origin: a.target_origin ?? '', expiresAt: a.expires_at, owner: ownerOf(a.owner_id) }} />
            <p className={styles.run}><Link to={`/runs/${a.run_id}`}>{t('approvals.openRun')}</Link></p>
          </li>
        ))}
      </ul>
      {waiting.more ? <p className={styles.more}><Button busy={waiting.more.busy} onClick={waiting.more.load}>{t('action.more')}</Button></p> : null}
    </>
  );
}

function Decided() {
  const { t } = useTranslation();
  const format = useFormat();
  const list = useInfiniteQuery({
    queryKey: ['approvals', 'decided'],
    initialPageParam: '',
    queryFn: ({ pageParam }) => data(api.GET('/api/v1/approvals', { params: { query: { status: 'decided', limit: 50, ...(pageParam && { cursor: pageParam }) } } })),
    getNextPageParam: (page) => page.next_cursor ?? undefined,
  });
  const rows = list.data?.pages.flatMap((p) => p.items) ?? [];
  const ownerOf = useOwners(rows.flatMap((a) => [a.owner_id, a.decided_by ?? a.owner_id]));
  const { user } = useSession();
  if (list.isLoadingError) return <ReadNotice of={list} />;
  return (
    <>
      <ReadNotice of={list} />
      <Table<SchemaApprovalView>
        caption={t('approvals.decided')} rows={rows} rowKey={(a) => a.id} loading={list.isPending} empty={<EmptyState title={t('approvals.noneDecided')} />}
        more={list.hasNextPage ? { load: () => void list.fetchNextPage(), busy: list.isFetchingNextPage } : undefined}
        columns={[
          { key: 'tool', header: t('approvals.tool'), cell: (a) => <Link to={`/runs/${a.run_id}`}>{a.tool}</Link> },
          { key: 'agent', header: t('approval.agent'), cell: (a) => a.agent, secondary: true },
          ...(rows.some((a) => ownerOf(a.owner_id) !== '') ? [{ key: 'owner', header: t('approvals.owner'), cell: (a: SchemaApprovalView) => ownerOf(a.owner_id) || t('approvals.you'), secondary: true }] : []),
          { key: 'status', header: t('approvals.outcome'), cell: (a) => <Badge tone={a.status === 'approved' ? 'success' : a.status === 'denied' ? 'danger' : 'neutral'}>{t(`approvals.status.${outcome(a.status)}`)}</Badge> },
          { key: 'by', header: t('approvals.by'), cell: (a) => a.decided_by ? (a.decided_by === user.id ? t('approvals.you') : ownerOf(a.decided_by) || a.decided_by) : '', secondary: true },
          { key: 'reason', header: t('approvals.reason'), cell: (a) => a.decision_reason ?? '', secondary: true },
          { key: 'when', header: t('approvals.when'), cell: (a) => format.moment(a.decided_at ?? a.expires_at) },
        ]}
      />
    </>
  );
}

/** What somebody else is called; empty: it is one's own. Only administrators see what is others', and may ask for names. */
function useOwners(ids: readonly string[]): (id: string) => string {
  const { user, can } = useSession();
  const names = useUserNames(can('users:read') && ids.some((id) => id !== user.id));
  return (id) => id === user.id ? '' : names.data?.get(id) ?? id;
}

function outcome(status: string): 'approved' | 'denied' | 'expired' {
  return status === 'approved' || status === 'denied' ? status : 'expired';
}
