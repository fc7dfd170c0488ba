import { useVirtualizer } from '@tanstack/react-virtual';
import { useId, useRef, type KeyboardEvent } from 'react';
import { useTranslation } from 'react-i18next';
import { useFormat } from '../../i18n/format';
import { TimelineRow } from './TimelineRow';
import type { SpanRow } from './spans';
import styles from './Timeline.module.css';

interface Props {
  rows: readonly SpanRow[];
  range: { start: number; end: number };
  now: number;
  /** Runs whose logs are being read. */
  loading: ReadonlySet<string>;
  selected: string;
  onSelect: (id: string) => void;
  onToggle: (row: SpanRow, open: boolean) => void;
}

const height = 36;
const headHeight = 32;

/** The steps as a tree, and beside each when it was: windowed, because a run may have thousands. One stop for the Tab key; arrows move within. */
export function Timeline({ rows, range, now, loading, selected, onSelect, onToggle }: Props) {
  const { t } = useTranslation();
  const format = useFormat();
  const id = useId();
  const scroll = useRef<HTMLDivElement>(null);
  // The library's own list of functions is what the compiler of React must not memoise; nothing here does.
  // eslint-disable-next-line react-hooks/incompatible-library
  const shown = useVirtualizer({ count: rows.length, getScrollElement: () => scroll.current, estimateSize: () => height, overscan: 12, getItemKey: (i) => rows[i]?.span.id ?? i, scrollPaddingStart: headHeight, paddingStart: headHeight });
  const at = Math.max(0, rows.findIndex((r) => r.span.id === selected));
  const items = shown.getVirtualItems();

  const go = (index: number) => {
    const row = rows[Math.min(rows.length - 1, Math.max(0, index))];
    if (!row) return;
    onSelect(row.span.id);
    shown.scrollToIndex(Math.min(rows.length - 1, Math.max(0, index)));
  };
  const onKey = (event: KeyboardEvent) => {
    const row = rows[at];
    if (!row || event.altKey || event.ctrlKey || event.metaKey) return;
    const act = keys[event.key];
    if (!act) return;
    event.preventDefault();
    act({ row, at, count: rows.length, go, toggle: (open) => { onToggle(row, open); } });
  };

  return (
    <div
      ref={scroll} className={styles.grid} role="treegrid" tabIndex={0} aria-label={t('runs.timeline')} aria-rowcount={rows.length + 1} aria-colcount={3} aria-activedescendant={items.some((i) => i.index === at) ? `${id}-${at}` : undefined} onKeyDown={onKey}
    >
      <div role="row" aria-rowindex={1} className={styles.head}>
        <div role="columnheader" className={styles.name}>{t('runs.step')}</div>
        <div role="columnheader" className={styles.track}>
          <span className="sr-only">{t('runs.when')}</span>
          {[0, 0.25, 0.5, 0.75].map((share) => <span key={share} aria-hidden className={`${styles.tick} ${share % 0.5 === 0 ? '' : styles.minor}`} style={{ left: `${share * 100}%` }}>{format.duration((range.end - range.start) * share)}</span>)}
        </div>
        <div role="columnheader" className={styles.number}>{t('runs.duration')}</div>
      </div>
      <div role="rowgroup" className={styles.rows} style={{ height: shown.getTotalSize() - headHeight }}>
        {items.map((item) => {
          const row = rows[item.index];
          return row ? (
            <TimelineRow
              key={row.span.id} id={`${id}-${item.index}`} row={row} index={item.index} top={item.start - headHeight} height={height} range={range} now={now} loading={loading.has(row.span.childRunId)} by={byWhom(rows, row)} selected={item.index === at}
              onSelect={onSelect} onToggle={onToggle}
            />
          ) : null;
        })}
      </div>
    </div>
  );
}

/** After a handoff a run has steps of another agent than the one it began with. */
function byWhom(rows: readonly SpanRow[], row: SpanRow): string {
  let above = rows[row.parent];
  while (above && above.span.kind !== 'run') above = rows[above.parent];
  return row.span.kind === 'run' || row.span.agent === above?.span.agent ? '' : row.span.agent;
}

interface Keyed {
  row: SpanRow;
  at: number;
  count: number;
  go: (index: number) => void;
  toggle: (open: boolean) => void;
}

const pageOfRows = 10;

/** As the pattern for tree grids has it (WAI-ARIA APG). */
const keys: Partial<Record<string, (k: Keyed) => void>> = {
  ArrowDown: ({ at, go }) => { go(at + 1); },
  ArrowUp: ({ at, go }) => { go(at - 1); },
  PageDown: ({ at, go }) => { go(at + pageOfRows); },
  PageUp: ({ at, go }) => { go(at - pageOfRows); },
  Home: ({ go }) => { go(0); },
  End: ({ count, go }) => { go(count - 1); },
  ArrowRight: ({ row, at, go, toggle }) => {
    if (row.expandable && !row.open) toggle(true);
    else if (row.open) go(at + 1);
  },
  ArrowLeft: ({ row, go, toggle }) => {
    if (row.open) toggle(false);
    else if (row.parent >= 0) go(row.parent);
  },
  Enter: ({ row, toggle }) => { if (row.expandable) toggle(!row.open); },
  ' ': ({ row, toggle }) => { if (row.expandable) toggle(!row.open); },
};
