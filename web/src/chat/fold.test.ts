import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isPiece, type RunEvent } from './events';
import { apply, applyAll, emptyFold, joined, type RunFold } from './fold';

const at = (seq: number, type: string, more: Record<string, unknown> = {}): RunEvent => ({ type, run_id: 'r', seq, agent: 'communicator', created_at: '2026-01-01T00:00:00Z', ...more });

interface Turn {
  pieces: readonly { kind: 'text' | 'reasoning'; text: string }[];
  end: 'tool' | 'failed' | 'superseded';
  progress: readonly string[];
  asks: boolean;
}

const some = fc.string({ minLength: 1, maxLength: 5 });
const turns: fc.Arbitrary<Turn[]> = fc.array(fc.record({
  pieces: fc.array(fc.record({ kind: fc.constantFrom('text' as const, 'reasoning' as const), text: some }), { maxLength: 4 }), end: fc.constantFrom('tool' as const, 'failed' as const, 'superseded' as const),
  progress: fc.array(some, { maxLength: 3 }), asks: fc.boolean(),
}), { minLength: 1, maxLength: 4 });

/** A run of several model calls with text and thoughts in pieces, each with a tool call or an end of its own, and an end; stored events and pieces in the order in which a stream brings them. */
const runs = turns.map((all) => {
  const stream: RunEvent[] = [at(1, 'run.queued', { input: 'hello', team: 'solo' }), at(2, 'run.started', { attempt: 1 })];
  let seq = 2;
  all.forEach(({ pieces, end, progress, asks }, turn) => {
    const id = `m${turn}`;
    const call = turn + 1;
    const whole = (kind: string) => pieces.filter((p) => p.kind === kind).map((p) => p.text).join('');
    const last = turn === all.length - 1;
    stream.push(at(++seq, 'model.requested', { message_id: id, purpose: 'answer' }));
    pieces.forEach(({ kind, text }, i) => stream.push(at(seq, kind === 'text' ? 'message.delta' : 'reasoning.delta', { message_id: id, text, n: i + 1 })));
    if (end !== 'tool' && !last) {
      stream.push(end === 'failed' ? at(++seq, 'model.failed', { message_id: id, error_class: 'timeout' }) : at(++seq, 'message.superseded', { message_id: id, reason: 'another answers' }));
      return;
    }
    stream.push(at(++seq, 'model.completed', { message_id: id, text: whole('text'), reasoning: whole('reasoning'), tool_calls: last ? [] : [{ call }], cost_usd: '0.01' }));
    if (last) {
      stream.push(at(++seq, 'message.completed', { message_id: id, text: whole('text'), status: 'complete' }), at(++seq, 'run.completed', { cost_usd: '0.02', usage: { input_tokens: 1, output_tokens: 2 } }));
      return;
    }
    if (asks) stream.push(at(++seq, 'approval.requested', { approval_id: `a${call}`, call, tool: 'http_request' }), at(++seq, 'approval.granted', { approval_id: `a${call}` }));
    stream.push(at(++seq, 'tool.started', { call, tool: 'http_request', arguments: {} }));
    progress.forEach((text, i) => stream.push(at(seq, 'tool.progress', { call, text, n: i + 1 })));
    stream.push(at(++seq, 'tool.completed', { call, tool: 'http_request', result: '4' }));
  });
  return stream;
});

/** What a server sends to a reader that stands at (seq, n) when the stream has got as far as `now`: stored events, then the text so far, if there is any, as DESIGN 4.5 says. */
function resume(stream: readonly RunEvent[], fold: RunFold, now: number): RunEvent[] {
  const past = stream.slice(0, now);
  const stored = past.filter((e) => !isPiece(e) && e.seq > fold.seq);
  const last = past.at(-1);
  if (!last || !isPiece(last)) return stored;
  const deltas = past.filter((e) => e.type === 'message.delta' && e.seq === last.seq);
  if (deltas.length === 0) return stored;
  return [...stored, at(last.seq, 'message.snapshot', { message_id: last['message_id'], text: deltas.map((p) => p['text']).join(''), n: last.n })];
}

describe('the fold of a run', () => {
  it('is the same whatever was lost, doubled, delayed or fetched again on the way', () => {
    fc.assert(fc.property(runs, fc.array(fc.record({ what: fc.constantFrom('next', 'lose', 'double', 'resume', 'old'), size: fc.integer({ min: 1, max: 4 }) }), { maxLength: 60 }), (stream, deliveries) => {
      const whole = applyAll(emptyFold('r'), stream);
      expect(whole.gap).toBe(false);
      const texts = new Map(stream.filter((e) => e.type === 'model.requested').map(({ message_id: id }) => [id, stream.filter((e) => e.type === 'message.delta' && e['message_id'] === id).map((e) => e['text']).join('')]));
      let fold = emptyFold('r');
      let now = 0;
      let joins = true;
      const one = (event: RunEvent) => {
        const next = apply(joins && isPiece(event) ? joined(fold, event) : fold, event);
        joins &&= !isPiece(event);
        fold = next.fold;
        return next.gap;
      };
      const open = () => {
        joins = true;
        resume(stream, fold, now).forEach(one);
      };
      const take = (events: readonly RunEvent[]) => {
        for (const event of events) {
          if (one(event)) open();
          expect(fold.answer === null || texts.get(fold.answer.messageId)?.startsWith(fold.answer.text)).toBe(true);
        }
      };
      for (const { what, size } of deliveries) {
        const slice = stream.slice(now, now + size);
        if (what === 'old') take(stream.slice(Math.max(0, now - size), now));
        else if (what === 'resume') open();
        else {
          now = Math.min(stream.length, now + size);
          // A stream that was just opened brings first what it has to bring first.
          if (what !== 'lose' || joins) take(slice);
          if (what === 'double') take(slice);
        }
      }
      now = stream.length;
      open();
      expect(fold).toEqual(applyAll(emptyFold('r'), stream.filter((e) => !isPiece(e))).fold);
      expect(fold).toEqual(whole.fold);
    }), { numRuns: 500 });
  });

  it('shows the text so far while it is written, and what a snapshot says afterwards', () => {
    const start = [at(1, 'run.queued'), at(2, 'run.started'), at(3, 'model.requested', { message_id: 'm', purpose: 'answer' })];
    let { fold } = applyAll(emptyFold('r'), [...start, at(3, 'message.delta', { message_id: 'm', text: 'Hel', n: 1 }), at(3, 'message.delta', { message_id: 'm', text: 'lo', n: 2 })]);
    expect(fold.answer?.text).toBe('Hello');
    expect(apply(fold, at(3, 'message.delta', { message_id: 'm', text: '!', n: 4 })).gap).toBe(true);
    ({ fold } = apply(fold, at(3, 'message.snapshot', { message_id: 'm', text: 'Hello, you', n: 5 })));
    expect(fold.answer?.text).toBe('Hello, you');
  });

  it('stands where a snapshot without text says, with what the model has thought and how a tool got on last', () => {
    const start = [at(1, 'run.queued'), at(2, 'run.started'), at(3, 'model.requested', { message_id: 'm', purpose: 'answer' })];
    const { fold } = applyAll(emptyFold('r'), [...start, at(3, 'message.snapshot', { message_id: 'm', text: '', reasoning: 'Hm, so', n: 300 })]);
    expect(fold.steps.at(-1)).toMatchObject({ text: '', reasoning: 'Hm, so' });
    const thought = apply(fold, at(3, 'reasoning.delta', { message_id: 'm', text: '!', n: 301 }));
    expect(thought.gap).toBe(false);
    expect(thought.fold.steps.at(-1)).toMatchObject({ reasoning: 'Hm, so!' });
    const worked = applyAll(thought.fold, [
      at(4, 'model.completed', { message_id: 'm', text: '', tool_calls: [{}] }), at(5, 'tool.started', { call: 1, tool: 'calculator', arguments: {} }),
      at(5, 'message.snapshot', { message_id: '', text: '', n: 6 }), at(5, 'tool.progress', { call: 1, text: 'nearly', n: 7 }),
    ]);
    expect(worked.gap).toBe(false);
    expect(worked.fold.steps.at(-1)).toMatchObject({ progress: 'nearly' });
  });

  it('goes on with thoughts and progress of which it missed the beginning, but never with text', () => {
    const { fold } = applyAll(emptyFold('r'), [at(1, 'run.queued'), at(2, 'model.requested', { message_id: 'm', purpose: 'answer' })]);
    const thought = at(2, 'reasoning.delta', { message_id: 'm', text: ' so', n: 7 });
    expect(apply(fold, thought).gap).toBe(true);
    const on = apply(joined(fold, thought), thought);
    expect([on.gap, on.fold.n]).toEqual([false, 7]);
    const text = at(2, 'message.delta', { message_id: 'm', text: 'lo', n: 7 });
    expect(apply(joined(fold, text), text).gap).toBe(true);
    const known = apply(fold, at(2, 'message.delta', { message_id: 'm', text: 'Hel', n: 1 })).fold;
    expect(apply(joined(known, thought), thought).gap).toBe(true);
    const tool = applyAll(emptyFold('r'), [at(1, 'tool.started', { call: 1, tool: 'x' })]).fold;
    const half = at(1, 'tool.progress', { call: 1, text: 'half', n: 4 });
    expect(apply(joined(tool, half), half).fold.steps).toMatchObject([{ progress: 'half' }]);
  });

  it('has the plan as its tasks\' runs leave it, whether the log says it at once or not', () => {
    const planned = [at(1, 'run.queued'), at(2, 'plan.created', { goal: 'g', tasks: [{ id: 'a', status: 'pending' }, { id: 'b', status: 'pending', depends_on: ['a'] }] })];
    const tasks = (...more: RunEvent[]) => applyAll(emptyFold('r'), [...planned, ...more]).fold.plan?.tasks.map((task) => task.status);
    const started = at(3, 'child.started', { child_run_id: 'c', child_agent: 'x', task: 't', task_id: 'a' });
    expect(tasks(started)).toEqual(['running', 'pending']);
    expect(tasks(started, at(4, 'child.completed', { child_run_id: 'c', status: 'completed', result: 'r' }))).toEqual(['done', 'pending']);
    expect(tasks(started, at(4, 'child.completed', { child_run_id: 'c', status: 'failed' }))).toEqual(['failed', 'pending']);
    expect(tasks(started, at(4, 'plan.updated', { tasks: [{ id: 'a', status: 'dropped' }] }))).toEqual(['dropped']);
  });

  it('takes back text that no longer counts', () => {
    const { fold } = applyAll(emptyFold('r'), [
      at(1, 'run.queued'), at(2, 'model.requested', { message_id: 'm', purpose: 'answer' }), at(2, 'message.delta', { message_id: 'm', text: 'Wrong', n: 1 }), at(3, 'message.superseded', { message_id: 'm', reason: 'cut off' }),
    ]);
    expect(fold.answer).toBeNull();
  });

  it('passes over what it does not know, and members of the wrong type', () => {
    const { fold, gap } = applyAll(emptyFold('r'), [at(1, 'run.queued', { input: 7 }), at(2, 'constructor'), at(3, '__proto__'), at(4, 'plan.created', { tasks: [null, 1, { id: 5 }, { id: 'a' }] }), at(5, 'tool.completed', { call: 'x' })]);
    expect(gap).toBe(false);
    expect(fold.input).toBe('');
    expect(fold.plan?.tasks.map((t) => t.id)).toEqual(['a']);
  });
});

it('knows while a text is written what its marks may stand for, and afterwards only what the answer itself names', () => {
  const source = (id: string) => ({ id, title: 'handbook.md', document_id: 'd', start: 1, end: 5, excerpt: 'leave' });
  const events = [
    at(1, 'run.queued'), at(2, 'tool.completed', { call: 1, tool: 'knowledge_search', result: '', citations: [source('k00000001'), source('k00000002')] }),
    at(3, 'child.completed', { child_run_id: 'c', status: 'completed', citations: [source('k00000002'), source('k00000003'), 'nonsense'] }),
    at(4, 'tool.completed', { call: 2, tool: 'calculator', result: '4', citations: null }), at(5, 'model.requested', { message_id: 'm', purpose: 'answer' }), at(5, 'message.delta', { message_id: 'm', n: 1, text: 'It is [k00000001]' }),
  ];
  const writing = applyAll(emptyFold('r'), events).fold;
  expect(writing.sources.map((c) => c.id)).toEqual(['k00000001', 'k00000002', 'k00000003']);
  expect(writing.answer).toMatchObject({ text: 'It is [k00000001]', citations: [] });
  const whole = applyAll(writing, [at(6, 'model.completed', { message_id: 'm', text: 'It is [k00000001]', tool_calls: [] }), at(7, 'message.completed', { message_id: 'm', text: 'It is [k00000001]', citations: [source('k00000001')] })]).fold;
  expect(whole.answer?.citations).toEqual([{ id: 'k00000001', title: 'handbook.md', url: null, excerpt: 'leave', documentId: 'd', page: null, start: 1, end: 5 }]);
});
