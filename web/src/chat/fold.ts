import { numbered, toCitations, type Citation, type Numbered } from './citations';
import { isFinal, isPiece, num, str, type RunEvent } from './events';

export type ToolState = 'running' | 'waiting' | 'done' | 'failed';

export interface ToolStep {
  kind: 'tool';
  key: string;
  call: number;
  agent: string;
  tool: string;
  arguments: unknown;
  effect: string;
  state: ToolState;
  result: string;
  failure: string;
  progress: string;
  startedAt: string;
  durationMs: number;
  tainted: boolean;
}

export interface ModelStep {
  kind: 'model';
  key: string;
  messageId: string;
  agent: string;
  purpose: string;
  tier: string;
  model: string;
  text: string;
  reasoning: string;
  state: 'writing' | 'done' | 'failed' | 'superseded';
  failure: string;
  cost: string;
  latencyMs: number;
  attempts: readonly string[];
  cached: boolean;
  startedAt: string;
}

export interface ChildStep {
  kind: 'child';
  key: string;
  runId: string;
  agent: string;
  task: string;
  taskId: string;
  state: 'running' | 'completed' | 'failed' | 'cancelled';
  result: string;
  cost: string;
  startedAt: string;
}

export interface NoteStep {
  kind: 'note';
  key: string;
  /** The event's type: handoff, guard.stopped, context.reduced … */
  what: string;
  agent: string;
  event: RunEvent;
  startedAt: string;
}

export type Step = ToolStep | ModelStep | ChildStep | NoteStep;

export interface PlanTask {
  id: string;
  agent: string;
  task: string;
  depends_on: readonly string[];
  status: string;
  child_run_id?: string;
  result?: string;
  note?: string;
  tries?: number;
}

export interface Approval {
  id: string;
  call: number;
  tool: string;
  arguments: unknown;
  hash: string;
  approver: string;
  reason: string;
  origin: string;
  expiresAt: string;
  state: 'pending' | 'granted' | 'denied' | 'expired';
}

export interface Question {
  call: number;
  callId: string;
  question: string;
  options: readonly string[];
  expiresAt: string;
}

/** Everything that a view shows of a run, as its events make it. Immutable: a new one for each event that changes something. */
export interface RunFold {
  runId: string;
  seq: number;
  n: number;
  status: string;
  team: string;
  input: string;
  /** Who works now. */
  agent: string;
  steps: readonly Step[];
  /** The message that is being written or was given: the text of the answer. */
  answer: { messageId: string; text: string; agent: string; model: string; tier: string; complete: boolean; interrupted: boolean; cutBy: string; tainted: boolean; citations: readonly Citation[] } | null;
  /** What tools and other agents brought along that an answer may cite: marks in a text that is still being written stand for these. */
  sources: readonly Citation[];
  plan: { goal: string; tasks: readonly PlanTask[]; replans: number } | null;
  approvals: readonly Approval[];
  question: Question | null;
  review: { call: number; callId: string; tool: string; reason: string; repeatAfter: string } | null;
  failure: { code: string; reason: string } | null;
  costUsd: string;
  usage: { input: number; cached: number; output: number } | null;
  startedAt: string;
  endedAt: string;
}

export function emptyFold(runId: string): RunFold {
  return { runId, seq: 0, n: 0, status: 'queued', team: '', input: '', agent: '', steps: [], answer: null, sources: [], plan: null, approvals: [], question: null, review: null, failure: null, costUsd: '', usage: null, startedAt: '', endedAt: '' };
}

export type Folded = { fold: RunFold; gap: boolean };

/**
 * The next state. What is known already changes nothing; what does not follow on what is known changes nothing either and is a gap: ask for the events after `seq` again.
 * So duplicates, reconnects and lost pieces in any order lead to the same state as the log read from its beginning.
 */
export function apply(fold: RunFold, event: RunEvent): Folded {
  if (event.run_id !== fold.runId) return { fold, gap: false };
  if (isPiece(event)) return applyPiece(fold, event);
  if (event.seq <= fold.seq) return { fold, gap: false };
  if (event.seq !== fold.seq + 1) return { fold, gap: true };
  const next = applyStored({ ...fold, seq: event.seq, n: 0 }, event);
  return { fold: next, gap: false };
}

export function applyAll(fold: RunFold, events: readonly RunEvent[]): Folded {
  let gap = false;
  for (const event of events) {
    const next = apply(fold, event);
    fold = next.fold;
    gap ||= next.gap;
  }
  return { fold, gap };
}

/**
 * Where a reader stands who came in the middle: the server says first what text there is, as a snapshot. If the first piece is a thought or a tool's progress instead, there was none, and what was thought before it
 * comes with the stored event.
 */
export function joined(fold: RunFold, event: RunEvent): RunFold {
  const n = event.n ?? 0;
  if (event.seq !== fold.seq || n <= fold.n) return fold;
  if (event.type !== 'tool.progress' && (event.type !== 'reasoning.delta' || writtenOf(fold, str(event, 'message_id')) !== '')) return fold;
  return { ...fold, n: n - 1 };
}

function writtenOf(fold: RunFold, messageId: string): string {
  return fold.steps.find((s): s is ModelStep => s.kind === 'model' && s.messageId === messageId)?.text ?? '';
}

function applyPiece(fold: RunFold, event: RunEvent): Folded {
  const n = event.n ?? 0;
  if (event.seq < fold.seq || (event.seq === fold.seq && n <= fold.n)) return { fold, gap: false };
  if (event.seq > fold.seq) return { fold, gap: true };
  if (event.type !== 'message.snapshot' && n !== fold.n + 1) return { fold, gap: true };
  const moved = { ...fold, n };
  if (event.type === 'tool.progress') {
    return { fold: changeTool(moved, num(event, 'call'), (step) => ({ ...step, progress: str(event, 'text') })), gap: false };
  }
  const messageId = str(event, 'message_id');
  const text = str(event, 'text');
  const changed = changeModel(moved, messageId, (step) => event.type === 'reasoning.delta'
    ? { ...step, reasoning: step.reasoning + text }
    : event.type === 'message.snapshot' ? { ...step, text, reasoning: str(event, 'reasoning') || step.reasoning } : { ...step, text: step.text + text });
  return { fold: withWriting(changed, messageId), gap: false };
}

/** The text that is being written is shown where the answer will be, if it may become the answer. */
function withWriting(fold: RunFold, messageId: string): RunFold {
  const step = fold.steps.find((s): s is ModelStep => s.kind === 'model' && s.messageId === messageId);
  if (!step || step.purpose !== 'answer') return fold;
  return { ...fold, answer: { messageId, text: step.text, agent: step.agent, model: step.model, tier: step.tier, complete: false, interrupted: false, cutBy: '', tainted: false, citations: [] } };
}

function withoutWriting(fold: RunFold, messageId: string): RunFold {
  return fold.answer && !fold.answer.complete && fold.answer.messageId === messageId ? { ...fold, answer: null } : fold;
}

type Handler = (fold: RunFold, event: RunEvent) => RunFold;

const handlers: Record<string, Handler> = {
  'run.queued': (fold, e) => ({ ...fold, team: str(e, 'team'), input: str(e, 'input'), startedAt: e.created_at }),
  'run.started': (fold, e) => ({ ...fold, status: 'running', agent: e.agent ?? fold.agent, review: null }),
  'model.requested': (fold, e) => ({
    ...fold, status: 'running', agent: e.agent ?? fold.agent,
    steps: [...fold.steps, {
      kind: 'model', key: str(e, 'message_id'), messageId: str(e, 'message_id'), agent: e.agent ?? '', purpose: str(e, 'purpose') || 'answer', tier: str(e, 'tier'), model: str(e, 'model'), text: '', reasoning: '',
      state: 'writing', failure: '', cost: '', latencyMs: 0, attempts: [], cached: false, startedAt: e.created_at,
    }],
  }),
  'model.completed': (fold, e) => {
    const id = str(e, 'message_id');
    const calls = Array.isArray(e['tool_calls']) ? e['tool_calls'].length : 0;
    const next = changeModel(fold, id, (step) => ({
      ...step, state: 'done', text: str(e, 'text'), reasoning: str(e, 'reasoning'), model: str(e, 'model'), tier: str(e, 'tier') || step.tier, cost: str(e, 'cost_usd'), latencyMs: num(e, 'latency_ms'),
      attempts: Array.isArray(e['attempts']) ? e['attempts'].map(String) : [], cached: e['cached'] === true,
    }));
    // What was said before calling tools is a step on the way, not the answer.
    return calls > 0 ? withoutWriting(next, id) : withWriting(next, id);
  },
  // The log keeps no text of a call that gave no answer; what a reader saw of it goes, so that everybody sees the same.
  'model.failed': (fold, e) => withoutWriting(changeModel(fold, str(e, 'message_id'), (step) => ({ ...step, text: '', reasoning: '', state: 'failed', failure: str(e, 'detail') || str(e, 'error_class') })), str(e, 'message_id')),
  'message.superseded': (fold, e) => withoutWriting(changeModel(fold, str(e, 'message_id'), (step) => ({ ...step, text: '', reasoning: '', state: 'superseded', failure: str(e, 'reason') })), str(e, 'message_id')),
  'tool.started': (fold, e) => ({
    ...fold,
    steps: [...fold.steps.filter((s) => !(s.kind === 'tool' && s.call === num(e, 'call'))), {
      kind: 'tool', key: `call-${num(e, 'call')}`, call: num(e, 'call'), agent: e.agent ?? '', tool: str(e, 'tool'), arguments: e['arguments'], effect: str(e, 'effect'), state: 'running', result: '', failure: '', progress: '',
      startedAt: e.created_at, durationMs: 0, tainted: false,
    }],
  }),
  'tool.completed': (fold, e) => withoutQuestion(changeTool(withSources(fold, e), num(e, 'call'), (step) => ({ ...step, progress: '', state: 'done', result: str(e, 'result'), durationMs: num(e, 'duration_ms'), tainted: e['tainted'] === true }), e), e),
  'tool.failed': (fold, e) => withoutQuestion(changeTool(fold, num(e, 'call'), (step) => ({ ...step, progress: '', state: 'failed', result: str(e, 'result'), failure: str(e, 'kind'), durationMs: num(e, 'duration_ms') }), e), e),
  'approval.requested': (fold, e) => ({
    ...fold, status: 'waiting_approval',
    approvals: [...fold.approvals, {
      id: str(e, 'approval_id'), call: num(e, 'call'), tool: str(e, 'tool'), arguments: e['arguments'], hash: str(e, 'arguments_hash'), approver: str(e, 'approver'), reason: str(e, 'reason'), origin: str(e, 'target_origin'),
      expiresAt: str(e, 'expires_at'), state: 'pending',
    }],
  }),
  'approval.granted': (fold, e) => decide(fold, e, 'granted'),
  'approval.denied': (fold, e) => decide(fold, e, 'denied'),
  'approval.expired': (fold, e) => decide(fold, e, 'expired'),
  'input.requested': (fold, e) => ({
    ...fold, status: 'waiting_input',
    question: { call: num(e, 'call'), callId: str(e, 'call_id'), question: str(e, 'question'), options: Array.isArray(e['options']) ? e['options'].map(String) : [], expiresAt: str(e, 'expires_at') },
  }),
  'input.received': (fold) => ({ ...fold, status: 'running', question: null }),
  'run.needs_review': (fold, e) => ({ ...fold, status: 'needs_review', review: { call: num(e, 'call'), callId: str(e, 'call_id'), tool: str(e, 'tool'), reason: str(e, 'reason'), repeatAfter: str(e, 'repeat_after') } }),
  'review.resolved': (fold) => ({ ...fold, status: 'running', review: null }),
  'child.started': (fold, e) => ({
    ...withTask(fold, (task) => task.id === str(e, 'task_id'), (task) => ({ ...task, status: 'running', child_run_id: str(e, 'child_run_id'), tries: (task.tries ?? 0) + 1 })),
    steps: [...fold.steps, { kind: 'child', key: str(e, 'child_run_id'), runId: str(e, 'child_run_id'), agent: str(e, 'child_agent'), task: str(e, 'task'), taskId: str(e, 'task_id'), state: 'running', result: '', cost: '', startedAt: e.created_at }],
  }),
  'child.completed': (fold, e) => ({
    ...withTask(withSources(fold, e), (task) => task.child_run_id === str(e, 'child_run_id'), (task) => ({ ...task, status: str(e, 'status') === 'completed' ? 'done' : 'failed', result: str(e, 'result') })),
    steps: fold.steps.map((s) => s.kind === 'child' && s.runId === str(e, 'child_run_id') ? { ...s, state: childState(str(e, 'status')), result: str(e, 'result'), cost: str(e, 'cost_usd') } : s),
  }),
  'plan.created': (fold, e) => ({ ...fold, plan: { goal: str(e, 'goal'), tasks: tasksOf(e), replans: 0 } }),
  'plan.updated': (fold, e) => ({ ...fold, plan: { goal: fold.plan?.goal ?? '', tasks: tasksOf(e), replans: num(e, 'replans') } }),
  'handoff': (fold, e) => note({ ...fold, agent: str(e, 'to') }, e),
  'guard.hinted': note,
  'guard.stopped': note,
  'context.reduced': note,
  'cache.hit': note,
  'speaker.selected': note,
  'citation.dropped': note,
  'timer.started': (fold, e) => note({ ...fold, status: 'waiting_timer' }, e),
  'timer.fired': (fold) => ({ ...fold, status: 'running' }),
  'message.completed': (fold, e) => ({
    ...fold,
    answer: {
      messageId: str(e, 'message_id'), text: str(e, 'text'), agent: e.agent ?? '', model: str(e, 'model'), tier: str(e, 'tier'), complete: true, interrupted: str(e, 'status') === 'interrupted', cutBy: str(e, 'cut_by'), tainted: e['tainted'] === true,
      citations: toCitations(listOf(e, 'citations')),
    },
  }),
  'run.completed': (fold, e) => end(fold, e, 'completed'),
  'run.failed': (fold, e) => end({ ...fold, failure: { code: str(e, 'code'), reason: str(e, 'reason') } }, e, 'failed'),
  'run.cancelled': (fold, e) => end(fold, e, 'cancelled'),
};

function applyStored(fold: RunFold, event: RunEvent): RunFold {
  const handler = Object.hasOwn(handlers, event.type) ? handlers[event.type] : undefined;
  return handler ? handler(fold, event) : fold;
}

function listOf(event: RunEvent, name: string): readonly unknown[] {
  const value = event[name];
  return Array.isArray(value) ? value : [];
}

function withSources(fold: RunFold, event: RunEvent): RunFold {
  const found = toCitations(listOf(event, 'citations'));
  return found.length === 0 ? fold : { ...fold, sources: [...fold.sources, ...found.filter((c) => !fold.sources.some((known) => known.id === c.id))] };
}

function note(fold: RunFold, event: RunEvent): RunFold {
  return { ...fold, steps: [...fold.steps, { kind: 'note', key: `note-${event.seq}`, what: event.type, agent: event.agent ?? '', event, startedAt: event.created_at }] };
}

function changeModel(fold: RunFold, messageId: string, change: (step: ModelStep) => ModelStep): RunFold {
  return { ...fold, steps: fold.steps.map((s) => s.kind === 'model' && s.messageId === messageId ? change(s) : s) };
}

/** A result may come without a start: a call that was refused before it began. */
function changeTool(fold: RunFold, call: number, change: (step: ToolStep) => ToolStep, result?: RunEvent): RunFold {
  if (!result || fold.steps.some((s) => s.kind === 'tool' && s.call === call)) {
    return { ...fold, steps: fold.steps.map((s) => s.kind === 'tool' && s.call === call ? change(s) : s) };
  }
  const fresh: ToolStep = {
    kind: 'tool', key: `call-${call}`, call, agent: result.agent ?? '', tool: str(result, 'tool'), arguments: undefined, effect: '', state: 'running', result: '', failure: '', progress: '', startedAt: result.created_at, durationMs: 0, tainted: false,
  };
  return { ...fold, steps: [...fold.steps, change(fresh)] };
}

function withoutQuestion(fold: RunFold, event: RunEvent): RunFold {
  return fold.question?.call === num(event, 'call') ? { ...fold, question: null } : fold;
}

function decide(fold: RunFold, event: RunEvent, state: Approval['state']): RunFold {
  const approvals = fold.approvals.map((a) => a.id === str(event, 'approval_id') ? { ...a, state } : a);
  return { ...fold, approvals, status: approvals.some((a) => a.state === 'pending') ? fold.status : 'running' };
}

function end(fold: RunFold, event: RunEvent, status: string): RunFold {
  const usage = event['usage'] as Record<string, unknown> | undefined;
  const count = (name: string) => typeof usage?.[name] === 'number' ? usage[name] : 0;
  return {
    ...fold, status, endedAt: event.created_at, question: null, review: null, costUsd: str(event, 'tree_cost_usd') || str(event, 'cost_usd'),
    usage: usage ? { input: count('input_tokens'), cached: count('cached_tokens'), output: count('output_tokens') } : null,
    approvals: fold.approvals.map((a) => a.state === 'pending' ? { ...a, state: 'expired' } : a),
    steps: fold.steps.map((s) => s.kind === 'model' && s.state === 'writing' ? { ...s, state: 'failed' } : s),
    answer: fold.answer && !fold.answer.complete ? { ...fold.answer, complete: true, interrupted: true } : fold.answer,
  };
}

/** The log writes the whole plan anew only when it changes; what becomes of its tasks, their runs tell. */
function withTask(fold: RunFold, isIt: (task: PlanTask) => boolean, change: (task: PlanTask) => PlanTask): RunFold {
  return fold.plan ? { ...fold, plan: { ...fold.plan, tasks: fold.plan.tasks.map((task) => isIt(task) ? change(task) : task) } } : fold;
}

function childState(status: string): ChildStep['state'] {
  return status === 'completed' || status === 'failed' || status === 'cancelled' ? status : 'completed';
}

export function tasksOf(event: RunEvent): PlanTask[] {
  if (!Array.isArray(event['tasks'])) return [];
  return event['tasks'].filter((t): t is PlanTask => typeof t === 'object' && t !== null && typeof (t as PlanTask).id === 'string')
    .map((t) => ({ ...t, depends_on: Array.isArray(t.depends_on) ? t.depends_on : [] }));
}

const none: readonly Numbered[] = [];

/** While it is written, marks stand for what was found so far; the finished answer says itself which of them hold. */
export function sourcesOf({ answer, sources }: RunFold): readonly Numbered[] {
  const given = answer?.complete ? answer.citations : sources;
  return answer && given.length > 0 ? numbered(answer.text, given, answer.complete) : none;
}

export function isEnded(fold: RunFold): boolean {
  return fold.endedAt !== '';
}

/** What a run waits for, if it does; also what one below it waits for, when that is a person. */
export function waitsFor(fold: RunFold, others: Iterable<RunFold> = []): 'waiting_approval' | 'waiting_input' | 'needs_review' | 'waiting_timer' | undefined {
  for (const one of [fold, ...others]) {
    if (isEnded(one)) continue;
    if (one.approvals.some((a) => a.state === 'pending')) return 'waiting_approval';
    if (one.question) return 'waiting_input';
    if (one.review) return 'needs_review';
  }
  return fold.status === 'waiting_timer' ? 'waiting_timer' : undefined;
}

export { isFinal };
