import { ArrowRightLeft, Bot, BrainCircuit, ChevronRight, CircleAlert, CircleCheck, CircleDashed, Clock, ShieldAlert, Wrench } from 'lucide-react';
import { useEffect, useState, type ReactNode } from 'react';
import { useTranslation } from 'react-i18next';
import { Link } from 'react-router';
import { printExact } from '../api/exact';
import { saidLine } from '../api/said';
import { useFormat } from '../i18n/format';
import { Badge } from '../ui/Layout';
import { ErrorNotice } from '../ui/Notice';
import { Said } from '../ui/Said';
import { num, str, type RunEvent } from './events';
import { rowsOf } from './rows';
import type { Others } from './treeLog';
import { isEnded, waitsFor, type ChildStep, type ModelStep, type NoteStep, type RunFold, type Step, type ToolStep } from './fold';
import styles from './Activity.module.css';

/** What the team did for this answer, one line a step, and in what was given to others their steps; closed once the answer is there. */
export function Activity({ fold, others }: { fold: RunFold; others?: Others }) {
  const { t } = useTranslation();
  const format = useFormat();
  const steps = fold.steps.filter((s) => worthShowing(s, fold));
  const [open, setOpen] = useState<boolean | null>(null);
  if (steps.length === 0 && !isEnded(fold)) return <p className={styles.now} role="status">{t('activity.starting')}</p>;
  if (steps.length === 0) return null;
  const isOpen = open ?? !isEnded(fold);
  const waits = waitsFor(fold, others?.folds.values());
  const took = isEnded(fold) && fold.startedAt ? format.duration(new Date(fold.endedAt).getTime() - new Date(fold.startedAt).getTime()) : null;
  return (
    <div className={styles.activity}>
      <button type="button" className={styles.head} aria-expanded={isOpen} onClick={() => { setOpen(!isOpen); }}>
        <ChevronRight size={16} aria-hidden className={styles.chevron} />
        <span>{isEnded(fold) ? t('activity.steps', { count: steps.length }) : waits ? t(`runs.status.${waits}`) : t('activity.working', { agent: fold.agent })}</span>
        {took ? <span className={styles.soft}>{took}</span> : null}
      </button>
      {isOpen ? <StepList steps={steps} others={others} /> : null}
    </div>
  );
}

/** A single model call that gave the answer is no news. */
function worthShowing(step: Step, fold: RunFold): boolean {
  if (step.kind !== 'model') return true;
  return step.state === 'failed' || step.state === 'superseded' || step.purpose !== 'answer' || step.attempts.length > 0 || step.reasoning !== '' || step.messageId !== fold.answer?.messageId;
}

function StepList({ steps, others }: { steps: readonly Step[]; others: Others | undefined }) {
  return <ol className={styles.steps}>{rowsOf(steps).map((row) => <StepRow key={row.key} step={row.step} count={row.count} others={others} />)}</ol>;
}

function StepRow({ step, count, others }: { step: Step; count: number; others: Others | undefined }) {
  switch (step.kind) {
    case 'model': return <ModelRow step={step} count={count} />;
    case 'tool': return <ToolRow step={step} />;
    case 'child': return <ChildRow step={step} others={others} />;
    case 'note': return <NoteRow step={step} count={count} />;
  }
}

interface RowProps {
  icon: ReactNode;
  state: 'working' | 'done' | 'failed' | 'off';
  title: ReactNode;
  /** So often it was the same. */
  count?: number;
  aside?: ReactNode;
  children?: ReactNode;
}

function Row({ icon, state, title, count = 1, aside, children }: RowProps) {
  const [open, setOpen] = useState(false);
  const line = <>{icon}<span className={styles.title}>{title}</span>{count > 1 ? <span className={styles.soft}>× {count}</span> : null}{aside ? <span className={styles.soft}>{aside}</span> : null}</>;
  return (
    <li className={styles.step} data-state={state}>
      {children ? <button type="button" className={styles.line} aria-expanded={open} onClick={() => { setOpen(!open); }}>{line}<ChevronRight size={14} aria-hidden className={styles.chevron} /></button> : <div className={styles.line}>{line}</div>}
      {open ? <div className={styles.detail}>{children}</div> : null}
    </li>
  );
}

function ToolRow({ step }: { step: ToolStep }) {
  const { t } = useTranslation();
  const format = useFormat();
  const isDenied = step.failure === 'denied'; // somebody said no: nothing went wrong
  const state = step.state === 'done' || isDenied ? 'done' : step.state === 'failed' ? 'failed' : 'working';
  return (
    <Row
      icon={state === 'failed' ? <CircleAlert size={16} aria-hidden /> : <Wrench size={16} aria-hidden />} state={state}
      title={<>{t(`activity.tool.${isDenied ? 'denied' : state}`, { agent: step.agent, tool: step.tool })}{step.progress && state === 'working' ? ` – ${step.progress}` : ''}</>}
      aside={step.durationMs > 0 ? format.duration(step.durationMs) : undefined}
    >
      <Value name={t('activity.input')} value={step.arguments} />
      {step.result ? <Value name={state === 'failed' ? t('activity.failure') : t('activity.output')} value={step.result} /> : null}
      {step.tainted ? <p className={styles.soft}><ShieldAlert size={14} aria-hidden /> {t('activity.tainted')}</p> : null}
    </Row>
  );
}

function ModelRow({ step, count }: { step: ModelStep; count: number }) {
  const { t } = useTranslation();
  const format = useFormat();
  const state = step.state === 'writing' ? 'working' : step.state === 'done' ? 'done' : step.state === 'failed' ? 'failed' : 'off';
  const hasDetail = step.text !== '' || step.reasoning !== '' || step.failure !== '' || step.attempts.length > 0;
  return (
    <Row
      icon={state === 'failed' ? <CircleAlert size={16} aria-hidden /> : <BrainCircuit size={16} aria-hidden />} state={state}
      count={count} title={t(`activity.model.${state}`, { agent: step.agent, what: t(`activity.purpose.${purpose(step.purpose)}`) })}
      aside={[step.model, step.latencyMs > 0 ? format.duration(step.latencyMs) : '', step.cost && Number(step.cost) > 0 ? format.money(step.cost) : ''].filter(Boolean).join(' · ')}
    >
      {hasDetail ? (
        <>
          {step.attempts.length > 0 ? <Value name={t('activity.attempts')} value={step.attempts.join('\n')} /> : null}
          {step.failure ? <Value name={t('activity.failure')} value={step.failure} said /> : null}
          {step.reasoning ? <Value name={t('activity.reasoning')} value={step.reasoning} /> : null}
          {step.text ? <Value name={t('activity.output')} value={step.text} /> : null}
        </>
      ) : null}
    </Row>
  );
}

const purposes = ['answer', 'plan', 'review', 'coordinate', 'select', 'summary'] as const;

export function purpose(name: string) {
  return purposes.find((p) => p === name) ?? 'answer';
}

function ChildRow({ step, others }: { step: ChildStep; others: Others | undefined }) {
  const { t } = useTranslation();
  const format = useFormat();
  const state = step.state === 'running' ? 'working' : step.state === 'completed' ? 'done' : 'failed';
  const doing = state === 'working' ? others?.folds.get(step.runId)?.steps.at(-1) : undefined;
  return (
    <Row
      icon={<Bot size={16} aria-hidden />} state={state}
      title={<><strong>{step.agent}</strong>: <bdi>{step.task}</bdi>{doing ? <span className={styles.soft}> – {doing.kind === 'tool' ? doing.tool : t('activity.thinking')}</span> : null}</>}
      aside={step.cost && Number(step.cost) > 0 ? format.money(step.cost) : undefined}
    >
      {others ? <ChildSteps runId={step.runId} others={others} /> : null}
      {step.result ? <Value name={t('activity.output')} value={step.result} /> : null}
      <p><Link to={`/runs/${step.runId}`}>{t('activity.openRun')}</Link></p>
    </Row>
  );
}

/** What was done in a run below: its log, read when somebody opens it. */
function ChildSteps({ runId, others }: { runId: string; others: Others }) {
  const { t } = useTranslation();
  const { folds, failed, want } = others;
  useEffect(() => { want(runId); }, [runId, want]);
  const [fold, problem] = [folds.get(runId), failed.get(runId)];
  const steps = fold?.steps.filter((s) => worthShowing(s, fold)) ?? [];
  return (
    <>
      {steps.length > 0 ? <StepList steps={steps} others={others} /> : null}
      {problem ? <ErrorNotice error={problem} retry={() => { want(runId); }} /> : fold ? null : <p className={styles.soft}>{t('state.loading')}</p>}
    </>
  );
}

type Translate = ReturnType<typeof useTranslation>['t'];

const cacheKinds = ['memory', 'redis', 'stored', 'flight', 'semantic'] as const;

/** What kind of kept answer it was, and what making it anew would have taken. */
function cacheText(e: RunEvent, t: Translate, format: ReturnType<typeof useFormat>): string {
  const kind = cacheKinds.find((k) => k === str(e, 'kind'));
  const [cost, tokens] = [str(e, 'saved_usd'), num(e, 'saved_input_tokens') + num(e, 'saved_output_tokens')];
  return [
    t('activity.cached'), kind ? t(`activity.cachedBy.${kind}`) : '',
    tokens > 0 ? t('activity.cachedTokens', format.counted(tokens)) : '', Number(cost) > 0 ? t('activity.cachedSaved', { cost: format.money(cost) }) : '',
  ].filter(Boolean).join(' · ');
}

/** What happened besides calls, in a sentence. */
/** What the server says in such a step, in its own words. */
function saidBy(e: RunEvent): string {
  return e.type === 'guard.hinted' ? str(e, 'hint') : e.type === 'guard.stopped' || e.type === 'timer.started' ? str(e, 'reason') : '';
}

export function useNoteText(): (event: RunEvent) => string {
  const { t } = useTranslation();
  const format = useFormat();
  return (e) => {
    const texts: Record<string, string> = {
      'handoff': t('activity.handoff', { from: str(e, 'from'), to: str(e, 'to') }),
      'context.reduced': t('activity.reduced'),
      'cache.hit': e.type === 'cache.hit' ? cacheText(e, t, format) : '',
      'speaker.selected': e['done'] === true ? t('activity.groupDone') : t('activity.speaker', { agent: str(e, 'speaker') }),
      'citation.dropped': t('activity.citationDropped', { reason: t(`activity.dropped.${str(e, 'reason')}`, { defaultValue: str(e, 'reason') }) }),
    };
    return (Object.hasOwn(texts, e.type) ? texts[e.type] : saidLine(t, saidBy(e))) || e.type;
  };
}

function NoteRow({ step, count }: { step: NoteStep; count: number }) {
  const text = useNoteText();
  const e = step.event;
  const icons: Record<string, ReactNode> = { 'handoff': <ArrowRightLeft size={16} aria-hidden />, 'guard.stopped': <CircleAlert size={16} aria-hidden />, 'timer.started': <Clock size={16} aria-hidden />, 'cache.hit': <CircleCheck size={16} aria-hidden /> };
  return <Row icon={icons[step.what] ?? <CircleDashed size={16} aria-hidden />} state={step.what === 'guard.stopped' ? 'failed' : 'done'} count={count} title={saidBy(e) ? <Said text={saidBy(e)} /> : text(e)} aside={str(e, 'reason') && step.what === 'handoff' ? str(e, 'reason') : undefined} />;
}

/** What went in or came out, as it was: text as text, everything else as JSON that rounds no number and hides no character. `said`: these are words of the server. */
export function Value({ name, value, said = false }: { name: string; value: unknown; said?: boolean }) {
  if (value === undefined || value === null || value === '') return null;
  return (
    <div className={styles.value}>
      <Badge>{name}</Badge>
      <pre tabIndex={0}>{typeof value !== 'string' ? <Exact value={value} /> : said ? <Said text={value} /> : value}</pre>
    </div>
  );
}

/** JSON in which each text keeps its direction to itself. */
export function Exact({ value }: { value: unknown }) {
  return printExact(value).map(({ text, foreign }, i) => foreign ? <bdi key={i}>{text}</bdi> : text);
}
