import { useVirtualizer } from '@tanstack/react-virtual';
import { ChevronRight, Copy } from 'lucide-react';
import { useEffect, useRef, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { exactLine, exactText } from '../../api/exact';
import { Exact } from '../../chat/Activity';
import type { RunEvent } from '../../chat/events';
import { useFormat } from '../../i18n/format';
import { Button, IconButton } from '../../ui/Button';
import { useCopy } from '../../ui/clipboard';
import { Select, TextField } from '../../ui/Field';
import { EmptyState } from '../../ui/Layout';
import { useToast } from '../../ui/Toast';
import type { Logs } from '../../chat/treeLog';
import styles from './Events.module.css';

interface Props {
  logs: Logs;
  /** What a run is called. */
  nameOf: (runId: string) => string;
  runId: string;
  onRun: (runId: string) => void;
  /** The event to begin at. */
  at: number;
}

/** The log as it lies in the database. */
export function Events({ logs, nameOf, runId, onRun, at }: Props) {
  const { t } = useTranslation();
  const toast = useToast();
  const copyText = useCopy();
  const [text, setText] = useState('');
  const log = logs.get(runId) ?? [];
  const events = filterEvents(log, text);
  const copy = (value: string) => void copyText(value).then((could) => { if (could) toast(t('action.copied')); });
  return (
    <div className={styles.events}>
      <div className={styles.tools}>
        {logs.size > 1 ? <Select label={t('runs.run')} value={runId} onChange={(e) => { onRun(e.target.value); }} options={[...logs.keys()].map((id) => ({ value: id, label: nameOf(id) }))} /> : null}
        <TextField label={t('runs.filterEvents')} type="search" value={text} onChange={(e) => { setText(e.target.value); }} />
        <Button icon={<Copy size={15} aria-hidden />} disabled={events.length === 0} onClick={() => { copy(events.map(exactLine).join('\n')); }}>{t('runs.copyAll', { count: events.length })}</Button>
      </div>
      {events.length === 0 ? <EmptyState title={t('runs.noEvents')} /> : <EventList key={`${runId}-${at}`} events={events} at={at} onCopy={copy} />}
    </div>
  );
}

/** Events whose JSON has every word. */
export function filterEvents(log: readonly RunEvent[], text: string): readonly RunEvent[] {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  if (words.length === 0) return log;
  return log.filter((e) => {
    const json = exactLine(e).toLowerCase();
    return words.every((w) => json.includes(w));
  });
}

function EventList({ events, at, onCopy }: { events: readonly RunEvent[]; at: number; onCopy: (text: string) => void }) {
  const { t } = useTranslation();
  const scroll = useRef<HTMLDivElement>(null);
  const [open, setOpen] = useState<ReadonlySet<number>>(() => new Set(at > 0 ? [at] : []));
  const start = useRef(at > 0 ? Math.max(0, events.findIndex((e) => e.seq === at)) : -1);
  // The library's own list of functions is what the compiler of React must not memoise; nothing here does.
  // eslint-disable-next-line react-hooks/incompatible-library
  const rows = useVirtualizer({ count: events.length, getScrollElement: () => scroll.current, estimateSize: () => 36, overscan: 8, getItemKey: (i) => events[i]?.seq ?? i });
  useEffect(() => {
    if (start.current >= 0) rows.scrollToIndex(start.current, { align: 'start' });
    start.current = -1;
  }, [rows]);
  const toggle = (seq: number) => {
    const next = new Set(open);
    if (!next.delete(seq)) next.add(seq);
    setOpen(next);
  };
  return (
    <div ref={scroll} className={styles.scroll} tabIndex={0} role="group" aria-label={t('runs.events')}>
      <ol className={styles.list} style={{ height: rows.getTotalSize() }}>
        {rows.getVirtualItems().map((item) => {
          const event = events[item.index];
          return event ? (
            <li key={event.seq} data-index={item.index} ref={rows.measureElement} className={styles.row} style={{ transform: `translateY(${item.start}px)` }} aria-posinset={item.index + 1} aria-setsize={events.length}>
              <EventRow event={event} open={open.has(event.seq)} onToggle={() => { toggle(event.seq); }} onCopy={onCopy} />
            </li>
          ) : null;
        })}
      </ol>
    </div>
  );
}

function EventRow({ event, open, onToggle, onCopy }: { event: RunEvent; open: boolean; onToggle: () => void; onCopy: (text: string) => void }) {
  const { t } = useTranslation();
  const format = useFormat();
  return (
    <>
      <div className={styles.line}>
        <button type="button" className={styles.toggle} aria-expanded={open} onClick={onToggle}>
          <ChevronRight size={15} aria-hidden className={styles.chevron} />
          <span className={styles.seq}>{event.seq}</span>
          <code className={styles.type}>{event.type}</code>
          <span className={styles.soft}>{event.agent}</span>
          <time className={styles.time} dateTime={event.created_at}>{format.exact(event.created_at)}</time>
        </button>
        <IconButton size="s" label={t('runs.copyEvent', { seq: event.seq })} onClick={() => { onCopy(exactText(event)); }}><Copy size={14} aria-hidden /></IconButton>
      </div>
      {open ? <pre className={styles.json} tabIndex={0}><Exact value={event} /></pre> : null}
    </>
  );
}
