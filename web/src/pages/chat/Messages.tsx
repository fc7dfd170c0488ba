import type { TFunction } from 'i18next';
import { ChevronLeft, ChevronRight, Copy, Pencil, RefreshCw, ShieldAlert } from 'lucide-react';
import { useMemo, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { Link } from 'react-router';
import { Activity } from '../../chat/Activity';
import { CitedText } from '../../chat/Cite';
import { numbered, toCitations } from '../../chat/citations';
import { cutText, failureText } from '../../chat/failures';
import { Markdown } from '../../chat/Markdown';
import { PlanGraph } from '../../chat/PlanGraph';
import { useRunWithOthers } from '../../chat/treeLog';
import { isPlaced, type Branching } from '../../chat/tree';
import { useFormat } from '../../i18n/format';
import { Button, IconButton } from '../../ui/Button';
import { useDraft } from '../../app/drafts';
import { useCopy } from '../../ui/clipboard';
import { TextArea } from '../../ui/Field';
import { Form } from '../../ui/Form';
import { Badge } from '../../ui/Layout';
import { Notice } from '../../ui/Notice';
import { useFailureToast, useToast } from '../../ui/Toast';
import { AgainDialog } from './AgainDialog';
import type { Choice } from './choice';
import type { Message, Run } from './data';
import { Feedback } from './Feedback';
import { AttachedDocuments, Sources } from './Sources';
import styles from './Messages.module.css';

function Branches({ branching, onBranch }: { branching: Branching; onBranch: (id: string) => void }) {
  const { t } = useTranslation();
  const { siblings, index } = branching;
  if (siblings.length < 2) return null;
  const go = (to: number) => {
    const id = siblings[to];
    if (id) onBranch(id);
  };
  return (
    <span className={styles.branches}>
      <IconButton size="s" label={t('chat.olderBranch')} disabled={index <= 0} onClick={() => { go(index - 1); }}><ChevronLeft size={16} aria-hidden /></IconButton>
      <span aria-label={t('chat.branch', { index: index + 1, count: siblings.length })}>{index + 1}/{siblings.length}</span>
      <IconButton size="s" label={t('chat.newerBranch')} disabled={index >= siblings.length - 1} onClick={() => { go(index + 1); }}><ChevronRight size={16} aria-hidden /></IconButton>
    </span>
  );
}

export function QuestionView({ message, mayWrite = true, waits = false, branching, onBranch, onEdit }: { message: Message; mayWrite?: boolean; waits?: boolean; branching: Branching; onBranch: (id: string) => void; onEdit: (text: string, attachments: readonly string[]) => Promise<unknown> }) {
  const { t } = useTranslation();
  const edited = useDraft(`edit/${message.id}`, message.content);
  const taken = useDraft(`edit/${message.id}/without`);
  const [state, setState] = useState<'shown' | 'cancelled' | 'kept' | 'editing'>(edited.wasKept || taken.wasKept ? 'kept' : 'shown');
  // Another version stands beside the message, and one that has no place in the tree has nothing beside it.
  const mayEdit = mayWrite && isPlaced(message);
  const editing = mayEdit && (state === 'kept' || state === 'editing');
  const attached = (message.attachments ?? []).filter((a) => !taken.text.split(' ').includes(a.id));
  const forget = () => {
    edited.forget();
    taken.forget();
  };
  return (
    <article className={styles.question} aria-label={t('chat.you')}>
      {editing ? (
        <Form submit={t('chat.sendEdited')} onCancel={() => { forget(); setState('cancelled'); }} fields={['message']} onSubmit={async () => { await onEdit(edited.text, attached.map((a) => a.id)); forget(); setState('shown'); }}>
          {(errors) => (
            <>
              <TextArea label={t('chat.editMessage')} hint={t('chat.editHint')} rows={4} value={edited.text} autoFocus={state === 'editing'} onChange={(e) => { edited.setText(e.target.value); }} errors={errors('message')} />
              <AttachedDocuments documents={attached} onRemove={(id) => { taken.setText(`${taken.text} ${id}`.trim()); }} />
            </>
          )}
        </Form>
      ) : <div className={styles.bubble}>{message.content}</div>}
      {editing ? null : <AttachedDocuments documents={message.attachments ?? []} />}
      <div className={styles.tools}>
        {waits ? <Badge>{t('chat.queued')}</Badge> : null}
        <Branches branching={branching} onBranch={onBranch} />
        {editing || !mayEdit ? null : <IconButton size="s" label={t('chat.editMessage')} autoFocus={state === 'cancelled'} onClick={() => { setState('editing'); }}><Pencil size={15} aria-hidden /></IconButton>}
      </div>
    </article>
  );
}

/** Why an answer is not whole: somebody stopped it, its run failed, or the model broke it off. Empty: it is whole. */
function endOf(t: TFunction, message: Message, run: Run | undefined): string {
  if (message.status !== 'interrupted') return cutText(t, message.cut_by);
  return run?.status === 'failed' ? failureText(t, run.error_code ?? '', run.reason ?? '').text : t('chat.interrupted');
}

interface AnswerProps {
  message: Message;
  /** Else nothing is asked again, continued or rated. */
  mayWrite?: boolean;
  run: Run | undefined;
  branching: Branching;
  /** Of the conversation: asking again begins with it. */
  choice: Choice;
  onBranch: (id: string) => void;
  onAgain: (choice: Choice) => Promise<unknown>;
  onContinue: () => Promise<unknown>;
}

export function AnswerView({ message, mayWrite = true, run, branching, choice, onBranch, onAgain, onContinue }: AnswerProps) {
  const { t } = useTranslation();
  const format = useFormat();
  const toast = useToast();
  const copy = useCopy();
  const [asked, setAsked] = useState<boolean | null>(null);
  const showing = asked ?? run?.status === 'failed';
  const [again, setAgain] = useState(false);
  const sources = useMemo(() => numbered(message.content, toCitations(message.citations), true), [message]);
  const end = endOf(t, message, run);
  const usage = run?.tree_usage ?? run?.usage;
  const saved = run?.answer?.saved_usd;
  const withOthers = run !== undefined && Number(run.tree_cost_usd) > Number(run.cost_usd);
  const facts = [
    message.agent ?? '',
    run?.answer?.model ?? '',
    usage && usage.input_tokens + usage.output_tokens > 0 ? t('chat.tokens', format.counted(usage.input_tokens + usage.output_tokens)) : '',
    usage && usage.cached_tokens > 0 ? t('chat.cachedTokens', { formatted: format.compact(usage.cached_tokens) }) : '',
    withOthers ? t('chat.costWithOthers', { cost: format.money(String(run.tree_cost_usd)) }) : run && Number(run.tree_cost_usd) > 0 ? format.money(String(run.tree_cost_usd)) : '',
    saved === null || saved === undefined ? '' : Number(saved) > 0 ? t('chat.savedByCache', { cost: format.money(String(saved)) }) : t('chat.fromCache'),
  ].filter(Boolean);
  return (
    <article className={styles.answer} aria-label={t('chat.answerOf', { agent: message.agent ?? 'Root-MAS' })} data-message={message.id}>
      {message.run_id && showing ? <Steps runId={message.run_id} /> : null}
      <CitedText sources={sources}><Markdown text={message.content} /></CitedText>
      {end ? <Notice {...(mayWrite && { action: <Continue onContinue={onContinue} /> })}>{end}</Notice> : null}
      <Sources sources={sources} />
      <footer className={styles.tools}>
        <Branches branching={branching} onBranch={onBranch} />
        <IconButton size="s" label={t('action.copy')} onClick={() => void copy(message.content).then((could) => { if (could) toast(t('action.copied')); })}><Copy size={15} aria-hidden /></IconButton>
        {mayWrite ? (
          <>
            <IconButton size="s" label={t('chat.again')} onClick={() => { setAgain(true); }}><RefreshCw size={15} aria-hidden /></IconButton>
            <Feedback message={message} />
          </>
        ) : null}
        {message.tainted ? <Badge tone="warning"><ShieldAlert size={13} aria-hidden /> {t('chat.tainted')}</Badge> : null}
        <span className={styles.facts}>
          {facts.join(' · ')}
          {message.run_id ? <> · <button type="button" className={styles.link} aria-expanded={showing} onClick={() => { setAsked(!showing); }}>{t('chat.steps')}</button> · <Link to={`/runs/${message.run_id}`}>{t('chat.run')}</Link></> : null}
        </span>
      </footer>
      {again ? <AgainDialog choice={choice} onClose={() => { setAgain(false); }} onAgain={onAgain} /> : null}
    </article>
  );
}

/** Asks to go on where it was stopped: a message like any other, so that everybody can see what was asked. */
function Continue({ onContinue }: { onContinue: () => Promise<unknown> }) {
  const { t } = useTranslation();
  const failed = useFailureToast();
  const [busy, setBusy] = useState(false);
  const go = () => {
    setBusy(true);
    onContinue().catch(failed).finally(() => { setBusy(false); });
  };
  return <Button size="s" busy={busy} onClick={go}>{t('chat.continue')}</Button>;
}

/** What was done for an answer that is there: its run's log, read when somebody asks. */
function Steps({ runId }: { runId: string }) {
  const { run, folds, others } = useRunWithOthers(runId);
  return (
    <>
      <Activity fold={run.fold} others={others} />
      {folds.map((f) => f.plan ? <PlanGraph key={f.runId} goal={f.plan.goal} tasks={f.plan.tasks} /> : null)}
    </>
  );
}

