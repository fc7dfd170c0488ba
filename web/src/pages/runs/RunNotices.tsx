import { useEffect, useMemo } from 'react';
import { useTranslation } from 'react-i18next';
import { Link } from 'react-router';
import { Decisions } from '../../chat/Decisions';
import type { RunState } from '../../chat/feed';
import { failureText } from '../../chat/failures';
import { applyAll, emptyFold, isEnded } from '../../chat/fold';
import { ErrorNotice, Notice } from '../../ui/Notice';
import type { Run } from './data';
import type { Logs } from '../../chat/treeLog';
import { asks, waitingBelow } from './waiting';
import styles from './RunPage.module.css';

interface Props {
  run: Run;
  state: RunState;
  logs: Logs;
  want: (runId: string) => void;
  redacted: boolean;
  isOwn: boolean;
  /** Whether one reads others' runs by right, and not because they are shared. */
  isAdmin: boolean;
  /** Whether that right is for what was said, too: then it is read whole, shared or not. */
  readsAll: boolean;
}

/** What one has to know or decide before one reads on. */
export function RunNotices({ run, state, logs, want, redacted, isOwn, isAdmin, readsAll }: Props) {
  const { t } = useTranslation();
  const { fold, connection, error } = state;
  const waits = fold.approvals.some((a) => a.state === 'pending');
  const why = fold.failure ? failureText(t, fold.failure.code, fold.failure.reason) : run.status === 'failed' ? failureText(t, run.error_code ?? '', run.reason ?? '') : null;
  return (
    <>
      {connection === 'lost' && !isEnded(fold) ? <Notice tone="warning">{t('chat.reconnecting')}</Notice> : null}
      {error ? <ErrorNotice error={error} /> : null}
      {run.log_pruned ? <Notice title={t('runs.prunedTitle')}>{t('runs.prunedText')}</Notice> : null}
      {redacted ? <Notice title={t('runs.redactedTitle')}>{t('runs.redactedText')}</Notice> : null}
      {!redacted && !isOwn ? <Notice>{t(!readsAll && (run.shared_at || !isAdmin) ? 'runs.sharedWithYou' : run.parent_run_id ? 'runs.foreign' : 'runs.audited')}</Notice> : null}
      {why ? <Notice tone="danger" title={t('chat.runFailed')}><div>{why.text}</div>{why.detail ? <div>{t('error.server')}: <span lang="en">{why.detail}</span></div> : null}</Notice> : null}
      {fold.status === 'cancelled' && !fold.answer ? <Notice>{t('chat.runCancelled')}</Notice> : null}
      {isOwn ? <Waiting run={run} state={state} logs={logs} want={want} /> : null}
      {!isOwn && waits ? <Notice tone="warning" {...(isAdmin && { action: <Link to="/approvals">{t('nav.approvals')}</Link> })}>{t('runs.foreignApproval')}</Notice> : null}
      {!isOwn && (fold.question ?? fold.review) ? <Notice tone="warning">{t('runs.foreignQuestion')}</Notice> : null}
    </>
  );
}

/** What a person is asked, by the run or by one below it: often the one that was given the work asks, and all above it wait. */
function Waiting({ run, state, logs, want }: Pick<Props, 'run' | 'state' | 'logs' | 'want'>) {
  const { t } = useTranslation();
  const below = waitingBelow(run);
  const ids = below.map((r) => r.id).join(' ');
  useEffect(() => {
    ids.split(' ').forEach((id) => { want(id); });
  }, [ids, want]);
  const folds = useMemo(() => ids.split(' ').filter(Boolean).map((id) => applyAll(emptyFold(id), logs.get(id) ?? []).fold), [ids, logs]);
  const asking = [state.fold, ...folds].filter(asks);
  if (asking.length === 0) return null;
  return (
    <section className={styles.plans} aria-labelledby="waiting">
      <h2 id="waiting">{t('runs.waitsForYou')}</h2>
      {asking.map((fold) => <Decisions key={fold.runId} fold={fold} />)}
    </section>
  );
}
