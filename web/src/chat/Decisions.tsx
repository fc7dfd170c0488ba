import { useQueryClient } from '@tanstack/react-query';
import { ShieldQuestion } from 'lucide-react';
import { useEffect, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { api } from '../api/client';
import { Problem } from '../api/problem';
import { shownApproval } from '../app/approvals';
import { useDraft } from '../app/drafts';
import { useSession } from '../app/session';
import { useShown } from '../app/windows';
import { useFormat } from '../i18n/format';
import { Button } from '../ui/Button';
import { ConfirmDialog } from '../ui/Dialog';
import { TextArea, TextField } from '../ui/Field';
import { Badge, Facts } from '../ui/Layout';
import { goOn, usePassesFocus } from '../ui/focus';
import { ErrorNotice } from '../ui/Notice';
import { Said } from '../ui/Said';
import { Value } from './Activity';
import type { Question, RunFold } from './fold';
import styles from './Decisions.module.css';

export interface PendingApproval {
  id: string;
  runId: string;
  agent: string;
  tool: string;
  arguments: unknown;
  hash: string;
  approver: string;
  reason: string;
  origin: string;
  expiresAt: string;
  /** For whom the agent works, where that is somebody else. */
  owner?: string;
}

/** Refusals after which nobody can decide any more. */
const over: readonly string[] = ['approval_decided', 'approval_expired', 'approval_not_found', 'run_is_final'];

/** Exactly the call that would run, and what one can say to it. What was approved is what runs, once. */
export function ApprovalCard({ approval, onDecided }: { approval: PendingApproval; onDecided?: () => void }) {
  const { t } = useTranslation();
  const format = useFormat();
  const { user } = useSession();
  const cache = useQueryClient();
  const { text: reason, setText: setReason, forget } = useDraft(`approval/${approval.id}`);
  const [busy, setBusy] = useState<'approve' | 'deny' | null>(null);
  const [error, setError] = useState<unknown>(null);
  useShown(shownApproval(approval.id));
  const card = usePassesFocus<HTMLDivElement>();
  const mayNot = approval.approver === 'admin' && user.role !== 'admin';
  const isOver = error instanceof Problem && over.includes(error.code);
  // The button that had the focus is gone.
  useEffect(() => { if (isOver) goOn(card.current); }, [isOver, card]);
  const decide = async (decision: 'approve' | 'deny') => {
    setBusy(decision);
    setError(null);
    try {
      await api.POST('/api/v1/approvals/{id}', { params: { path: { id: approval.id } }, body: { decision, arguments_hash: approval.hash, ...(reason && { reason }) } });
      forget();
      void cache.invalidateQueries({ queryKey: ['approvals'] });
      onDecided?.();
    } catch (e) {
      setError(e);
      setBusy(null);
    }
  };
  return (
    <div ref={card} role="group" tabIndex={-1} data-passes-focus className={styles.card} aria-label={t('approval.title', { tool: approval.tool })}>
      <header><ShieldQuestion size={18} aria-hidden /><h2>{t('approval.title', { tool: approval.tool })}</h2>{approval.approver === 'admin' ? <Badge tone="warning">{t('approval.adminOnly')}</Badge> : null}</header>
      {approval.reason ? <p><Said text={approval.reason} /></p> : null}
      <Facts items={[[t('approval.agent'), approval.agent], approval.owner ? [t('approval.owner'), approval.owner] : null, approval.origin ? [t('approval.origin'), approval.origin] : null, [t('approval.expires'), `${format.moment(approval.expiresAt)} (${format.ago(approval.expiresAt)})`]]} />
      <Value name={t('approval.arguments')} value={approval.arguments} />
      {mayNot ? <p className={styles.soft}>{t('approval.waitsForAdmin')}</p> : isOver ? <ErrorNotice error={error} /> : (
        <>
          <TextField label={t('approval.reason')} value={reason} maxLength={500} onChange={(e) => { setReason(e.target.value); }} />
          {error ? <ErrorNotice error={error} /> : null}
          <div className={styles.buttons}>
            <Button kind="primary" busy={busy === 'approve'} disabled={busy !== null} onClick={() => void decide('approve')}>{t('approval.approve')}</Button>
            <Button busy={busy === 'deny'} disabled={busy !== null} onClick={() => void decide('deny')}>{t('approval.deny')}</Button>
          </div>
        </>
      )}
    </div>
  );
}

/** The agent asks; the answer goes to the run that waits for it. */
export function QuestionCard({ runId, question }: { runId: string; question: Question }) {
  const { t } = useTranslation();
  const { text, setText, forget } = useDraft(`question/${runId}/${question.callId}`);
  const [busy, setBusy] = useState<string | null>(null);
  const [error, setError] = useState<unknown>(null);
  const card = usePassesFocus<HTMLFormElement>();
  const answer = async (given: string) => {
    if (given.trim() === '' || busy !== null) return;
    setBusy(given);
    setError(null);
    try {
      await api.POST('/api/v1/runs/{id}/input', { params: { path: { id: runId } }, body: { call_id: question.callId, text: given } });
      forget();
    } catch (e) {
      setError(e);
      setBusy(null);
    }
  };
  return (
    <form ref={card} tabIndex={-1} data-passes-focus className={styles.card} aria-label={t('question.title')} onSubmit={(e) => { e.preventDefault(); void answer(text); }}>
      <h2 dir="auto">{question.question}</h2>
      {question.options.length > 0 ? <div className={styles.buttons}>{question.options.map((o) => <Button key={o} busy={busy === o} disabled={busy !== null} onClick={() => void answer(o)}>{o}</Button>)}</div> : null}
      <TextArea label={t('question.answer')} rows={2} value={text} onChange={(e) => { setText(e.target.value); }} />
      {error ? <ErrorNotice error={error} /> : null}
      <div className={styles.buttons}><Button kind="primary" type="submit" busy={busy !== null && !question.options.includes(busy)} disabled={busy !== null}>{t('question.send')}</Button></div>
    </form>
  );
}

function useIsBefore(time: string): boolean {
  const [is, setIs] = useState(() => Date.parse(time) > Date.now());
  useEffect(() => {
    const timer = setTimeout(() => { setIs(false); }, Math.max(0, Date.parse(time) - Date.now()));
    return () => { clearTimeout(timer); };
  }, [time]);
  return is;
}

/** A call that may or may not have taken effect: only a person can find out which. */
export function ReviewCard({ runId, review }: { runId: string; review: NonNullable<RunFold['review']> }) {
  const { t } = useTranslation();
  const { text: result, setText: setResult, forget } = useDraft(`review/${runId}/${review.callId}`);
  const [busy, setBusy] = useState<'done' | 'repeat' | 'cancel' | null>(null);
  const [error, setError] = useState<unknown>(null);
  const format = useFormat();
  const early = useIsBefore(review.repeatAfter);
  const [asks, setAsks] = useState(false);
  const card = usePassesFocus<HTMLDivElement>();
  const resolve = async (outcome: 'done' | 'repeat' | 'cancel') => {
    setBusy(outcome);
    setError(null);
    try {
      await api.POST('/api/v1/runs/{id}/resolve', { params: { path: { id: runId } }, body: { call_id: review.callId, outcome, ...(outcome === 'done' && result && { result }) } });
      forget();
    } catch (e) {
      setError(e);
      setBusy(null);
    }
  };
  return (
    <div ref={card} role="group" tabIndex={-1} data-passes-focus className={styles.card} aria-label={t('review.title', { tool: review.tool })}>
      <h2>{t('review.title', { tool: review.tool })}</h2>
      <p><Said text={review.reason} /></p>
      <TextArea label={t('review.result')} hint={t('review.resultHint')} rows={2} value={result} onChange={(e) => { setResult(e.target.value); }} />
      {error ? <ErrorNotice error={error} /> : null}
      <div className={styles.buttons}>
        <Button kind="primary" busy={busy === 'done'} disabled={busy !== null} onClick={() => void resolve('done')}>{t('review.done')}</Button>
        <Button busy={busy === 'repeat'} disabled={busy !== null || early} aria-describedby={early ? `${review.callId}-early` : undefined} onClick={() => { setAsks(true); }}>{t('review.repeat')}</Button>
        <Button busy={busy === 'cancel'} disabled={busy !== null} onClick={() => void resolve('cancel')}>{t('review.cancel')}</Button>
      </div>
      {early ? <p id={`${review.callId}-early`} className={styles.soft}>{t('review.repeatFrom', { time: format.clock(review.repeatAfter) })}</p> : null}
      <ConfirmDialog open={asks} onClose={() => { setAsks(false); }} danger title={t('review.repeatTitle', { tool: review.tool })} description={t('review.repeatText')} action={t('review.repeat')} onConfirm={() => { void resolve('repeat'); return Promise.resolve(); }} />
    </div>
  );
}

/** Everything that a run waits for a person with. */
export function Decisions({ fold }: { fold: RunFold }) {
  return (
    <>
      {fold.approvals.filter((a) => a.state === 'pending').map((a) => (
        <ApprovalCard key={a.id} approval={{ id: a.id, runId: fold.runId, agent: fold.agent, tool: a.tool, arguments: a.arguments, hash: a.hash, approver: a.approver, reason: a.reason, origin: a.origin, expiresAt: a.expiresAt }} />
      ))}
      {fold.question ? <QuestionCard key={fold.question.callId} runId={fold.runId} question={fold.question} /> : null}
      {fold.review ? <ReviewCard key={fold.review.callId} runId={fold.runId} review={fold.review} /> : null}
    </>
  );
}
