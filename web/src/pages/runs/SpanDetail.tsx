import { useTranslation } from 'react-i18next';
import { Link } from 'react-router';
import { Value } from '../../chat/Activity';
import { useFormat } from '../../i18n/format';
import { Badge, Facts } from '../../ui/Layout';
import { Notice } from '../../ui/Notice';
import { Button } from '../../ui/Button';
import type { Span } from './spans';
import { useSpanText } from './spanText';
import { SpanIcon } from './TimelineRow';
import styles from './SpanDetail.module.css';

interface Props {
  span: Span;
  /** The run whose page this is. */
  root: string;
  now: number;
  redacted: boolean;
  /** Absent where the run may not be repeated. */
  onRetry?: ((span: Span) => void) | undefined;
  onEvents: (span: Span) => void;
}

const tones = { running: 'info', waiting: 'warning', done: 'success', failed: 'danger', cancelled: 'neutral', off: 'neutral' } as const;

const decisions = ['done', 'repeat', 'cancel'] as const;

/** What somebody said of a call in doubt stands in the log by its name. */
function useOutput(): (span: Span) => unknown {
  const { t } = useTranslation();
  return (span) => {
    if (span.kind !== 'wait' || span.what !== 'review' || typeof span.output !== 'string') return span.output;
    const [named = '', ...result] = span.output.split(': ');
    const decision = decisions.find((one) => one === named);
    return decision ? [t(`review.${decision}`), ...result].join(': ') : span.output;
  };
}

/** Waits whose input is a sentence of the server. */
const serverAsks: ReadonlySet<string> = new Set(['review', 'timer']);

/** One step: what went in and came out, what it cost, how long it took, what went wrong. */
export function SpanDetail({ span, root, now, redacted, onRetry, onEvents }: Props) {
  const { t } = useTranslation();
  const name = useSpanText();
  const output = useOutput();
  return (
    <section className={styles.detail} aria-label={t('runs.detail')}>
      <header className={styles.head}>
        <SpanIcon span={span} />
        <h2>{name(span)}</h2>
        {span.kind === 'note' ? null : <Badge tone={tones[span.state]}>{t(`runs.spanState.${span.state}`)}</Badge>}
        {span.cached ? <Badge tone="accent">{t('runs.cached')}</Badge> : null}
        {span.tainted ? <Badge tone="warning">{t('chat.tainted')}</Badge> : null}
      </header>
      <SpanFacts span={span} now={now} />
      {span.failure ? <Value name={t('activity.failure')} value={span.failure} said /> : null}
      {span.attempts.length > 0 ? <Value name={t('activity.attempts')} value={span.attempts.join('\n')} /> : null}
      {redacted ? <Notice>{t('runs.redactedStep')}</Notice> : (
        <>
          <Value name={t(span.kind === 'model' ? 'runs.newInput' : 'activity.input')} value={span.input} said={span.kind === 'wait' && serverAsks.has(span.what)} />
          <Value name={t('activity.output')} value={output(span)} />
        </>
      )}
      <div className={styles.buttons}>
        {span.childRunId && span.childRunId !== root ? <Link to={`/runs/${span.childRunId}`}>{t('activity.openRun')}</Link> : null}
        {onRetry ? <Button size="s" onClick={() => { onRetry(span); }}>{t('runs.retryHere')}</Button> : null}
        <Button size="s" kind="ghost" onClick={() => { onEvents(span); }}>{t('runs.showEvents')}</Button>
      </div>
    </section>
  );
}

function SpanFacts({ span, now }: { span: Span; now: number }) {
  const { t } = useTranslation();
  const format = useFormat();
  const fact = (name: string, value: string): [string, string] | null => value === '' ? null : [name, value];
  return (
    <Facts items={[
      fact(t('runs.agent'), span.agent),
      fact(t('runs.started'), format.exact(new Date(span.start))),
      span.kind === 'note' ? null : fact(t('runs.duration'), format.duration((span.end ?? Math.max(now, span.start)) - span.start)),
      fact(t('runs.latency'), span.latencyMs > 0 ? format.duration(span.latencyMs) : ''),
      fact(t('runs.firstText'), span.ttftMs > 0 ? format.duration(span.ttftMs) : ''),
      fact(t('runs.cost'), span.cost === '' ? '' : format.money(span.cost)),
      span.usage ? [t('runs.tokens'), t('runs.tokenSplit', { input: format.number(span.usage.input), cached: format.number(span.usage.cached), output: format.number(span.usage.output) })] : null,
      fact(t('runs.model'), [span.model, span.tier].filter(Boolean).join(' · ')),
      fact(t('runs.prompt'), span.promptVersion.slice(0, 12)),
      fact(t('runs.effect'), span.effect === '' ? '' : t(`runs.effects.${span.effect}`, { defaultValue: span.effect })),
    ]}
    />
  );
}
