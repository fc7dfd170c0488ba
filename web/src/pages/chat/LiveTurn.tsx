import { useQueryClient } from '@tanstack/react-query';
import type { TFunction } from 'i18next';
import { useCallback, useEffect, useMemo, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { Link } from 'react-router';
import { Activity } from '../../chat/Activity';
import { Decisions } from '../../chat/Decisions';
import { useRunEnd } from '../../chat/feed';
import { CitedText } from '../../chat/Cite';
import { cutText, failureText } from '../../chat/failures';
import { isEnded, sourcesOf, waitsFor, type RunFold } from '../../chat/fold';
import { Markdown } from '../../chat/Markdown';
import { PlanGraph } from '../../chat/PlanGraph';
import { useRunWithOthers } from '../../chat/treeLog';
import { runSeen } from '../../app/runNotices';
import { Button } from '../../ui/Button';
import { ErrorNotice, Notice } from '../../ui/Notice';
import { AgainDialog } from './AgainDialog';
import type { Choice } from './choice';
import { Sources } from './Sources';
import styles from './Messages.module.css';

type Again = (choice: Choice) => Promise<unknown>;

/** An answer while it is made. Folded from the run's log, so a reload, another tab or a restart of the server shows the same. */
export function LiveTurn({ runId, mayWrite, choice, onEnd, onAgain }: { runId: string; mayWrite: boolean; choice?: Choice; onEnd: (runId: string) => unknown; onAgain?: Again | undefined }) {
  const { t } = useTranslation();
  const { run: state, folds, others } = useRunWithOthers(runId);
  const { fold, connection, error } = state;
  const cache = useQueryClient();
  useRunEnd(state, useCallback(() => { onEnd(runId); }, [onEnd, runId]));
  const ended = isEnded(fold);
  useEffect(() => {
    if (ended && document.visibilityState === 'visible') runSeen(runId);
  }, [ended, runId]);
  const waiting = folds.flatMap((f) => [...f.approvals.filter((a) => a.state === 'pending').map((a) => a.id), ...f.question ? [`${f.runId}/${f.question.callId}`] : []]).join(' ');
  // Whichever window tells of what waits knows it as soon as this one.
  useEffect(() => {
    if (waiting !== '') void cache.invalidateQueries({ queryKey: ['runs', 'awaited'] });
  }, [waiting, cache]);
  const sources = useMemo(() => sourcesOf(fold), [fold]);
  const waits = waitsFor(fold, folds);
  const cut = cutText(t, fold.answer?.cutBy);

  return (
    <article className={styles.answer} aria-busy={!ended} data-run={runId}>
      {connection === 'lost' ? <Notice tone="warning">{t('chat.reconnecting')}</Notice> : null}
      {error ? <ErrorNotice error={error} /> : null}
      <Activity fold={fold} others={others} />
      {folds.map((f) => f.plan ? <PlanGraph key={f.runId} goal={f.plan.goal} tasks={f.plan.tasks} /> : null)}
      {mayWrite ? folds.map((f) => <Decisions key={f.runId} fold={f} />) : null}
      {fold.answer ? <CitedText sources={sources}><Markdown text={fold.answer.text} writing={!fold.answer.complete} /></CitedText> : null}
      {cut ? <Notice>{cut}</Notice> : null}
      {fold.answer?.complete ? <Sources sources={sources} /> : null}
      {fold.failure !== null || (fold.status === 'cancelled' && !fold.answer) ? <NoAnswer fold={fold} choice={choice} onAgain={onAgain} /> : null}
      <div className="sr-only" role="status">{ended ? endOf(t, fold) : waits ? t(`runs.status.${waits}`) : t('activity.working', { agent: fold.agent })}</div>
    </article>
  );
}

/** What is heard at the end; where a notice says it, that is heard. */
function endOf(t: TFunction, { status, answer }: RunFold): string {
  if (status === 'completed') return t('chat.answerThere');
  return status === 'cancelled' && answer ? t('chat.runCancelled') : '';
}

/** A run that ended without an answer: why, how to go on, and what to quote to whoever helps. */
function NoAnswer({ fold: { failure, runId }, choice, onAgain }: { fold: RunFold; choice: Choice | undefined; onAgain: Again | undefined }) {
  const { t } = useTranslation();
  const [asking, setAsking] = useState(false);
  const why = failure ? failureText(t, failure.code, failure.reason) : { text: t('chat.runCancelled'), detail: '' };
  return (
    <>
      <Notice tone={failure ? 'danger' : 'info'} {...(failure && { title: t('chat.runFailed') })}>
        <div>{why.text}</div>
        {why.detail ? <div>{t('error.server')}: <span lang="en">{why.detail}</span></div> : null}
        {failure ? <div className={styles.quote}>{t('error.trace')} {failure.code ? <code>{failure.code}</code> : null} <code>{runId}</code></div> : null}
        <div className={styles.ways}>
          {onAgain ? <Button size="s" onClick={() => { setAsking(true); }}>{t('chat.again')}</Button> : null}
          <Link to={`/runs/${runId}`}>{t('chat.seeRun')}</Link>
        </div>
      </Notice>
      {asking && onAgain ? <AgainDialog choice={choice} onClose={() => { setAsking(false); }} onAgain={onAgain} /> : null}
    </>
  );
}
