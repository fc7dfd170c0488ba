import { expect, it } from 'vitest';
import { applyAll, emptyFold } from './fold';
import { rowsOf } from './rows';

const at = (seq: number, type: string, more: Record<string, unknown> = {}) => ({ type, run_id: 'r', seq, agent: 'communicator', created_at: '2026-01-01T00:00:00Z', ...more });
const asks = (seq: number) => [at(seq, 'model.requested', { message_id: `m${seq}` }), at(seq + 1, 'model.failed', { message_id: `m${seq}`, detail: 'HTTP 500' }), at(seq + 2, 'timer.started', { reason: 'The run waits.' }), at(seq + 3, 'timer.fired')];
const listed = (...events: ReturnType<typeof at>[]) => rowsOf(applyAll(emptyFold('r'), events).fold.steps).map((row) => [row.key, row.step.kind, row.count]);

it('has one row for attempts that fail alike, and one for the waiting between them, with how many there were', () => {
  expect(listed(...asks(1), ...asks(5), ...asks(9))).toEqual([['m1', 'model', 3], ['note-3', 'note', 3]]);
});

it('begins anew where something else happened between them, and where they failed in another way', () => {
  expect(listed(...asks(1), at(5, 'tool.started', { call: 1, tool: 'calculator' }), ...asks(6)).map(([, kind, count]) => [kind, count])).toEqual([['model', 1], ['note', 1], ['tool', 1], ['model', 1], ['note', 1]]);
  expect(listed(...asks(1), at(5, 'model.requested', { message_id: 'm5' }), at(6, 'model.failed', { message_id: 'm5', detail: 'No route' }))).toEqual([['m1', 'model', 1], ['note-3', 'note', 1], ['m5', 'model', 1]]);
});
