import { useCallback, useEffect, useMemo, useRef } from 'react';
import { useTranslation } from 'react-i18next';
import { Activity } from '../../chat/Activity';
import { Decisions } from '../../chat/Decisions';
import { useRunEnd } from '../../chat/feed';
import { CitedText } from '../../chat/Cite';
import { numbered, type Numbered } from '../../chat/citations';
import { isEnded, type RunFold } from '../../chat/fold';
import { Markdown } from '../../chat/Markdown';
import { PlanGraph } from '../../chat/PlanGraph';
import { useRunWithOthers } from '../../chat/treeLog';
import { notify } from '../../app/notifications';
import { ErrorNotice, Notice } from '../../ui/Notice';
import { Sources } from './Sources';
import styles from './Messages.module.css';

const none: readonly Numbered[] = [];

/** While it is written, marks stand for what was found so far; the finished answer says itself which of them hold. */
function sourcesOf({ answer, sources }: RunFold): readonly Numbered[] {
  const given = answer?.complete ? answer.citations : sources;
  return answer && given.length > 0 ? numbered(answer.text, given, answer.complete) : none;
}

/** An answer while it is made. Folded from the run's log, so a reload, another tab or a restart of the server shows the same. */
export function LiveTurn({ runId, onEnd }: { runId: string; onEnd: () => unknown }) {
  const { t } = useTranslation();
  const { run: state, folds } = useRunWithOthers(runId);
  const { fold, connection, error, descendants } = state;
  const wasLive = useRef(false);
  const ended = useCallback(() => {
    if (wasLive.current) notify(t('notify.finished'), fold.input);
    onEnd();
  }, [onEnd, t, fold.input]);
  useRunEnd(state, ended);
  useEffect(() => {
    if (!isEnded(fold) && fold.seq > 0) wasLive.current = true;
  }, [fold]);
  const waits = folds.some((f) => f.approvals.some((a) => a.state === 'pending') || f.question !== null);
  useEffect(() => {
    if (waits) notify(t('notify.waiting'), fold.input);
  }, [waits, t, fold.input]);
  const sources = useMemo(() => sourcesOf(fold), [fold]);

  return (
    <article className={styles.answer} aria-busy={!isEnded(fold)} data-run={runId}>
      {connection === 'lost' ? <Notice tone="warning">{t('chat.reconnecting')}</Notice> : null}
      {error ? <ErrorNotice error={error} /> : null}
      <Activity fold={fold} descendants={descendants} />
      {folds.map((f) => f.plan ? <PlanGraph key={f.runId} goal={f.plan.goal} tasks={f.plan.tasks} /> : null)}
      {folds.map((f) => <Decisions key={f.runId} fold={f} />)}
      {fold.answer ? <CitedText sources={sources}><Markdown text={fold.answer.text} writing={!fold.answer.complete} /></CitedText> : null}
      {fold.answer?.complete ? <Sources sources={sources} /> : null}
      {fold.failure ? <Notice tone="danger" title={t('chat.runFailed')}>{fold.failure.reason}</Notice> : null}
      {fold.status === 'cancelled' && !fold.answer ? <Notice>{t('chat.runCancelled')}</Notice> : null}
      <div className="sr-only" role="status">{isEnded(fold) ? t('chat.answerThere') : t('activity.working', { agent: fold.agent })}</div>
    </article>
  );
}
