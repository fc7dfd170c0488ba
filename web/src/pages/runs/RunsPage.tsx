import { Share2, Waypoints, X } from 'lucide-react';
import { useTranslation } from 'react-i18next';
import { Link, useSearchParams } from 'react-router';
import { saidLine } from '../../api/said';
import { useSession } from '../../app/session';
import { failureText } from '../../chat/failures';
import { useFormat } from '../../i18n/format';
import { Button } from '../../ui/Button';
import { Checkbox, Select } from '../../ui/Field';
import { Badge, EmptyState, Page } from '../../ui/Layout';
import { Notice, ReadNotice } from '../../ui/Notice';
import { Table } from '../../ui/Table';
import { everybody, filterNames, filtersOf, statuses, useAgentNames, useRuns, useUserNames, withFilter, type Filters, type Run } from './data';
import { StatusBadge } from './Status';
import styles from './RunsPage.module.css';

export default function RunsPage() {
  const { t } = useTranslation();
  const { me, user } = useSession();
  const [params, setParams] = useSearchParams();
  const read = filtersOf(params);
  const isForeign = read.user !== '' && read.user !== user.id;
  const filters = isForeign ? { ...read, shared: '' } : read; // one sees what oneself shares
  const list = useRuns(filters, isForeign && me.permissions.includes('content:read'));
  const rows = list.data?.pages.flatMap((p) => p.items) ?? [];
  const set = (name: keyof Filters, value: string) => { setParams(withFilter(params, name, value), { replace: true }); };
  const clear = () => { setParams(filterNames.reduce((now, name) => withFilter(now, name, ''), params), { replace: true }); };
  const isFiltered = filterNames.some((name) => filters[name] !== '');
  return (
    <Page title={t('runs.title')} tab={isForeign ? `${t('runs.title')} – ${read.user === '*' ? t('runs.everybody') : read.user}` : t('runs.title')} intro={t('runs.intro')} wide>
      <FilterBar filters={filters} isForeign={isForeign} onChange={set} {...(isFiltered && { onClear: clear })} />
      {isForeign && rows.length > 0 && rows.every((r) => r.owner_id === user.id || (!r.answer && !r.title)) ? <Notice>{t('runs.hiddenList')}</Notice> : null}
      <ReadNotice of={list} />
      {list.isLoadingError ? null : (
        <RunTable
          rows={rows} withOwner={isForeign} loading={list.isPending} {...(list.hasNextPage && { more: { load: () => void list.fetchNextPage(), busy: list.isFetchingNextPage } })}
          empty={isFiltered
            ? <EmptyState icon={<Waypoints size={28} />} title={t('runs.noneFound')} action={<Button onClick={clear}>{t('runs.clear')}</Button>}>{t('runs.noneFoundText')}</EmptyState>
            : <EmptyState icon={<Waypoints size={28} />} title={t('runs.none')} action={<Link to="/">{t('runs.ask')}</Link>}>{t('runs.noneText')}</EmptyState>}
        />
      )}
    </Page>
  );
}

function FilterBar({ filters, isForeign, onChange, onClear }: { filters: Filters; isForeign: boolean; onChange: (name: keyof Filters, value: string) => void; onClear?: () => void }) {
  const { t } = useTranslation();
  const { user, can } = useSession();
  const agents = useAgentNames();
  const isAdmin = user.role === 'admin' && can('users:read');
  const users = useUserNames(isAdmin);
  const withKnown = (names: readonly string[], chosen: string) => chosen === '' || names.includes(chosen) ? names : [...names, chosen];
  const others = [...users.data ?? []].filter(([id]) => id !== user.id);
  const people = others.map(([id, name]) => ({ value: id, label: name }));
  if (filters.user !== '' && filters.user !== everybody && filters.user !== user.id && !users.data?.has(filters.user)) people.push({ value: filters.user, label: filters.user });
  return (
    <div className={styles.filters} role="search" aria-label={t('runs.filters')}>
      <Select label={t('runs.state')} value={filters.status} onChange={(e) => { onChange('status', e.target.value); }} options={[{ value: '', label: t('runs.any') }, ...statuses.map((s) => ({ value: s, label: t(`runs.status.${s}`) }))]} />
      <Select label={t('runs.agent')} value={filters.agent} onChange={(e) => { onChange('agent', e.target.value); }} options={[{ value: '', label: t('runs.anyAgent') }, ...withKnown(agents.data ?? [], filters.agent).map((name) => ({ value: name, label: name }))]} />
      {isAdmin ? <Select label={t('runs.user')} value={filters.user === user.id ? '' : filters.user} onChange={(e) => { onChange('user', e.target.value); }} options={[{ value: '', label: t('runs.mine') }, { value: everybody, label: t('runs.everybody') }, ...people]} /> : null}
      {isForeign ? null : <Checkbox label={t('runs.onlyShared')} checked={filters.shared !== ''} onChange={(e) => { onChange('shared', e.target.checked ? 'true' : ''); }} />}
      {filters.conversation ? <Button icon={<X size={15} aria-hidden />} onClick={() => { onChange('conversation', ''); }}>{t('runs.oneConversation')}</Button> : null}
      {onClear ? <Button kind="ghost" onClick={onClear}>{t('runs.clear')}</Button> : null}
    </div>
  );
}

function RunTable({ rows, withOwner, loading, empty, more }: { rows: readonly Run[]; withOwner: boolean; loading: boolean; empty: React.ReactNode; more?: { load: () => void; busy: boolean } }) {
  const { t } = useTranslation();
  const format = useFormat();
  const { user } = useSession();
  const users = useUserNames(withOwner);
  return (
    <Table<Run>
      caption={t('runs.title')} rows={rows} rowKey={(r) => r.id} loading={loading} empty={empty} more={more}
      columns={[
        { key: 'run', header: t('runs.run'), cell: (r) => <RunCell run={r} /> },
        ...(withOwner ? [{ key: 'owner', header: t('runs.owner'), cell: (r: Run) => r.owner_id === user.id ? user.username : users.data?.get(r.owner_id) ?? r.owner_id }] : []),
        { key: 'status', header: t('runs.state'), cell: (r) => <StatusBadge status={r.status} />, secondary: true },
        { key: 'when', header: t('runs.started'), cell: (r) => <time dateTime={r.created_at} title={format.exact(r.created_at)} className={styles.when}>{format.ago(r.created_at)}</time>, secondary: true },
        { key: 'duration', header: t('runs.duration'), numeric: true, cell: (r) => r.ended_at ? format.duration(Date.parse(r.ended_at) - Date.parse(r.created_at)) : '', secondary: 'wide' },
        { key: 'tokens', header: t('runs.tokens'), numeric: true, cell: (r) => format.compact((r.tree_usage ?? r.usage).input_tokens + (r.tree_usage ?? r.usage).output_tokens), secondary: 'wide' },
        { key: 'cost', header: t('runs.cost'), numeric: true, cell: (r) => format.money(String(r.tree_cost_usd)) },
      ]}
    />
  );
}

/** The question names a run best; where it is hidden or gone, what came of it, and else who worked. */
function RunCell({ run }: { run: Run }) {
  const { t } = useTranslation();
  const format = useFormat();
  const why = run.reason && run.status === 'failed' ? failureText(t, run.error_code ?? '', run.reason).text : saidLine(t, run.reason ?? '');
  const said = (run.title ?? run.answer?.text.replace(/[#*_`>|]+/g, '') ?? why).trim().slice(0, 160); // only an answer is Markdown
  const others = run.agents.map(String).filter((a) => a !== run.agent);
  return (
    <div className={styles.cell}>
      <Link to={`/runs/${run.id}`} dir="auto" className={styles.link}>{said || t('runs.by', { team: run.team, agent: run.agent })}</Link>
      {run.shared_at ? <span title={t('runs.sharedSince', { when: format.moment(run.shared_at) })}><Badge tone="info"><Share2 size={13} aria-hidden />{t('runs.shared')}</Badge></span> : null}
      <span className={styles.state}><StatusBadge status={run.status} /></span>
      <span className={styles.soft}>{[run.team, run.agent, ...others].join(' · ')}</span>
    </div>
  );
}
