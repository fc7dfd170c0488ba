import { Eye, Workflow } from 'lucide-react';
import { useTranslation } from 'react-i18next';
import { Link } from 'react-router';
import type { SchemaAgentView, SchemaFlow } from '../../api/schema';
import { useFormat } from '../../i18n/format';
import { IconButton } from '../../ui/Button';
import { Badge, EmptyState } from '../../ui/Layout';
import { ReadNotice } from '../../ui/Notice';
import { Table } from '../../ui/Table';
import type { useFlows } from './data';
import { texts } from './graph';

/** The caller's newest runs; each can be shown in the picture, from its beginning. */
export function RecentFlows({ flows, agents, shown, onShow }: { flows: ReturnType<typeof useFlows>; agents: ReadonlyMap<string, SchemaAgentView>; shown: string | null; onShow: (flow: SchemaFlow) => void }) {
  const { t } = useTranslation();
  const format = useFormat();
  if (flows.isLoadingError) return <ReadNotice of={flows} />;
  return (
    <>
      <ReadNotice of={flows} />
      <Table<SchemaFlow>
        caption={t('team.flows.title')} rows={flows.data?.flows ?? []} rowKey={(f) => f.flow_id} loading={flows.isPending}
        empty={<EmptyState icon={<Workflow size={32} />} title={t('team.flows.none')} action={<Link to="/">{t('team.flows.ask')}</Link>}>{t('team.flows.noneText')}</EmptyState>}
        columns={[
          { key: 'when', header: t('team.flows.began'), cell: (f) => <Link to={`/runs/${encodeURIComponent(f.flow_id)}`}>{format.moment(f.started_at)}</Link> },
          { key: 'team', header: t('team.flows.team'), cell: (f) => f.team, secondary: true },
          { key: 'status', header: t('team.flows.status'), cell: (f) => <FlowStatus status={f.status} /> },
          { key: 'agents', header: t('team.flows.agents'), cell: (f) => texts(f.agents).map((a) => agents.get(a)?.role ?? a).join(', '), secondary: true },
          { key: 'took', header: t('team.flows.took'), numeric: true, cell: (f) => f.ended_at ? format.duration(new Date(f.ended_at).getTime() - new Date(f.started_at).getTime()) : '…' },
          { key: 'show', header: t('team.flows.show'), cell: (f) => <IconButton size="s" label={t('team.flows.showIt', { time: format.moment(f.started_at) })} pressed={shown === f.flow_id} onClick={() => { onShow(f); }}><Eye size={16} aria-hidden /></IconButton> },
        ]}
      />
    </>
  );
}

const statuses = ['queued', 'running', 'waiting_approval', 'waiting_input', 'waiting_children', 'waiting_timer', 'needs_review', 'completed', 'failed', 'cancelled'] as const;

export function FlowStatus({ status }: { status: string }) {
  const { t } = useTranslation();
  const known = statuses.find((s) => s === status);
  const tone = status === 'completed' ? 'success' : status === 'failed' ? 'danger' : status === 'cancelled' ? 'neutral' : status === 'running' || status === 'queued' ? 'info' : 'warning';
  return <Badge tone={tone}>{known ? t(`team.runStatus.${known}`) : status}</Badge>;
}
