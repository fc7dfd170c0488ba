import { useTranslation } from 'react-i18next';
import { Link } from 'react-router';
import type { SchemaAgentView } from '../../api/schema';
import type { Connection } from '../../chat/follow';
import { useFormat } from '../../i18n/format';
import { Badge } from '../../ui/Layout';
import type { ActivityState, Happening } from './activity';
import styles from './LiveFeed.module.css';

type Agents = ReadonlyMap<string, SchemaAgentView>;

/** The last things that happened, as sentences: what the picture shows, for everybody. */
export function LiveFeed({ activity, agents }: { activity: ActivityState; agents: Agents }) {
  const { t } = useTranslation();
  if (activity.feed.length === 0) return <p className={styles.none}>{t('team.live.quiet')}</p>;
  return (
    <ol className={styles.feed} tabIndex={0} aria-label={t('team.live.title')}>
      {activity.feed.map((h) => <Line key={h.id} happening={h} agents={agents} />)}
    </ol>
  );
}

function Line({ happening: h, agents }: { happening: Happening; agents: Agents }) {
  const { t } = useTranslation();
  const format = useFormat();
  const nameOf = (name: string) => agents.get(name)?.role ?? name;
  const who = h.kind === 'start' ? t('team.live.begins') : h.kind === 'end' ? t('team.live.ends')
    : h.target ? t('team.live.forwards', { from: nameOf(h.agent), to: nameOf(h.target) }) : t('team.live.does', { agent: nameOf(h.agent), mood: t(`team.mood.${h.mood ?? 'thinking'}`) });
  return (
    <li className={styles.line} data-kind={h.kind}>
      <span className={styles.who}>
        {h.kind === 'thought' ? who : <Link to={`/runs/${encodeURIComponent(h.flowId)}`}>{who}</Link>}
        {isTime(h.at) ? <time className={styles.time} dateTime={h.at}>{format.clock(h.at)}</time> : null}
      </span>
      {h.text ? <span dir="auto" className={styles.text}>{h.text}</span> : null}
    </li>
  );
}

function isTime(text: string): boolean {
  return text !== '' && !Number.isNaN(new Date(text).getTime());
}

export function ConnectionBadge({ connection, working, waiting }: { connection: Connection; working: number; waiting: number }) {
  const { t } = useTranslation();
  return (
    <span role="status">
      {connection === 'live' ? (
        <>
          {working > 0 || waiting === 0 ? <Badge tone={working > 0 ? 'info' : 'success'}>{working > 0 ? t('team.live.working', { count: working }) : t('team.live.connected')}</Badge> : null}
          {waiting > 0 ? <> <Badge tone="warning">{t('team.live.waiting', { count: waiting })}</Badge></> : null}
        </>
      )
        : connection === 'lost' ? <Badge tone="warning">{t('team.live.lost')}</Badge> : <Badge>{t('team.live.connecting')}</Badge>}
    </span>
  );
}
