import { List, Network, Plus } from 'lucide-react';
import { useEffect, useMemo, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { Link, useNavigate, useSearchParams } from 'react-router';
import type { SchemaAgentView, SchemaTeamView } from '../../api/schema';
import { NotForYou } from '../../app/NotForYou';
import { useSession } from '../../app/session';
import { useFormat } from '../../i18n/format';
import { Button, IconButton } from '../../ui/Button';
import { Select } from '../../ui/Field';
import { Badge, Card, EmptyState, Loading, Page } from '../../ui/Layout';
import { ErrorNotice, Notice } from '../../ui/Notice';
import { Said } from '../../ui/Said';
import { nothing, withWaiting } from './activity';
import { AgentDialog } from './AgentForm';
import { AgentTable } from './AgentTable';
import { useAgents, useFlows, useTeams } from './data';
import { edgesOf, shapeOf } from './graph';
import { useLiveActivity } from './live';
import { ConnectionBadge, LiveFeed } from './LiveFeed';
import { RecentFlows } from './RecentFlows';
import { TeamDialog } from './TeamForm';
import { TeamGraph, TeamList } from './TeamGraph';
import styles from './TeamPage.module.css';

/** The agents, who may give work to whom, and the work as it flows. */
export default function TeamPage() {
  const { t } = useTranslation();
  return useSession().can('agents:read') ? <Teams /> : <NotForYou title={t('nav.team')} />;
}

function Teams() {
  const { t } = useTranslation();
  const { can } = useSession();
  const navigate = useNavigate();
  const [making, setMaking] = useState<'agent' | 'team' | null>(null);
  const [agents, teams] = [useAgents(), useTeams()];
  const failed = agents.error ?? teams.error;
  const actions = can('agents:write') ? <><Button icon={<Plus size={16} aria-hidden />} onClick={() => { setMaking('agent'); }}>{t('team.newAgent')}</Button><Button icon={<Plus size={16} aria-hidden />} onClick={() => { setMaking('team'); }}>{t('team.newTeam')}</Button></> : undefined;
  return (
    <Page title={t('nav.team')} intro={t('team.intro')} actions={actions} wide>
      {failed ? <ErrorNotice error={failed} retry={() => { void agents.refetch(); void teams.refetch(); }} /> : null}
      {!failed && (agents.isPending || teams.isPending) ? <Loading label={t('state.loading')} /> : null}
      {agents.data && teams.data ? <Team agents={agents.data.items} teams={teams.data} problems={agents.data.problems} /> : null}
      <AgentDialog open={making === 'agent'} onClose={() => { setMaking(null); }} onSaved={(name) => void navigate(`/team/agents/${encodeURIComponent(name)}`)} />
      <TeamDialog open={making === 'team'} onClose={() => { setMaking(null); }} onSaved={(name) => void navigate(`/team/teams/${encodeURIComponent(name)}`)} />
    </Page>
  );
}

function Team({ agents, teams, problems }: { agents: readonly SchemaAgentView[]; teams: readonly SchemaTeamView[]; problems: readonly { source: string; key: string; message: string; severity: string }[] }) {
  const { t } = useTranslation();
  const { ended, can } = useSession();
  const [search, setSearch] = useSearchParams();
  const [only, setOnly] = useState<string | null>(null);
  const { state: told, connection, onArrived } = useLiveActivity(only, ended || !can('chat:read'));
  const flows = useFlows(can('chat:read'));
  const { refetch } = flows;
  const { state, waiting } = useMemo(() => withWaiting(told, flows.data?.flows ?? []), [told, flows.data]);
  // A run that begins or ends is listed at once.
  useEffect(() => { if (told.flows !== nothing.flows) void refetch(); }, [told.flows, refetch]);
  // One that waits and is heard of again may have been decided. What others do says nothing of it.
  const heard = told.feed.find((h) => waiting.has(h.flowId))?.id;
  useEffect(() => { if (heard !== undefined) void refetch({ cancelRefetch: false }); }, [heard, refetch]);
  const byName = useMemo(() => new Map(agents.map((a) => [a.name, a])), [agents]);
  const team = teams.find((x) => x.name === search.get('team')) ?? teams.find((x) => x.is_default) ?? teams[0];
  if (!team) return <EmptyState title={t('team.noTeam')}>{t('team.noTeamText')}</EmptyState>;
  const choose = (name: string) => { setSearch({ team: name }, { replace: true }); };
  return (
    <>
      {problems.length > 0 && can('agents:write') ? <Notice tone="warning" title={t('team.problems', { count: problems.length })}><ul className={styles.problems}>{problems.slice(0, 10).map((p) => <li key={p.key + p.message}><code>{p.key}</code> <Said text={p.message} /></li>)}</ul></Notice> : null}
      <div className={styles.split}>
        <TeamCard team={team} teams={teams} byName={byName} choose={choose} state={state} onArrived={onArrived} />
        <Card title={t('team.live.title')} actions={can('chat:read') ? <ConnectionBadge connection={connection} working={state.flows.size - waiting.size} waiting={waiting.size} /> : undefined}>
          {only === null ? null : <Notice action={<Button size="s" onClick={() => { setOnly(null); }}>{t('team.live.all')}</Button>}>{t('team.live.only')}</Notice>}
          <LiveFeed activity={state} agents={byName} />
        </Card>
      </div>
      {can('chat:read') ? (
        <Card title={t('team.flows.title')}>
          <RecentFlows
            flows={flows} agents={byName} shown={only}
            onShow={(flow) => {
              setOnly(only === flow.flow_id ? null : flow.flow_id);
              if (teams.some((x) => x.name === flow.team)) choose(flow.team);
              document.getElementById('main')?.scrollTo({ top: 0 });
            }}
          />
        </Card>
      ) : null}
      <Card title={t('team.agents')}><AgentTable agents={agents} /></Card>
    </>
  );
}

interface TeamCardProps {
  team: SchemaTeamView;
  teams: readonly SchemaTeamView[];
  byName: ReadonlyMap<string, SchemaAgentView>;
  choose: (name: string) => void;
  state: ReturnType<typeof useLiveActivity>['state'];
  onArrived: (id: number) => void;
}

function TeamCard({ team, teams, byName, choose, state, onArrived }: TeamCardProps) {
  const { t } = useTranslation();
  const format = useFormat();
  const [asList, setAsList] = useState(() => typeof matchMedia === 'function' && matchMedia('(max-width: 720px)').matches);
  const shape = useMemo(() => shapeOf(team), [team]);
  const edges = useMemo(() => edgesOf(shape, [...byName.values()].filter((a) => a.specialist).map((a) => a.name)), [shape, byName]);
  return (
    <Card>
      <div className={styles.bar}>
        <Select label={t('team.team')} value={team.name} onChange={(e) => { choose(e.target.value); }} options={teams.map((x) => ({ value: x.name, label: x.is_default ? t('team.isDefault', { name: x.name }) : x.name }))} />
        <div className={styles.views} role="group" aria-label={t('team.view')}>
          <IconButton label={t('team.asGraph')} pressed={!asList} onClick={() => { setAsList(false); }}><Network size={18} aria-hidden /></IconButton>
          <IconButton label={t('team.asList')} pressed={asList} onClick={() => { setAsList(true); }}><List size={18} aria-hidden /></IconButton>
        </div>
      </div>
      <p>{team.description} <Link to={`/team/teams/${encodeURIComponent(team.name)}`}>{t('team.openTeam')}</Link></p>
      <div className={styles.legend}>
        <Badge tone="accent">{t(`team.patterns.${patternOf(team.pattern)}`)}</Badge>
        <span>{t('team.members', { count: shape.agents.length })}, {t('team.waysCount', { count: edges.length })}</span>
        {(['delegation', 'handoff', 'flow'] as const).filter((kind) => edges.some((e) => e.kind === kind)).map((kind) => <span key={kind} className={styles.key}><svg width="28" height="8" aria-hidden><line x1="0" y1="4" x2="28" y2="4" data-kind={kind} /></svg>{t(`team.kinds.${kind}`)} ({format.number(edges.filter((e) => e.kind === kind).length)})</span>)}
      </div>
      {asList ? <TeamList team={shape} edges={edges} agents={byName} activity={state} /> : <TeamGraph team={shape} edges={edges} agents={byName} activity={state} onArrived={onArrived} label={t('team.graphLabel', { name: team.name })} />}
    </Card>
  );
}

const known = ['direct', 'handoff', 'sequential', 'concurrent', 'group_chat', 'plan'] as const;

export function patternOf(pattern: string): (typeof known)[number] {
  return known.find((p) => p === pattern) ?? 'direct';
}
