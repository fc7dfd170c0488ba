import { useEffect, useMemo, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { Button } from '../../ui/Button';
import { ErrorNotice } from '../../ui/Notice';
import type { Run } from './data';
import type { LogState } from '../../chat/treeLog';
import { SpanDetail } from './SpanDetail';
import { extent, rowsOf, spansOf, type Span, type SpanRow } from './spans';
import { Timeline } from './Timeline';
import styles from './Timeline.module.css';

interface Props {
  root: Span;
  view: Run;
  log: LogState;
  want: (runId: string) => void;
  now: number;
  selected: string;
  onSelect: (id: string) => void;
  onRetry: ((span: Span) => void) | undefined;
  onEvents: (span: Span) => void;
}

/** Tree and timeline of a run with those below it, and the step that is looked at. */
export function Trace({ root, view, log, want, now, selected, onSelect, onRetry, onEvents }: Props) {
  const { t } = useTranslation();
  const [choices, setChoices] = useState<ReadonlyMap<string, boolean>>(new Map());
  // Everything is to be open, also what is yet to come: new runs appear while one looks.
  const [all, setAll] = useState(false);
  const wanted = useWantedPath(view, selected);
  const rows = useMemo(() => rowsOf(root, log.logs, opened(choices, all, wanted)), [root, log.logs, choices, all, wanted]);
  const range = extent(rows, now);
  const row = rows.find((r) => r.span.id === selected) ?? rows[0];
  const open = rows.filter((r) => r.open && r.span.childRunId !== '').map((r) => r.span.childRunId).join(' ');
  useEffect(() => {
    open.split(' ').forEach((id) => { want(id); });
  }, [open, want]);

  const toggle = (at: SpanRow, isOpen: boolean) => { setChoices(new Map(choices).set(at.span.id, isOpen)); };
  const failed = [...log.failed.entries()][0];
  return (
    <div className={styles.split}>
      <div className={styles.left}>
        <div className={styles.tools}>
          <span role="status">{t('runs.stepCount', { count: rows.length })}</span>
          <Button size="s" kind="ghost" aria-pressed={all} onClick={() => { setAll(!all); setChoices(new Map()); }}>{t(all ? 'runs.closeAll' : 'runs.openAll')}</Button>
        </div>
        {failed ? <ErrorNotice error={failed[1]} retry={() => { log.failed.forEach((_, runId) => { want(runId); }); }} /> : null}
        <Timeline rows={rows} range={range} now={now} loading={log.loading} selected={row?.span.id ?? ''} onSelect={onSelect} onToggle={toggle} />
      </div>
      {row ? (
        <SpanDetail
          key={row.span.id} span={detailOf(row.span, log)} root={root.runId} now={now} redacted={row.span.event['redacted'] === true}
          onRetry={onRetry && row.span !== root && row.span.kind !== 'note' && row.span.runId === root.runId ? onRetry : undefined} onEvents={onEvents}
        />
      ) : null}
    </div>
  );
}

/** A run below knows more of itself than its parent's log does. */
function detailOf(span: Span, log: LogState): Span {
  const own = span.childRunId === span.runId ? undefined : spansOf(log.logs.get(span.childRunId) ?? []).root;
  return own ? { ...span, usage: own.usage, output: span.output || own.output, failure: span.failure || own.failure } : span;
}

function opened(choices: ReadonlyMap<string, boolean>, all: boolean, wanted: ReadonlySet<string>): (span: Span) => boolean | undefined {
  return (span) => choices.get(span.id) ?? (all || wanted.has(span.childRunId) ? true : undefined);
}

/** A link may point at a step of a run below: everything above it is opened. */
function useWantedPath(view: Run, selected: string): ReadonlySet<string> {
  const [first] = useState(selected);
  const path = useMemo(() => {
    const find = (run: Run, id: string): string[] | null => {
      if (run.id === id) return [run.id];
      for (const child of run.children ?? []) {
        const below = find(child, id);
        if (below) return [run.id, ...below];
      }
      return null;
    };
    return (find(view, first.split(':')[0] ?? '') ?? []).join(' ');
  }, [view, first]);
  return useMemo(() => new Set(path.split(' ').filter(Boolean)), [path]);
}
