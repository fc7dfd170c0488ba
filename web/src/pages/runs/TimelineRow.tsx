import { Bot, BrainCircuit, ChevronRight, CircleAlert, CircleDashed, CirclePause, CircleSlash, Wrench } from 'lucide-react';
import { useTranslation } from 'react-i18next';
import { useFormat } from '../../i18n/format';
import { bar, type Span, type SpanRow } from './spans';
import { useSpanText } from './spanText';
import styles from './Timeline.module.css';

interface Props {
  id: string;
  row: SpanRow;
  index: number;
  top: number;
  height: number;
  range: { start: number; end: number };
  now: number;
  loading: boolean;
  /** Who did it, where that is not plain from the run it stands in. */
  by: string;
  selected: boolean;
  onSelect: (id: string) => void;
  onToggle: (row: SpanRow, open: boolean) => void;
}

const deepest = 8;

export function TimelineRow({ id, row, index, top, height, range, now, loading, by, selected, onSelect, onToggle }: Props) {
  const { t } = useTranslation();
  const format = useFormat();
  const name = useSpanText();
  const { span } = row;
  const { left, width } = bar(span, range, now);
  const took = span.kind === 'note' ? '' : format.duration((span.end ?? Math.max(now, span.start)) - span.start);
  return (
    <div
      id={id} role="row" className={styles.row} aria-rowindex={index + 2} aria-level={row.level} aria-posinset={row.position} aria-setsize={row.siblings} aria-selected={selected} aria-expanded={row.expandable ? row.open : undefined} aria-busy={loading || undefined}
      data-state={span.state} data-kind={span.kind} style={{ height, transform: `translateY(${top}px)` }} onClick={() => { onSelect(span.id); }} onDoubleClick={() => { if (row.expandable) onToggle(row, !row.open); }}
    >
      <div role="gridcell" className={styles.name} style={{ paddingInlineStart: `${Math.min(row.level - 1, deepest) * 14}px` }}>
        {row.expandable ? (
          <span
            className={styles.toggle} aria-hidden onDoubleClick={(e) => { e.stopPropagation(); }}
            onClick={(e) => {
              e.stopPropagation();
              onSelect(span.id);
              onToggle(row, !row.open);
            }}
          >
            <ChevronRight size={15} className={styles.chevron} />
          </span>
        ) : <span className={styles.toggle} aria-hidden />}
        <SpanIcon span={span} />
        <span className={styles.title} title={name(span)}>{name(span)}</span>
        {span.state === 'done' ? null : <span className={styles.state}>{t(`runs.spanState.${span.state}`)}</span>}
        {by ? <span className={styles.agent}>{by}</span> : null}
      </div>
      <div role="gridcell" className={styles.track}><span aria-hidden className={styles.bar} style={{ left: `${left * 100}%`, width: `${width * 100}%` }} /><span className="sr-only">{t('runs.after', { time: format.duration(Math.max(0, span.start - range.start)) })}</span></div>
      <div role="gridcell" className={styles.number}>{loading ? t('state.loading') : took}</div>
    </div>
  );
}

export function SpanIcon({ span }: { span: Span }) {
  const Icon = span.state === 'failed' ? CircleAlert : span.state === 'cancelled' ? CircleSlash : { run: Bot, model: BrainCircuit, tool: Wrench, wait: CirclePause, note: CircleDashed }[span.kind];
  return <Icon size={15} aria-hidden className={styles.icon} />;
}
