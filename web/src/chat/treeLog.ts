import { useEffect, useMemo, useState, useSyncExternalStore } from 'react';
import { send } from '../api/client';
import { parseExact } from '../api/exact';
import { asProblem, type Problem } from '../api/problem';
import { soon } from '../app/soon';
import { isFinal, str, type RunEvent } from './events';
import { RunFeed, type RunState } from './feed';
import { applyAll, emptyFold, type ChildStep, type RunFold } from './fold';
import { pause } from './follow';

/** Stored events by run, in order. */
export type Logs = ReadonlyMap<string, readonly RunEvent[]>;

export interface LogState {
  logs: Logs;
  /** What these logs make. */
  folds: ReadonlyMap<string, RunFold>;
  loading: ReadonlySet<string>;
  failed: ReadonlyMap<string, Problem>;
}

const atOnce = 4;
const never = new AbortController().signal;

/**
 * The logs of a run and of those below it. The run's own comes by its stream; another is read when somebody wants it, and grows by what the same stream brings of it. What comes live of descendants comes without promises:
 * wherever it does not follow on what is known, the log is read on.
 */
export class TreeLog {
  readonly feed: RunFeed;
  #state: LogState = { logs: new Map(), folds: new Map(), loading: new Set(), failed: new Map() };
  #wanted = new Set<string>();
  #missed = new Set<string>();
  #waiting: string[] = [];
  #listeners = new Set<() => void>();
  #willTell = false;
  #openings = 0;
  #failures = new Map<string, number>();

  constructor(readonly runId: string, readonly read: (runId: string, after: number) => Promise<{ items: readonly RunEvent[]; more: boolean }> = readPage) {
    this.feed = new RunFeed(runId, (event) => { this.take(event); }, () => { this.#opened(); });
  }

  get state(): LogState {
    return this.#state;
  }

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    const leave = this.feed.subscribe(() => undefined);
    return () => {
      this.#listeners.delete(listener);
      leave();
    };
  };

  /** Somebody wants to see into this run. */
  readonly want = (runId: string): void => {
    if (runId === '' || runId === this.runId) return;
    this.#wanted.add(runId);
    if (this.#state.loading.has(runId) || this.#isWhole(runId)) return;
    const failed = new Map(this.#state.failed);
    failed.delete(runId);
    this.#set({ loading: new Set([...this.#state.loading, runId]), failed });
    this.#waiting.push(runId);
    this.#next();
  };

  take(event: RunEvent): void {
    const last = this.#last(event.run_id);
    if (event.run_id === this.runId || (this.#wanted.has(event.run_id) && event.seq === last + 1)) this.#append(event.run_id, [event]);
    else if (this.#wanted.has(event.run_id) && event.seq > last) this.#readOn(event.run_id);
    const child = str(event, 'child_run_id');
    if (event.type === 'child.completed' && this.#wanted.has(child) && !this.#isWhole(child)) this.#readOn(child);
  }

  #active = 0;

  #next(): void {
    while (this.#active < atOnce) {
      const runId = this.#waiting.shift();
      if (runId === undefined) return;
      this.#active++;
      void this.#load(runId).finally(() => {
        this.#active--;
        this.#next();
      });
    }
  }

  async #load(runId: string): Promise<void> {
    let problem: Problem | null = null;
    try {
      for (let more = true; more;) {
        this.#missed.delete(runId);
        const page = await this.read(runId, this.#last(runId));
        this.#append(runId, page.items);
        more = page.more || this.#missed.has(runId);
      }
      this.#failures.delete(runId);
    } catch (error) {
      problem = asProblem(error);
      if (![400, 403, 404].includes(problem.status)) void this.#again(runId);
    }
    const [loading, failed] = [new Set(this.#state.loading), new Map(this.#state.failed)];
    loading.delete(runId);
    if (problem) failed.set(runId, problem);
    this.#set({ loading, failed });
  }

  /** Nobody else would ask again: a run that waits for somebody says nothing more. */
  async #again(runId: string): Promise<void> {
    const failures = (this.#failures.get(runId) ?? 0) + 1;
    this.#failures.set(runId, failures);
    await pause(failures, never);
    if (this.#listeners.size > 0 && this.#state.failed.has(runId)) this.want(runId);
  }

  #readOn(runId: string): void {
    if (this.#state.loading.has(runId)) this.#missed.add(runId);
    else this.want(runId);
  }

  /** From the second time on: what happened meanwhile below the run was not streamed. */
  #opened(): void {
    if (this.#openings++ > 0) this.#wanted.forEach((runId) => { this.#readOn(runId); });
  }

  #append(runId: string, events: readonly RunEvent[]): void {
    const known = this.#state.logs.get(runId) ?? [];
    const last = this.#last(runId);
    const fresh = events.filter((e) => e.seq > last);
    const { fold } = applyAll(this.#state.folds.get(runId) ?? emptyFold(runId), fresh);
    this.#set({ logs: new Map(this.#state.logs).set(runId, [...known, ...fresh]), folds: new Map(this.#state.folds).set(runId, fold) });
  }

  #last(runId: string): number {
    return this.#state.logs.get(runId)?.at(-1)?.seq ?? 0;
  }

  #isWhole(runId: string): boolean {
    const last = this.#state.logs.get(runId)?.at(-1);
    return last !== undefined && isFinal(last);
  }

  #set(change: Partial<LogState>): void {
    this.#state = { ...this.#state, ...change };
    if (this.#willTell) return;
    this.#willTell = true;
    soon(() => {
      this.#willTell = false;
      this.#listeners.forEach((l) => { l(); });
    });
  }
}

async function readPage(runId: string, after: number): Promise<{ items: readonly RunEvent[]; more: boolean }> {
  // The route answers with a stream or a page, by what is asked for; its description knows only the stream.
  const response = await send(`/api/v1/runs/${encodeURIComponent(runId)}/events?after=${after}&limit=200`, { headers: { accept: 'application/json' } });
  const page = parseExact(await response.text()) as { items: RunEvent[]; next_after?: number | null };
  return { items: page.items, more: typeof page.next_after === 'number' };
}

/** Follows the run, and keeps the logs that were read, while the component is there. */
export function useTreeLog(runId: string): { run: RunState; log: LogState; want: (runId: string) => void } {
  const [tree] = useState(() => new TreeLog(runId));
  const log = useSyncExternalStore(tree.subscribe, () => tree.state);
  const run = useSyncExternalStore(tree.feed.subscribe, () => tree.feed.state);
  return { run, log, want: tree.want };
}

/** Plans are mostly made one step below, by whom the work was given to; there are seldom many. */
export const readAhead = 12;

/** Those below a run, as far as somebody wanted them. */
export interface Others {
  folds: ReadonlyMap<string, RunFold>;
  failed: ReadonlyMap<string, Problem>;
  want: (runId: string) => void;
}

/** The run with those below it that have something to show or to ask: the first that it gave work to, and whatever works now, however deep. The run itself is the first. */
export function useRunWithOthers(runId: string): { run: RunState; folds: readonly RunFold[]; others: Others } {
  const { run, log, want } = useTreeLog(runId);
  const folds = useMemo(() => [run.fold, ...[...log.folds.values()].filter((f) => f.runId !== runId)], [run.fold, log.folds, runId]);
  const wanted = [...childrenOf(run.fold).slice(0, readAhead), ...folds.flatMap(childrenOf).filter((c) => c.state === 'running')].map((c) => c.runId).join(' ');
  useEffect(() => {
    wanted.split(' ').forEach((id) => { want(id); });
  }, [wanted, want]);
  const others = useMemo(() => ({ folds: log.folds, failed: log.failed, want }), [log, want]);
  return { run, folds, others };
}

function childrenOf(fold: RunFold): ChildStep[] {
  return fold.steps.filter((step) => step.kind === 'child');
}
