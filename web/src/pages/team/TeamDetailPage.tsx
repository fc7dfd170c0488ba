import { Pencil } from 'lucide-react';
import { useMemo, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { Link, useParams } from 'react-router';
import { Problem } from '../../api/problem';
import type { SchemaTeamView } from '../../api/schema';
import { NotForYou } from '../../app/NotForYou';
import { useSession } from '../../app/session';
import { useFormat } from '../../i18n/format';
import { Button } from '../../ui/Button';
import { Badge, Card, EmptyState, Facts, Loading, Page } from '../../ui/Layout';
import { ReadNotice, TraceId } from '../../ui/Notice';
import { nothing } from './activity';
import { AgentTable } from './AgentTable';
import { useAgents, useTeam } from './data';
import { limitNames } from './definitions';
import { edgesOf, shapeOf, texts } from './graph';
import { RemoveMenu } from './RemoveMenu';
import { TeamDialog } from './TeamForm';
import { TeamList } from './TeamGraph';
import { patternOf } from './TeamPage';
import styles from './TeamPage.module.css';

/** One team: who is in it, how it works together, and what stops it. */
export default function TeamDetailPage() {
  const { t } = useTranslation();
  return useSession().can('agents:read') ? <OneTeam /> : <NotForYou title={t('nav.team')} />;
}

function OneTeam() {
  const { t } = useTranslation();
  const { can } = useSession();
  const { name = '' } = useParams();
  const team = useTeam(name);
  const [editing, setEditing] = useState(false);
  const back = <Link className={styles.back} to={`/team?team=${encodeURIComponent(name)}`}>{t('team.back')}</Link>;
  if (team.isPending) return <Page title={name} intro={back}><Loading label={t('state.loading')} /></Page>;
  const gone = team.error instanceof Problem && team.error.status === 404 ? team.error : null;
  // Gone while somebody edits it: what they typed stays theirs, to be copied.
  if (gone && !(editing && team.data)) return <Page title={name} intro={<Link className={styles.back} to="/team">{t('team.back')}</Link>}><EmptyState title={t('team.noSuchTeam', { name })} action={<Link to="/team">{t('nav.team')}</Link>}>{t('team.noAgentText')}<TraceId of={gone} /></EmptyState></Page>;
  if (team.isLoadingError) return <Page title={name} intro={back}><ReadNotice of={team} /></Page>;
  const { value, etag } = team.data;
  const actions = can('agents:write') ? (
    <>
      <Button icon={<Pencil size={16} aria-hidden />} onClick={() => { setEditing(true); }}>{t('action.edit')}</Button>
      {value.source === 'api' ? <RemoveMenu kind="team" name={value.name} etag={etag} /> : null}
    </>
  ) : undefined;
  return (
    <Page title={value.name} intro={<>{value.description} {back}</>} actions={actions}>
      <ReadNotice of={team} />
      <About team={value} />
      <Limits team={value} />
      <Members team={value} />
      {editing ? <TeamDialog open onClose={() => { setEditing(false); }} onSaved={() => undefined} team={team.data} /> : null}
    </Page>
  );
}

function AgentLink({ name }: { name: string }) {
  return <Link to={`/team/agents/${encodeURIComponent(name)}`}>{name}</Link>;
}

function About({ team }: { team: SchemaTeamView }) {
  const { t } = useTranslation();
  const pattern = patternOf(team.pattern);
  const members = texts(team.members);
  const person = (label: string, name: string | null | undefined): [string, React.ReactNode] | null => name ? [label, <AgentLink key={label} name={name} />] : null;
  return (
    <Card title={t('team.how')} actions={team.is_default ? <Badge tone="accent">{t('team.default')}</Badge> : undefined}>
      <p>{t(`team.patternText.${pattern}`)}</p>
      <Facts items={[
        [t('team.form.pattern'), t(`team.patterns.${pattern}`)],
        person(t('team.form.entry'), team.entry), person(t('team.form.writer'), team.writer), person(t('team.form.selector'), team.selector), person(t('team.form.coordinator'), team.coordinator),
        members.length > 0 ? [t('team.form.members'), <ol key="members" className={styles.names}>{members.map((m) => <li key={m}><AgentLink name={m} /></li>)}</ol>] : null,
        [t('team.source'), t(team.source === 'api' ? 'team.fromApi' : 'team.fromFile')],
      ]}
      />
    </Card>
  );
}

function Limits({ team }: { team: SchemaTeamView }) {
  const { t } = useTranslation();
  const format = useFormat();
  const given: Readonly<Record<string, unknown>> = { ...team.limits };
  const show = (name: (typeof limitNames)[number]): string => {
    const value = given[name];
    if (typeof value !== 'number') return '–';
    if (value === 0 && (name === 'max_tokens' || name === 'max_cost_usd')) return t('team.unlimited');
    return name === 'max_cost_usd' ? format.price(value) : name === 'max_wall_seconds' ? format.duration(value * 1000) : format.number(value);
  };
  return (
    <Card title={t('team.limits')}>
      <Facts items={[
        ...limitNames.map((name): [string, string] => [name === 'max_wall_seconds' ? t('team.limitTime') : name === 'max_cost_usd' ? t('team.limitCost') : t(`team.limit.${name}`), show(name)]),
        [t('team.form.max_parallel'), format.number(team.max_parallel)],
        team.pattern === 'group_chat' ? [t('team.form.max_rounds'), format.number(team.max_rounds)] : null,
      ]}
      />
    </Card>
  );
}

function Members({ team }: { team: SchemaTeamView }) {
  const { t } = useTranslation();
  const agents = useAgents();
  const byName = useMemo(() => new Map((agents.data?.items ?? []).map((a) => [a.name, a])), [agents.data]);
  const shape = useMemo(() => shapeOf(team), [team]);
  const edges = useMemo(() => edgesOf(shape, [...byName.values()].filter((a) => a.specialist).map((a) => a.name)), [shape, byName]);
  if (agents.isLoadingError) return <ReadNotice of={agents} />;
  return (
    <>
      <Card title={t('team.members', { count: shape.agents.length })}><ReadNotice of={agents} />{agents.isPending ? <Loading label={t('state.loading')} /> : <TeamList team={shape} edges={edges} agents={byName} activity={nothing} />}</Card>
      {agents.data ? <Card title={t('team.does')}><AgentTable equipped agents={shape.agents.flatMap((name) => byName.get(name) ?? [])} /></Card> : null}
    </>
  );
}
