import { useTranslation } from 'react-i18next';
import { Link } from 'react-router';
import type { SchemaAgentView } from '../../api/schema';
import { useFormat } from '../../i18n/format';
import { Badge } from '../../ui/Layout';
import { Table } from '../../ui/Table';
import { useStatuses } from './data';
import { tiers } from './definitions';
import { texts } from './graph';

/** Agents with what they did so far; `equipped`: and with what they have to do it. */
export function AgentTable({ agents, equipped = false }: { agents: readonly SchemaAgentView[]; equipped?: boolean }) {
  const { t } = useTranslation();
  const format = useFormat();
  const statuses = useStatuses();
  const did = new Map((statuses.data?.agents ?? []).map((s) => [s.name, s]));
  return (
    <Table<SchemaAgentView>
      caption={t('team.agents')} rows={agents} rowKey={(a) => a.name}
      columns={[
        { key: 'agent', header: t('team.agent'), cell: (a) => <><span aria-hidden>{a.avatar} </span><Link to={`/team/agents/${encodeURIComponent(a.name)}`}>{a.role}</Link></> },
        { key: 'status', header: t('team.status'), cell: (a) => <AgentStatusBadge status={did.get(a.name)?.status} /> },
        ...(equipped ? [
          { key: 'tier', header: t('team.tier'), cell: (a: SchemaAgentView) => <Tier agent={a} /> },
          { key: 'tools', header: t('team.tools'), cell: (a: SchemaAgentView) => texts(a.tools).join(', ') || t('team.none') },
        ] : []),
        { key: 'missing', header: t('team.missing'), cell: (a) => texts(a.missing_tools).length > 0 ? <Badge tone="warning">{t('team.missingCount', { count: texts(a.missing_tools).length })}</Badge> : '–', secondary: true },
        { key: 'answers', header: t('team.answers'), numeric: true, cell: (a) => format.number(did.get(a.name)?.message_count ?? 0), secondary: true },
        { key: 'success', header: t('team.success'), numeric: true, cell: (a) => share(did.get(a.name)?.success_rate, format.percent), secondary: true },
        { key: 'last', header: t('team.last'), cell: (a) => {
          const last = did.get(a.name)?.last_activity;
          return last ? format.ago(last) : '–';
        } },
      ]}
    />
  );
}

/** How strong a model an agent has, and which, if it is always the same. */
export function Tier({ agent }: { agent: SchemaAgentView }) {
  const { t } = useTranslation();
  const tier = tiers.find((x) => x === agent.tier);
  return <>{tier ? t(`team.tiers.${tier}`) : agent.tier}{agent.model ? <> · <code>{agent.model}</code></> : null}</>;
}

export function share(value: number | null | undefined, percent: (v: number) => string): string {
  return value === null || value === undefined ? '–' : percent(value);
}

export function AgentStatusBadge({ status }: { status: string | undefined }) {
  const { t } = useTranslation();
  return status === 'active' ? <Badge tone="info">{t('team.active')}</Badge> : <Badge>{t('team.idle')}</Badge>;
}
