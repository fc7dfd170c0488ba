import { defaultRangeExtractor, useVirtualizer } from '@tanstack/react-virtual';
import { useEffect, useEffectEvent, useLayoutEffect, useRef, type ReactNode } from 'react';
import { usePrinting } from '../../ui/paper';
import { useRunsBackTo, type useConversationRuns } from './data';
import type { Item } from './items';
import styles from './Rows.module.css';

interface RowsProps {
  items: readonly Item[];
  /** Which of them is there wherever one looks; below 0: none. */
  followed: number;
  /** The message that the address names. */
  named: string | undefined;
  /** Where it is to be gone to; below 0: nowhere. */
  place: number;
  onPlace: () => void;
  /** Called before anything is painted that has another height. */
  onGrown: () => void;
  runs: ReturnType<typeof useConversationRuns>;
  children: (item: Item) => ReactNode;
}

/** Of a conversation those rows that are in view of the box around them, and on paper all. */
export function Rows({ items, followed, named, place, onPlace, onGrown, runs, children }: RowsProps) {
  const list = useRef<HTMLDivElement>(null);
  // The run that works is followed wherever one looks: its end is what shows that the next one begins.
  // The library's own list of functions is what the compiler of React must not memoise; nothing here does.
  // eslint-disable-next-line react-hooks/incompatible-library
  const rows = useVirtualizer({ count: items.length, getScrollElement: () => list.current?.parentElement ?? null, estimateSize: () => 160, overscan: 6, getItemKey: (i) => items[i]?.key ?? i, paddingEnd: 24, rangeExtractor: (range) => [...new Set([...defaultRangeExtractor(range), ...followed < 0 ? [] : [followed]])].sort((a, b) => a - b) });
  const height = rows.getTotalSize();
  const inView = rows.getVirtualItems();
  useRunsBackTo(oldestOf(inView.map((row) => items[row.index])), runs);
  useLayoutEffect(onGrown, [onGrown, height]);
  const go = useEffectEvent(onPlace);
  useEffect(() => {
    if (place < 0) return;
    go();
    rows.scrollToIndex(place, { align: 'start' });
  }, [place, rows]);

  // Those that are not in view are there for the paper alone: on the screen nothing moves.
  const printing = usePrinting();
  const drawn = printing ? items.map((_, index) => inView.find((row) => row.index === index) ?? { index, start: null }) : inView;
  return (
    <div ref={list} className={styles.rows} style={{ height }}>
      {drawn.map(({ index, start }) => {
        const item = items[index];
        if (!item) return null;
        return (
          <div
            key={item.key} data-index={index} ref={start === null ? undefined : rows.measureElement} className={styles.row} data-paper={start === null || undefined}
            data-named={(item.kind === 'message' && item.message.id === named) || undefined} style={{ transform: `translateY(${start ?? 0}px)` }}
          >
            {children(item)}
          </div>
        );
      })}
    </div>
  );
}

/** The run of the oldest message that is in view; ids grow with time. */
function oldestOf(items: readonly (Item | undefined)[]): string | undefined {
  return items.flatMap((item) => item?.kind === 'message' && item.message.run_id ? [item.message.run_id] : []).sort()[0];
}
