import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isPiece, type RunEvent } from './events';
import { apply, applyAll, emptyFold, type RunFold } from './fold';

const at = (seq: number, type: string, more: Record<string, unknown> = {}): RunEvent => ({ type, run_id: 'r', seq, agent: 'communicator', created_at: '2026-01-01T00:00:00Z', ...more });

/** A run of several model calls with pieces, a tool call each, and an end; stored events and pieces in the order in which a stream brings them. */
const runs = fc.array(fc.array(fc.string({ minLength: 1, maxLength: 5 }), { minLength: 0, maxLength: 4 }), { minLength: 1, maxLength: 4 }).map((turns) => {
  const stream: RunEvent[] = [at(1, 'run.queued', { input: 'hello', team: 'solo' }), at(2, 'run.started', { attempt: 1 })];
  let seq = 2;
  turns.forEach((pieces, turn) => {
    const id = `m${turn}`;
    const last = turn === turns.length - 1;
    stream.push(at(++seq, 'model.requested', { message_id: id, purpose: 'answer' }));
    pieces.forEach((text, i) => stream.push(at(seq, 'message.delta', { message_id: id, text, n: i + 1 })));
    stream.push(at(++seq, 'model.completed', { message_id: id, text: pieces.join(''), tool_calls: last ? [] : [{ call: turn + 1 }], cost_usd: '0.01' }));
    if (last) {
      stream.push(at(++seq, 'message.completed', { message_id: id, text: pieces.join(''), status: 'complete' }), at(++seq, 'run.completed', { cost_usd: '0.02', usage: { input_tokens: 1, output_tokens: 2 } }));
    } else {
      stream.push(at(++seq, 'tool.started', { call: turn + 1, tool: 'calculator', arguments: {} }), at(++seq, 'tool.completed', { call: turn + 1, tool: 'calculator', result: '4' }));
    }
  });
  return stream;
});

/** What a server sends to a reader that stands at (seq, n) when the stream has got as far as `now`: stored events, then the text so far, as DESIGN 4.5 says. */
function resume(stream: readonly RunEvent[], fold: RunFold, now: number): RunEvent[] {
  const past = stream.slice(0, now);
  const stored = past.filter((e) => !isPiece(e) && e.seq > fold.seq);
  const last = past.at(-1);
  if (!last || !isPiece(last)) return stored;
  const pieces = past.filter((e) => isPiece(e) && e.seq === last.seq);
  const snapshot = at(last.seq, 'message.snapshot', { message_id: last['message_id'], text: pieces.map((p) => p['text']).join(''), n: last.n });
  return [...stored, snapshot];
}

describe('the fold of a run', () => {
  it('is the same whatever was lost, doubled, delayed or fetched again on the way', () => {
    fc.assert(fc.property(runs, fc.array(fc.record({ what: fc.constantFrom('next', 'lose', 'double', 'resume', 'old'), size: fc.integer({ min: 1, max: 4 }) }), { maxLength: 60 }), (stream, deliveries) => {
      const whole = applyAll(emptyFold('r'), stream);
      expect(whole.gap).toBe(false);
      let fold = emptyFold('r');
      let now = 0;
      const take = (events: readonly RunEvent[]) => {
        for (const event of events) {
          const next = apply(fold, event);
          fold = next.fold;
          if (next.gap) fold = applyAll(fold, resume(stream, fold, now)).fold;
        }
      };
      for (const { what, size } of deliveries) {
        const slice = stream.slice(now, now + size);
        if (what === 'old') take(stream.slice(Math.max(0, now - size), now));
        else if (what === 'resume') take(resume(stream, fold, now));
        else {
          now = Math.min(stream.length, now + size);
          if (what !== 'lose') take(slice);
          if (what === 'double') take(slice);
        }
      }
      now = stream.length;
      take(resume(stream, fold, now));
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
