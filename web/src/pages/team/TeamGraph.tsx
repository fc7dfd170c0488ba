import { useEffect, useId, useMemo, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { Link } from 'react-router';
import type { SchemaAgentView } from '../../api/schema';
import type { ActivityState, Doing, Pulse } from './activity';
import { layoutOf, node, pathOf, type Edge, type TeamShape } from './graph';
import styles from './TeamGraph.module.css';

interface GraphProps {
  team: TeamShape;
  edges: readonly Edge[];
  agents: ReadonlyMap<string, SchemaAgentView>;
  activity: ActivityState;
  onArrived: (id: number) => void;
  label: string;
}

/** The team as a picture: boxes are links, lines the ways that work may take. What one points at or focuses brings out its own lines. */
export function TeamGraph({ team, edges, agents, activity, onArrived, label }: GraphProps) {
  const { t } = useTranslation();
  const arrow = useId();
  const [focus, setFocus] = useState<string | null>(null);
  const layout = useMemo(() => layoutOf(team, edges), [team, edges]);
  const at = useMemo(() => new Map(layout.places.map((p) => [p.name, p])), [layout]);
  const busyWays = new Set(activity.pulses.map((p) => `${p.from}>${p.to}`));
  return (
    <div className={styles.scroll} tabIndex={0} role="group" aria-label={label}>
      <div className={styles.canvas} style={{ width: layout.width, height: layout.height }} data-focused={focus !== null || undefined}>
        <svg width={layout.width} height={layout.height} aria-hidden>
          <defs><marker id={arrow} viewBox="0 0 8 8" refX="8" refY="4" markerWidth="8" markerHeight="8" markerUnits="userSpaceOnUse" orient="auto"><path d="M0 0 L8 4 L0 8 Z" className={styles.arrow} /></marker></defs>
          {edges.map((e) => {
            const [from, to] = [at.get(e.from), at.get(e.to)];
            if (!from || !to) return null;
            return <path key={`${e.kind}:${e.from}>${e.to}`} className={styles.edge} data-kind={e.kind} data-way={`${e.from}>${e.to}`} data-mine={focus === e.from || focus === e.to || undefined} data-busy={busyWays.has(`${e.from}>${e.to}`) || undefined} markerEnd={`url(#${arrow})`} d={pathOf(from, to)} />;
          })}
          {activity.pulses.map((p) => <Light key={p.id} pulse={p} path={wayOf(p, at)} onArrived={onArrived} />)}
        </svg>
        <ul>
          {layout.places.map((p) => {
            const agent = agents.get(p.name);
            const doing = activity.doing.get(p.name);
            return (
              <li key={p.name} style={{ left: p.x, top: p.y, width: node.width, height: node.height }}>
                <Link
                  to={`/team/agents/${encodeURIComponent(p.name)}`} className={styles.node} data-mood={doing?.mood} data-entry={p.name === team.entry || undefined} title={agent?.description}
                  onMouseEnter={() => { setFocus(p.name); }} onMouseLeave={() => { setFocus(null); }} onFocus={() => { setFocus(p.name); }} onBlur={() => { setFocus(null); }}
                >
                  <span className={styles.avatar} aria-hidden>{agent?.avatar ?? p.name.slice(0, 1)}</span>
                  <span className={styles.words}>
                    <span className={styles.role}>{agent?.role ?? p.name}</span>
                    <span className={styles.state}>{doing ? t(`team.mood.${doing.mood}`) : p.name === team.entry ? t('team.entry') : agent ? tierName(agent.tier, t) : t('team.unknownAgent')}</span>
                  </span>
                </Link>
              </li>
            );
          })}
        </ul>
      </div>
    </div>
  );
}

function tierName(tier: string, t: ReturnType<typeof useTranslation>['t']): string {
  switch (tier) {
    case 'cheap': return t('team.tiers.cheap');
    case 'premium': return t('team.tiers.premium');
    case 'fixed': return t('team.tiers.fixed');
    default: return t('team.tiers.standard');
  }
}

function wayOf(pulse: Pulse, at: ReadonlyMap<string, { name: string; x: number; y: number }>): string | null {
  const [from, to] = [at.get(pulse.from), at.get(pulse.to)];
  return from && to ? pathOf(from, to) : null;
}

/** Work on its way. Without motion the line itself is lit instead, for as long. */
function Light({ pulse, path, onArrived }: { pulse: Pulse; path: string | null; onArrived: (id: number) => void }) {
  useEffect(() => {
    const timer = setTimeout(() => { onArrived(pulse.id); }, 1_600);
    return () => { clearTimeout(timer); };
  }, [pulse.id, onArrived]);
  return path === null ? null : <circle r={5} className={styles.light} style={{ offsetPath: `path('${path}')` }} />;
}

/** The same as a list: for narrow screens, for screen readers, and for those who rather read. */
export function TeamList({ team, edges, agents, activity }: Omit<GraphProps, 'onArrived' | 'label'>) {
  const { t } = useTranslation();
  const nameOf = (name: string) => agents.get(name)?.role ?? name;
  return (
    <ul className={styles.list}>
      {team.agents.map((name) => {
        const agent = agents.get(name);
        const doing = activity.doing.get(name);
        const kinds = (['delegation', 'handoff', 'flow'] as const).map((kind) => ({ kind, to: edges.filter((e) => e.from === name && e.kind === kind).map((e) => nameOf(e.to)) })).filter((k) => k.to.length > 0);
        return (
          <li key={name} data-mood={doing?.mood}>
            <div><Link to={`/team/agents/${encodeURIComponent(name)}`}><span aria-hidden>{agent?.avatar} </span>{nameOf(name)}</Link>{name === team.entry ? <span className={styles.state}> · {t('team.entry')}</span> : null}{doing ? <NowDoing doing={doing} /> : null}</div>
            {agent ? <div className={styles.state}>{agent.description}</div> : null}
            {kinds.map(({ kind, to }) => <div key={kind} className={styles.ways}>{t(`team.ways.${kind}`, { names: to.join(', ') })}</div>)}
          </li>
        );
      })}
    </ul>
  );
}

function NowDoing({ doing }: { doing: Doing }) {
  const { t } = useTranslation();
  return <span className={styles.now}> · {t(`team.mood.${doing.mood}`)}</span>;
}
