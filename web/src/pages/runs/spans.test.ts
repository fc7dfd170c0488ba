import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { RunEvent } from '../../chat/events';
import { bar, extent, failedStep, rowsOf, spansOf, type Span } from './spans';

const at = (seq: number, type: string, more: Record<string, unknown> = {}, runId = 'r'): RunEvent => ({ type, run_id: runId, seq, agent: 'communicator', created_at: new Date(Date.UTC(2026, 0, 1, 0, 0, seq)).toISOString(), ...more });
const second = (seq: number) => Date.UTC(2026, 0, 1, 0, 0, seq);
const closed = () => undefined;
const names = (rows: ReturnType<typeof rowsOf>) => rows.map((r) => `${'-'.repeat(r.level)}${r.span.what || r.span.agent}`);

function rootOf(log: readonly RunEvent[]): Span {
  const { root } = spansOf(log);
  if (!root) throw new Error('no root');
  return root;
}

const delegating = [
  at(1, 'run.queued', { input: 'hello', pattern: 'Direct' }), at(2, 'run.started', { attempt: 1 }),
  at(3, 'model.requested', { message_id: 'm1', purpose: 'answer', tier: 'cheap' }),
  at(4, 'model.completed', { message_id: 'm1', text: '', tool_calls: [{ call: 1, tool: 'delegate', arguments: { to: 'meta' } }], cost_usd: '0.01', latency_ms: 900, model: 'small', usage: { input_tokens: 5, output_tokens: 2 } }),
  at(5, 'tool.started', { call: 1, tool: 'delegate', arguments: { to: 'meta' }, effect: 'delegate' }),
  at(6, 'child.started', { child_run_id: 'c', child_agent: 'meta', task: 'do it', call: 1 }),
];
const ended = [
  ...delegating, at(7, 'child.completed', { child_run_id: 'c', status: 'completed', result: 'done', cost_usd: '0.02', call: 1 }), at(8, 'tool.completed', { call: 1, tool: 'delegate', result: 'done' }),
  at(9, 'model.requested', { message_id: 'm2', purpose: 'answer' }), at(10, 'model.failed', { message_id: 'm2', error_class: 'timeout' }), at(11, 'run.failed', { code: 'model_timeout', reason: 'No model answered.', tree_cost_usd: '0.03' }),
];
const child = [at(1, 'run.queued', { input: 'do it' }, 'c'), at(2, 'model.requested', { message_id: 'x', purpose: 'plan' }, 'c'), at(3, 'model.completed', { message_id: 'x', text: 'ok' }, 'c'), at(4, 'run.completed', {}, 'c')];

describe('the spans of a log', () => {
  it('nest what a call began, last from begin to end, and say what went in and out', () => {
    const root = rootOf(ended);
    expect(names(rowsOf(root, new Map(), closed))).toEqual(['-Direct', '--answer', '--delegate', '---meta', '--answer']);
    const [first, call, second_] = root.children;
    expect(first).toMatchObject({ start: second(3), end: second(4), cost: '0.01', latencyMs: 900, model: 'small', tier: 'cheap', input: 'hello', output: '→ delegate {"to":"meta"}', usage: { input: 5, cached: 0, output: 2 } });
    expect(call).toMatchObject({ state: 'done', output: 'done', start: second(5), end: second(8) });
    expect(call?.children[0]).toMatchObject({ childRunId: 'c', state: 'done', cost: '0.02', end: second(7) });
    expect(second_).toMatchObject({ state: 'failed', failure: 'timeout', input: 'delegate: done' });
    expect(root).toMatchObject({ state: 'failed', failure: 'No model answered.', cost: '0.03' });
    expect(failedStep(root)?.seq).toBe(9);
  });

  it('shows a run below when its log was read and it is open', () => {
    const root = rootOf(ended);
    const logs = new Map([['c', child]]);
    const rows = rowsOf(root, logs, closed);
    expect(rows.find((r) => r.span.childRunId === 'c')).toMatchObject({ expandable: true, open: false });
    expect(names(rowsOf(root, logs, () => true))).toEqual(['-Direct', '--answer', '--delegate', '---meta', '----plan', '--answer']);
  });

  it('stops at a run that claims to stand below itself', () => {
    const ring = [at(1, 'run.queued', {}, 'c'), at(2, 'child.started', { child_run_id: 'c', child_agent: 'again' }, 'c')];
    expect(rowsOf(rootOf(delegating), new Map([['c', ring]]), () => true)).toHaveLength(5);
  });

  it('ends what was open with the run, and marks what a person is waited for', () => {
    const waiting = [...delegating.slice(0, 5), at(6, 'input.requested', { call: 1, question: 'Which?' })];
    expect(rootOf(waiting).children[1]?.children[0]).toMatchObject({ kind: 'wait', what: 'question', state: 'waiting', end: null, input: 'Which?' });
    const cancelled = rootOf([...waiting, at(7, 'run.cancelled', { reason: 'enough' })]);
    expect(cancelled.children[1]).toMatchObject({ state: 'cancelled', end: second(7) });
    expect(cancelled.state).toBe('cancelled');
    const stopped = rootOf([...waiting, at(7, 'tool.failed', { call: 1, tool: 'delegate', kind: 'cancelled', result: 'Stopped.' }), at(8, 'run.cancelled', {})]);
    expect(stopped.children[1]).toMatchObject({ state: 'cancelled', output: 'Stopped.' });
    expect(failedStep(stopped)?.seq).toBe(6);
    const left = rootOf([...waiting, at(7, 'tool.failed', { call: 1, tool: 'delegate', kind: 'interrupted', result: 'Stopped.' }), at(8, 'run.cancelled', {})]);
    expect(left.children[1]).toMatchObject({ state: 'cancelled', output: 'Stopped.' });
  });

  it('knows that content was taken out, and begins where a pruned log begins', () => {
    const { root, redacted } = spansOf([at(8, 'message.completed', { text: null, redacted: true }), at(9, 'run.completed', { redacted: true, cost_usd: '1' })]);
    expect(redacted).toBe(true);
    expect(spansOf([at(1, 'run.queued', { input: 'Where?' }), at(2, 'context.reduced', { summary: null, redacted: true })]).redacted).toBe(false);
    expect(root).toMatchObject({ state: 'done', cost: '1', end: second(9) });
  });

  it('never breaks on what a log may hold, and keeps every bar on the picture', () => {
    const types = ['run.queued', 'model.requested', 'model.completed', 'model.failed', 'message.superseded', 'tool.started', 'tool.completed', 'tool.failed', 'child.started', 'child.completed', 'approval.requested', 'approval.denied', 'handoff', 'run.cancelled', '__proto__'];
    const value = fc.oneof(fc.string(), fc.integer({ min: 0, max: 3 }), fc.constant(null), fc.constant([null, 1, { tool: 2 }]));
    const event = fc.record({ type: fc.constantFrom(...types), call: value, message_id: value, child_run_id: value, text: value, tool_calls: value, usage: value, created_at: fc.constantFrom('2026-01-01T00:00:00Z', '2026-01-01T00:00:09Z', 'never') });
    fc.assert(fc.property(fc.array(event, { minLength: 1, maxLength: 30 }), fc.boolean(), (events, open) => {
      const log = events.map((e, i) => ({ ...e, run_id: 'r', seq: i + 1 }));
      const rows = rowsOf(rootOf(log), new Map([['r', log]]), () => open || undefined);
      const now = second(30);
      const range = extent(rows, now);
      for (const { span } of rows) {
        const { left, width } = bar(span, range, now);
        expect(left).toBeGreaterThanOrEqual(0);
        expect(width).toBeGreaterThanOrEqual(0);
        expect(left + width).toBeLessThanOrEqual(1.000001);
      }
      expect(new Set(rows.map((r) => r.span.id)).size).toBe(rows.length);
    }));
  });

  it('reads thousands of steps without a stack or a square in the way', () => {
    const log = [at(1, 'run.queued', { input: 'much' })];
    for (let i = 0; i < 5_000; i++) log.push(at(2 * i + 2, 'tool.started', { call: i + 1, tool: 't' }), at(2 * i + 3, 'tool.completed', { call: i + 1, tool: 't', result: 'r' }));
    expect(rowsOf(rootOf(log), new Map(), closed)).toHaveLength(5_001);
  });
});
