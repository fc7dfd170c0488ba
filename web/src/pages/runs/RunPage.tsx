import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useCallback, useEffect, useMemo, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { Link, useNavigate, useParams, useSearchParams } from 'react-router';
import { idempotencyKey } from '../../api/client';
import { Problem } from '../../api/problem';
import { runBegan } from '../../app/runNotices';
import { useSession } from '../../app/session';
import { useShown } from '../../app/windows';
import { CitedText } from '../../chat/Cite';
import { numbered, toCitations } from '../../chat/citations';
import { useRunEnd } from '../../chat/feed';
import { cutText } from '../../chat/failures';
import { isEnded, sourcesOf, type RunFold } from '../../chat/fold';
import { Markdown } from '../../chat/Markdown';
import { PlanGraph } from '../../chat/PlanGraph';
import { Card, EmptyState, Loading, Page } from '../../ui/Layout';
import { ErrorNotice, Notice, TraceId } from '../../ui/Notice';
import { Tabs } from '../../ui/Tabs';
import { Sources } from '../chat/Sources';
import { isOver, retryRun, useRunTree, useUserNames, type Run } from './data';
import { Events } from './Events';
import { readAhead, useTreeLog } from '../../chat/treeLog';
import { RunActions } from './RunActions';
import { RunFacts } from './RunFacts';
import { RunNotices } from './RunNotices';
import { failedStep, spansOf } from './spans';
import { Trace } from './Trace';
import styles from './RunPage.module.css';

export default function RunPage() {
  const { t } = useTranslation();
  const { runId = '' } = useParams();
  const { user } = useSession();
  const run = useRunTree(runId, user.id);
  if (run.isPending) return <Loading label={t('state.loading')} />;
  if (run.error instanceof Problem && run.error.status === 404) return <NotYours error={run.error} />;
  if (!run.data) return <Page title={t('runs.run')}><ErrorNotice error={run.error} retry={() => void run.refetch()} /></Page>;
  return <RunView key={runId} run={run.data} />;
}

/** Whoever was sent a link that is not for them: the server does not tell a run of others from none at all. */
function NotYours({ error }: { error: Problem }) {
  const { t } = useTranslation();
  return <Page title={t('runs.run')} tab={t('runs.notYours')}><EmptyState title={t('runs.notYours')} action={<Link to="/runs">{t('runs.toMine')}</Link>}>{t('runs.notYoursText')}<TraceId of={error} /></EmptyState></Page>;
}

const tabs = ['trace', 'answer', 'plan', 'events'] as const;

function RunView({ run }: { run: Run }) {
  const { t } = useTranslation();
  const cache = useQueryClient();
  const { me, user, can } = useSession();
  const tree = useTreeLog(run.id);
  const { fold } = tree.run;
  const { logs } = tree.log;
  const ended = isEnded(fold) || isOver(run.status);
  const now = useNow(!ended);
  const isOwn = run.owner_id === user.id;
  const users = useUserNames(!isOwn && can('users:read'));
  const { root, redacted } = spansOf(logs.get(run.id) ?? []);
  const [params, setParams] = useSearchParams();
  const [selected, setSelected] = useState(params.get('span') ?? '');
  const [events, setEvents] = useState({ runId: run.id, at: 0 });
  const tab = tabs.find((name) => name === params.get('tab')) ?? 'trace';
  const setTab = (name: string) => { setParams((old) => { const next = new URLSearchParams(old); next.set('tab', name); return next; }, { replace: true }); };
  const refresh = useCallback(() => void cache.invalidateQueries({ queryKey: ['run', run.id] }), [cache, run.id]);
  useRunEnd(tree.run, refresh);
  useShown(`run ${run.root_run_id}`);
  const retry = useRetry(run.id);
  useNearest(run, tree.want);
  const plans = useMemo(() => plansOf(run, tree.log.folds), [run, tree.log.folds]);

  const mayRetry = ended && isOwn && can('chat:write') && !run.parent_run_id && !run.log_pruned;
  const failed = root && mayRetry && run.status !== 'completed' ? failedStep(root) : undefined;
  const title = fold.input.trim().replace(/\s+/g, ' ');
  const name = title === '' ? t('runs.run') : title.length > 90 ? `${title.slice(0, 90)}…` : title;
  const answer = fold.answer?.text ?? run.answer?.text ?? '';
  const sources = useMemo(() => fold.answer ? sourcesOf(fold) : numbered(run.answer?.text ?? '', toCitations(run.answer?.citations), true), [fold, run.answer]);
  const cut = cutText(t, fold.answer ? fold.answer.cutBy : run.answer?.cut_by);
  const link = `${location.origin}/runs/${run.id}${selected ? `?span=${encodeURIComponent(selected)}` : ''}`;
  return (
    <Page
      wide title={name} tab={`${name}${title === '' ? ` ${run.id}` : ''} – ${t('runs.run')}: ${t(tab === 'trace' ? 'runs.timeline' : `runs.${tab}`)}`}
      actions={<RunActions run={run} link={link} canShare={isOwn && can('chat:write')} canStopSharing={!isOwn && user.role === 'admin' && can('chat:write') && Boolean(run.shared_at)} onRetry={mayRetry ? retry.go : undefined} retrying={retry.busy} failedSeq={failed?.seq} canCancel={!ended && can('chat:write') && (isOwn || user.role === 'admin')} />}
    >
      {retry.error ? <ErrorNotice error={retry.error} /> : null}
      <Card><RunFacts run={run} status={isEnded(fold) ? fold.status : run.status} now={now} owner={isOwn ? '' : users.data?.get(run.owner_id) ?? run.owner_id} /></Card>
      <RunNotices run={run} state={tree.run} logs={logs} want={tree.want} redacted={redacted} isOwn={isOwn} isAdmin={user.role === 'admin'} readsAll={user.role === 'admin' && me.permissions.includes('content:read')} />
      <Tabs
        label={t('runs.views')} value={tab} onChange={setTab}
        tabs={[
          {
            value: 'trace', label: t('runs.timeline'),
            content: root ? (
              <Trace
                root={root} view={run} log={tree.log} want={tree.want} now={now} selected={selected} onSelect={setSelected} onRetry={mayRetry ? (span) => { retry.go(span.seq); } : undefined}
                onEvents={(span) => { setEvents({ runId: span.runId, at: span.seq }); setTab('events'); }}
              />
            ) : tree.run.error ? <EmptyState title={t('runs.noEvents')} /> : <Loading label={t('state.loading')} />,
          },
          { value: 'answer', label: t('runs.answer'), content: answer ? <Card><CitedText sources={sources}><Markdown text={answer} writing={!ended} /></CitedText>{cut ? <Notice>{cut}</Notice> : null}<Sources sources={sources} /></Card> : <EmptyState title={t(redacted ? 'runs.redactedStep' : 'runs.noAnswer')} /> },
          ...(plans.length > 0 || tab === 'plan' ? [{ value: 'plan', label: t('runs.plan'), content: plans.length > 0 ? <Plans plans={plans} /> : <EmptyState title={t('runs.noPlan')} /> }] : []),
          { value: 'events', label: t('runs.events'), content: <Events logs={logs} nameOf={(id) => nameOf(run, id)} runId={events.runId} onRun={(runId) => { setEvents({ runId, at: 0 }); }} at={events.at} /> },
        ]}
      />
    </Page>
  );
}

type NamedPlan = NonNullable<RunFold['plan']> & { runId: string; name: string };

/** A run may plan, and so may those below it. */
function plansOf(run: Run, folds: ReadonlyMap<string, RunFold>): NamedPlan[] {
  return [...folds].flatMap(([runId, { plan }]) => plan ? [{ ...plan, runId, name: nameOf(run, runId) }] : []);
}

function Plans({ plans }: { plans: readonly NamedPlan[] }) {
  return <div className={styles.plans}>{plans.map((plan) => <div key={plan.runId}><h2>{plan.name}</h2><PlanGraph goal={plan.goal} tasks={plan.tasks} /></div>)}</div>;
}

function useNearest(run: Run, want: (runId: string) => void): void {
  const nearest = (run.children ?? []).slice(0, readAhead).map((child) => child.id).join(' ');
  useEffect(() => {
    nearest.split(' ').forEach((id) => { want(id); });
  }, [nearest, want]);
}

/** Repeats the run, from its start or from a step, and goes to the new one. */
function useRetry(runId: string) {
  const navigate = useNavigate();
  const [keys] = useState(() => new Map<string, string>());
  const { mutate, isPending, error } = useMutation({
    mutationFn: (fromSeq: number | undefined) => {
      // Pressed again after an answer that did not arrive, it is the same request and makes one run.
      const key = keys.get(String(fromSeq)) ?? idempotencyKey();
      keys.set(String(fromSeq), key);
      return retryRun(runId, fromSeq, key);
    },
    onSuccess: (id, fromSeq) => {
      keys.delete(String(fromSeq));
      runBegan(id);
      void navigate(`/runs/${id}`);
    },
    onError: (e, fromSeq) => { if (e instanceof Problem && !e.isUnreachable) keys.delete(String(fromSeq)); },
  });
  return { go: mutate, busy: isPending, error };
}

function nameOf(run: Run, id: string): string {
  if (run.id === id) return run.agent;
  for (const child of run.children ?? []) {
    const found = nameOf(child, id);
    if (found !== '') return `${run.agent} › ${found}`;
  }
  return '';
}

/** The time, each second while something goes on. */
function useNow(live: boolean): number {
  const [now, setNow] = useState(() => Date.now());
  useEffect(() => {
    if (!live) return undefined;
    const timer = setInterval(() => { setNow(Date.now()); }, 1_000);
    return () => { clearInterval(timer); };
  }, [live]);
  return now;
}
