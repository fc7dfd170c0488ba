import { useTranslation } from 'react-i18next';
import { Link } from 'react-router';
import { Decisions } from '../../chat/Decisions';
import type { RunState } from '../../chat/feed';
import { isEnded } from '../../chat/fold';
import { ErrorNotice, Notice } from '../../ui/Notice';
import type { Run } from './data';

/** What one has to know or decide before one reads on. */
export function RunNotices({ run, state, redacted, isOwn }: { run: Run; state: RunState; redacted: boolean; isOwn: boolean }) {
  const { t } = useTranslation();
  const { fold, connection, error } = state;
  const waits = fold.approvals.some((a) => a.state === 'pending');
  const reason = fold.failure?.reason ?? (run.status === 'failed' ? run.reason : '');
  return (
    <>
      {connection === 'lost' && !isEnded(fold) ? <Notice tone="warning">{t('chat.reconnecting')}</Notice> : null}
      {error ? <ErrorNotice error={error} /> : null}
      {run.log_pruned ? <Notice title={t('runs.prunedTitle')}>{t('runs.prunedText')}</Notice> : null}
      {redacted ? <Notice title={t('runs.redactedTitle')}>{t('runs.redactedText')}</Notice> : null}
      {!redacted && !isOwn ? <Notice>{t('runs.audited')}</Notice> : null}
      {reason ? <Notice tone="danger" title={t('chat.runFailed')}>{reason}</Notice> : null}
      {fold.status === 'cancelled' && !fold.answer ? <Notice>{t('chat.runCancelled')}</Notice> : null}
      {isOwn ? <Decisions fold={fold} /> : null}
      {!isOwn && waits ? <Notice tone="warning" action={<Link to="/approvals">{t('nav.approvals')}</Link>}>{t('runs.foreignApproval')}</Notice> : null}
      {!isOwn && (fold.question ?? fold.review) ? <Notice tone="warning">{t('runs.foreignQuestion')}</Notice> : null}
    </>
  );
}
