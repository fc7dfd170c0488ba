import { Pencil } from 'lucide-react';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { Link, useParams } from 'react-router';
import type { SchemaAgentView } from '../../api/schema';
import { Problem } from '../../api/problem';
import { NotForYou } from '../../app/NotForYou';
import { useSession } from '../../app/session';
import { useFormat } from '../../i18n/format';
import { Button } from '../../ui/Button';
import { Badge, Card, EmptyState, Facts, Loading, Page } from '../../ui/Layout';
import { Notice, ReadNotice, TraceId } from '../../ui/Notice';
import { AgentDialog } from './AgentForm';
import { AgentStatusBadge, share, Tier } from './AgentTable';
import { useAgent, useStatuses } from './data';
import { cachePolicies } from './definitions';
import { texts } from './graph';
import { RemoveMenu } from './RemoveMenu';
import styles from './TeamPage.module.css';

/** One agent: what it is told, what it can do, where it works and how it does. */
export default function AgentPage() {
  const { t } = useTranslation();
  return useSession().can('agents:read') ? <OneAgent /> : <NotForYou title={t('nav.team')} />;
}

function OneAgent() {
  const { t } = useTranslation();
  const { can } = useSession();
  const { name = '' } = useParams();
  const agent = useAgent(name);
  const [editing, setEditing] = useState(false);
  const back = <Link className={styles.back} to="/team">{t('team.back')}</Link>;
  if (agent.isPending) return <Page title={name} intro={back}><Loading label={t('state.loading')} /></Page>;
  const gone = agent.error instanceof Problem && agent.error.status === 404 ? agent.error : null;
  // Gone while somebody edits it: what they typed stays theirs, to be copied.
  if (gone && !(editing && agent.data)) return <Page title={name} intro={back}><EmptyState title={t('team.noAgent', { name })} action={<Link to="/team">{t('nav.team')}</Link>}>{t('team.noAgentText')}<TraceId of={gone} /></EmptyState></Page>;
  if (agent.isLoadingError) return <Page title={name} intro={back}><ReadNotice of={agent} /></Page>;
  const { value, etag } = agent.data;
  const actions = can('agents:write') ? (
    <>
      <Button icon={<Pencil size={16} aria-hidden />} onClick={() => { setEditing(true); }}>{t('action.edit')}</Button>
      {value.source === 'api' ? <RemoveMenu kind="agent" name={value.name} etag={etag} /> : null}
    </>
  ) : undefined;
  return (
    <Page title={`${value.avatar} ${value.role}`} intro={<>{value.description} {back}</>} actions={actions}>
      <ReadNotice of={agent} />
      <Statistics agent={value} />
      <Tools agent={value} />
      <Prompt agent={value} />
      {editing ? <AgentDialog open onClose={() => { setEditing(false); }} onSaved={() => undefined} agent={agent.data} /> : null}
    </Page>
  );
}

function Statistics({ agent }: { agent: SchemaAgentView }) {
  const { t } = useTranslation();
  const format = useFormat();
  const statuses = useStatuses();
  const did = statuses.data?.agents.find((s) => s.name === agent.name);
  const policy = cachePolicies.find((x) => x === agent.cache);
  return (
    <Card title={t('team.about')}>
      <ReadNotice of={statuses} />
      <Facts items={[
        [t('team.name'), <code key="name">{agent.name}</code>],
        [t('team.status'), <AgentStatusBadge key="status" status={did?.status} />],
        [t('team.answers'), format.number(did?.message_count ?? 0)],
        [t('team.success'), share(did?.success_rate, format.percent)],
        [t('team.last'), did?.last_activity ? format.moment(did.last_activity) : t('team.never')],
        [t('team.tier'), <Tier key="tier" agent={agent} />],
        agent.temperature === null || agent.temperature === undefined ? null : [t('team.temperature'), format.number(agent.temperature)],
        [t('team.form.cache'), t(`team.caches.${policy ?? 'own'}`)],
        [t('team.specialist'), t(agent.specialist ? 'team.yes' : 'team.no')],
        [t('team.source'), t(agent.source === 'api' ? 'team.fromApi' : 'team.fromFile')],
        [t('team.version'), <code key="version">{agent.version}</code>],
        [t('team.teams'), <ul key="teams" className={styles.names}>{texts(agent.teams).map((name) => <li key={name}><Link to={`/team/teams/${encodeURIComponent(name)}`}>{name}</Link></li>)}</ul>],
      ]}
      />
    </Card>
  );
}

function Tools({ agent }: { agent: SchemaAgentView }) {
  const { t } = useTranslation();
  const missing = texts(agent.missing_tools);
  const list = (names: readonly string[]) => names.length === 0 ? t('team.none') : <ul className={styles.names}>{names.map((name) => <li key={name}><Badge tone={missing.includes(name) ? 'warning' : 'neutral'}>{name}{missing.includes(name) ? ` · ${t('team.isMissing')}` : ''}</Badge></li>)}</ul>;
  return (
    <Card title={t('team.tools')}>
      {missing.length > 0 ? <Notice tone="warning" title={t('team.missingTitle', { count: missing.length })}><div>{t('team.missingText')}</div></Notice> : null}
      <Facts items={[
        [t('team.tools'), list(texts(agent.tools))],
        [t('team.planned'), list(texts(agent.planned_tools))],
        [t('team.capabilities'), list(texts(agent.capabilities))],
      ]}
      />
    </Card>
  );
}

function Prompt({ agent }: { agent: SchemaAgentView }) {
  const { t } = useTranslation();
  return (
    <Card title={t('team.prompt')}>
      {agent.instructions === null || agent.instructions === undefined ? <p className={styles.subtle}>{t('team.promptHidden')}</p> : <pre className={styles.prompt} tabIndex={0} aria-label={t('team.prompt')}>{agent.instructions}</pre>}
      {agent.output_schema ? <><h3>{t('team.schema')}</h3><pre className={styles.prompt} tabIndex={0} aria-label={t('team.schema')}>{JSON.stringify(agent.output_schema, null, 2)}</pre></> : null}
    </Card>
  );
}
