import { isFinal, num, str, type RunEvent } from '../../chat/events';
import type { Logs } from '../../chat/treeLog';

export type SpanKind = 'run' | 'model' | 'tool' | 'wait' | 'note';
export type SpanState = 'running' | 'waiting' | 'done' | 'failed' | 'cancelled' | 'off';

/** One thing that a run did: from when to when, what went in, what came out. */
export interface Span {
  /** The same in every reading of the log: run and number of the event that began it. */
  id: string;
  kind: SpanKind;
  /** The run whose log it stands in. */
  runId: string;
  /** Number of the event that began it. */
  seq: number;
  /** Number of the newest event about it. */
  lastSeq: number;
  /** A run of its own, with a log of its own; else empty. */
  childRunId: string;
  /** Tool, purpose of the model call, what is waited for, or the type of the event. */
  what: string;
  agent: string;
  task: string;
  state: SpanState;
  start: number;
  /** Null: it goes on. */
  end: number | null;
  input: unknown;
  output: unknown;
  failure: string;
  cost: string;
  model: string;
  tier: string;
  promptVersion: string;
  usage: { input: number; cached: number; output: number } | null;
  latencyMs: number;
  ttftMs: number;
  attempts: readonly string[];
  effect: string;
  tainted: boolean;
  cached: boolean;
  event: RunEvent;
  children: Span[];
}

/** What a run's log says about the run as a whole, and its steps in the order in which they began. */
export interface RunSpans {
  root: Span | null;
  redacted: boolean;
}

const made = new WeakMap<readonly RunEvent[], RunSpans>();

/** Spans of one log. Logs are never changed but replaced, so each is read once. */
export function spansOf(log: readonly RunEvent[]): RunSpans {
  let found = made.get(log);
  if (!found) {
    found = new Reader().read(log);
    made.set(log, found);
  }
  return found;
}

const notes: ReadonlySet<string> = new Set(['handoff', 'guard.hinted', 'guard.stopped', 'context.reduced', 'cache.hit', 'speaker.selected', 'citation.dropped', 'plan.created']);

class Reader {
  #root: Span | null = null;
  #open = new Map<string, Span>();
  /** What the next model call reads that the one before did not. */
  #news: string[] = [];

  read(log: readonly RunEvent[]): RunSpans {
    for (const event of log) this.#take(event);
    // Of a shared run single events are redacted; what was said is there.
    return { root: this.#root, redacted: log.length > 0 && log.every((e) => e['redacted'] === true) };
  }

  #take(e: RunEvent): void {
    this.#root ??= span('run', e, str(e, 'pattern'), { id: e.run_id, childRunId: e.run_id, input: str(e, 'input'), agent: e.agent ?? '' });
    this.#root.lastSeq = e.seq;
    if (isFinal(e)) this.#end(e);
    else if (notes.has(e.type) || (e.type === 'plan.updated' && str(e, 'verdict') !== '')) this.#begin(span('note', e, e.type, { state: e.type === 'guard.stopped' ? 'failed' : 'done', end: time(e) }), '');
    else if (e.type.startsWith('model.') || e.type.startsWith('message.')) this.#takeModel(e);
    else if (e.type.startsWith('tool.')) this.#takeTool(e);
    else if (e.type.startsWith('child.')) this.#takeChild(e);
    else this.#takeWait(e);
  }

  #takeModel(e: RunEvent): void {
    const key = `model-${str(e, 'message_id')}`;
    const call = this.#open.get(key);
    switch (e.type) {
      case 'model.requested':
        this.#begin(span('model', e, str(e, 'purpose') || 'answer', { model: str(e, 'model'), tier: str(e, 'tier'), promptVersion: str(e, 'prompt_version'), input: this.#news.join('\n\n') }), key);
        this.#news = [];
        break;
      case 'model.completed':
        if (call) close(call, e, 'done', {
          output: [str(e, 'text'), ...calls(e)].filter(Boolean).join('\n\n'), model: str(e, 'model') || call.model, tier: str(e, 'tier') || call.tier, usage: usage(e), ttftMs: num(e, 'ttft_ms'),
          attempts: Array.isArray(e['attempts']) ? e['attempts'].map(String) : [], cached: e['cached'] === true,
        });
        break;
      case 'model.failed':
        if (call) close(call, e, stopped(str(e, 'error_class')), { failure: str(e, 'detail') || str(e, 'error_class'), usage: usage(e) });
        break;
      case 'message.superseded':
        if (call) close(call, e, 'off', { failure: str(e, 'reason') });
        break;
      case 'message.completed':
        if (this.#root) this.#root.output = str(e, 'text');
    }
  }

  #takeTool(e: RunEvent): void {
    const key = `call-${num(e, 'call')}`;
    if (e.type === 'tool.started') {
      const before = this.#open.get(key); // repeated after a crash
      if (before?.end === null) close(before, e, 'off');
      this.#begin(span('tool', e, str(e, 'tool'), { input: e['arguments'], effect: str(e, 'effect') }), key);
      return;
    }
    // A call that was refused has a result without a start.
    const call = this.#open.get(key) ?? this.#begin(span('tool', e, str(e, 'tool')), key);
    if (e.type === 'tool.completed') close(call, e, 'done', { output: str(e, 'result') });
    else if (e.type === 'tool.failed') close(call, e, stopped(str(e, 'kind')), { output: str(e, 'result'), failure: str(e, 'kind') });
    this.#hear(str(e, 'tool'), str(e, 'result'));
  }

  #takeChild(e: RunEvent): void {
    const key = `child-${str(e, 'child_run_id')}`;
    if (e.type === 'child.started') {
      const child = span('run', e, str(e, 'task_id'), { childRunId: str(e, 'child_run_id'), agent: str(e, 'child_agent'), task: str(e, 'task'), input: str(e, 'task') });
      this.#begin(child, key, this.#open.get(`call-${num(e, 'call')}`));
      return;
    }
    const child = this.#open.get(key);
    if (!child) return;
    const status = str(e, 'status');
    close(child, e, status === 'failed' || status === 'cancelled' ? status : 'done', status === 'failed' ? { failure: str(e, 'result') } : { output: str(e, 'result') });
    if (num(e, 'call') === 0) this.#hear(child.agent, str(e, 'result'));
  }

  #takeWait(e: RunEvent): void {
    const wait = (what: string, key: string, more: Partial<Span>) => this.#begin(span('wait', e, what, { state: 'waiting', ...more }), key, this.#running(`call-${num(e, 'call')}`));
    const over = (key: string, state: SpanState, output: string) => {
      const found = this.#open.get(key);
      if (found) close(found, e, state, { output });
    };
    switch (e.type) {
      case 'approval.requested': wait('approval', `approval-${str(e, 'approval_id')}`, { task: str(e, 'tool'), input: e['arguments'] }); break;
      case 'approval.granted': over(`approval-${str(e, 'approval_id')}`, 'done', str(e, 'by')); break;
      case 'approval.denied': over(`approval-${str(e, 'approval_id')}`, 'failed', str(e, 'reason')); break;
      case 'approval.expired': over(`approval-${str(e, 'approval_id')}`, 'failed', ''); break;
      case 'input.requested': wait('question', `input-${num(e, 'call')}`, { input: str(e, 'question') }); break;
      case 'input.received': over(`input-${num(e, 'call')}`, 'done', str(e, 'text')); break;
      case 'run.needs_review': wait('review', `review-${num(e, 'call')}`, { task: str(e, 'tool'), input: str(e, 'reason') }); break;
      case 'review.resolved': over(`review-${num(e, 'call')}`, 'done', [str(e, 'outcome'), str(e, 'result')].filter(Boolean).join(': ')); break;
      case 'timer.started': wait('timer', `timer-${str(e, 'purpose')}`, { input: str(e, 'reason') }); break;
      case 'timer.fired': over(`timer-${str(e, 'purpose')}`, 'done', ''); break;
      case 'run.queued': this.#hear('', str(e, 'input')); break;
    }
  }

  #running(key: string): Span | undefined {
    const found = this.#open.get(key);
    return found?.end === null ? found : undefined;
  }

  #hear(from: string, text: string): void {
    if (text !== '') this.#news.push(from === '' ? text : `${from}: ${text}`);
  }

  #begin(step: Span, key: string, parent: Span | undefined = this.#root ?? undefined): Span {
    parent?.children.push(step);
    if (key !== '') this.#open.set(key, step);
    return step;
  }

  #end(e: RunEvent): void {
    if (!this.#root) return;
    const state = e.type === 'run.completed' ? 'done' : e.type === 'run.failed' ? 'failed' : 'cancelled';
    for (const step of this.#open.values()) {
      if (step.end === null) close(step, e, 'cancelled');
    }
    close(this.#root, e, state, { failure: state === 'done' ? '' : str(e, 'reason'), cost: str(e, 'tree_cost_usd') || str(e, 'cost_usd'), usage: usage(e) });
  }
}

function span(kind: SpanKind, e: RunEvent, what: string, more: Partial<Span> = {}): Span {
  return {
    id: `${e.run_id}:${e.seq}`, kind, runId: e.run_id, seq: e.seq, lastSeq: e.seq, childRunId: '', what, agent: e.agent ?? '', task: '', state: 'running', start: time(e), end: null, input: '', output: '', failure: '', cost: '',
    model: '', tier: '', promptVersion: '', usage: null, latencyMs: 0, ttftMs: 0, attempts: [], effect: '', tainted: e['tainted'] === true, cached: false, event: e, children: [], ...more,
  };
}

function close(step: Span, e: RunEvent, state: SpanState, more: Partial<Span> = {}): void {
  // What took the place of a finished text ended no later than it did.
  const end = step.end ?? Math.max(step.start, time(e));
  Object.assign(step, { state, end, lastSeq: e.seq, cost: str(e, 'cost_usd') || step.cost, latencyMs: num(e, 'latency_ms') || num(e, 'duration_ms') || step.latencyMs, tainted: step.tainted || e['tainted'] === true, ...more });
}

/** Whoever stops a run makes nothing fail. */
function stopped(kind: string): SpanState {
  return kind === 'cancelled' || kind === 'interrupted' ? 'cancelled' : 'failed';
}

function time(e: RunEvent): number {
  const at = Date.parse(e.created_at);
  return Number.isNaN(at) ? 0 : at;
}

function usage(e: RunEvent): Span['usage'] {
  const value = e['usage'];
  if (typeof value !== 'object' || value === null) return null;
  const count = (name: string) => {
    const n = (value as Record<string, unknown>)[name];
    return typeof n === 'number' ? n : 0;
  };
  return { input: count('input_tokens'), cached: count('cached_tokens'), output: count('output_tokens') };
}

function calls(e: RunEvent): string[] {
  if (!Array.isArray(e['tool_calls'])) return [];
  return e['tool_calls'].filter((c): c is Record<string, unknown> => typeof c === 'object' && c !== null)
    .map((c) => `→ ${typeof c['tool'] === 'string' ? c['tool'] : '?'} ${typeof c['arguments'] === 'string' ? c['arguments'] : JSON.stringify(c['arguments'] ?? {})}`);
}

export function childrenOf(step: Span, logs: Logs, root: string): readonly Span[] {
  if (step.childRunId === '' || step.childRunId === root) return step.children;
  const log = logs.get(step.childRunId);
  return log ? [...step.children, ...spansOf(log).root?.children ?? []] : step.children;
}

export interface SpanRow {
  span: Span;
  /** From 1. */
  level: number;
  parent: number;
  expandable: boolean;
  open: boolean;
  position: number;
  siblings: number;
}

/**
 * The tree as the rows that are to be seen. Open unless `choice` says otherwise: the run itself and calls with something below them; runs below it are closed, their logs are read when somebody opens them.
 * A run stands below itself in no honest log, and never here.
 */
export function rowsOf(root: Span, logs: Logs, choice: (span: Span) => boolean | undefined): SpanRow[] {
  const rows: SpanRow[] = [];
  const add = (step: Span, level: number, parent: number, position: number, siblings: number, above: ReadonlySet<string>) => {
    const ring = step.childRunId !== '' && above.has(step.childRunId);
    const children = ring ? [] : childrenOf(step, logs, root.runId);
    const unread = !ring && step.childRunId !== '' && step.childRunId !== root.runId && !logs.has(step.childRunId);
    const expandable = children.length > 0 || unread;
    const open = expandable && (choice(step) ?? (step.childRunId === '' || step.childRunId === root.runId));
    const index = rows.push({ span: step, level, parent, expandable, open, position, siblings }) - 1;
    if (!open) return;
    const below = step.childRunId === '' ? above : new Set([...above, step.childRunId]);
    children.forEach((child, i) => { add(child, level + 1, index, i + 1, children.length, below); });
  };
  add(root, 1, -1, 1, 1, new Set());
  return rows;
}

/** From the first to the last moment of all rows; what goes on reaches to now. */
export function extent(rows: readonly SpanRow[], now: number): { start: number; end: number } {
  let start = Infinity;
  let end = -Infinity;
  for (const { span: s } of rows) {
    start = Math.min(start, s.start);
    end = Math.max(end, s.end ?? Math.max(now, s.start));
  }
  return rows.length === 0 ? { start: now, end: now } : { start, end };
}

/** Where a span's bar lies, in shares of the whole. */
export function bar(step: Span, range: { start: number; end: number }, now: number): { left: number; width: number } {
  const whole = Math.max(1, range.end - range.start);
  const left = Math.min(1, Math.max(0, (step.start - range.start) / whole));
  const end = Math.min(1, Math.max(left, ((step.end ?? Math.max(now, step.start)) - range.start) / whole));
  return { left, width: end - left };
}

/** The step to repeat from: the last of the run's own that did not come to its end. */
export function failedStep(root: Span): Span | undefined {
  let last: Span | undefined;
  const look = (step: Span) => {
    if (step !== root && step.kind !== 'note' && (step.state === 'failed' || step.state === 'cancelled') && (!last || step.seq > last.seq)) last = step;
    step.children.forEach(look);
  };
  look(root);
  return last;
}
