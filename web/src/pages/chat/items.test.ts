import { expect, it } from 'vitest';
import type { Message, Run } from './data';
import { itemsOf } from './items';

function said(id: string, at: number, also: Partial<Message> = {}): Message {
  return { id, parent_id: null, branch_id: 'b', role: 'user', status: 'complete', content: id, citations: [], tainted: false, run_id: `run of ${id}`, created_at: `2026-01-01T00:00:0${at}Z`, ...also };
}

const answer = (to: string, at: number) => said(`answer to ${to}`, at, { role: 'assistant', parent_id: to, run_id: `run of ${to}` });
const waits = (id: string, at: number, also: Partial<Message> = {}) => said(id, at, { status: 'queued', ...also });
const runs = (of: Record<string, string>) => new Map(Object.entries(of).map(([id, status]) => [`run of ${id}`, { status } as Run]));
const shown = (...[path, all, known, started = []]: [readonly Message[], readonly Message[], ReadonlyMap<string, Run>?, (readonly string[])?]) => itemsOf(path, all, known, started).map((i) => i.kind === 'live' ? `${i.key} (${i.question?.id ?? '-'})` : i.key);

it('shows what waits behind the branch with the run that will answer it, in the order of their turns', () => {
  const one = said('one', 1);
  expect(shown([one], [one, waits('three', 3), waits('two', 2)], undefined, ['run of two', 'run of new'])).toEqual(['one', 'run-run of one (one)', 'two', 'run-run of two (two)', 'three', 'run-run of three (three)', 'run-run of new (-)']);
});

it('shows what waits on its own branch only', () => {
  const [one, other] = [said('one', 1), said('other', 2, { branch_id: 'other' })];
  const all = [one, answer('one', 3), other, waits('two', 4), waits('beside', 5, { branch_id: 'other' })];
  expect(shown([one, all[1] as Message], all)).toEqual(['one', 'answer to one', 'two', 'run-run of two (two)']);
  expect(shown([other], all)).toEqual(['other', 'run-run of other (other)', 'beside', 'run-run of beside (beside)']);
});

it('leaves what was stopped while it waited before what was said after it, and parts no question of a run from its answer', () => {
  const [one, three] = [said('one', 1), said('three', 5)];
  const [asks, told] = [said('which?', 2, { role: 'assistant', status: 'question', run_id: 'run of one' }), said('that', 4, { run_id: 'run of one' })];
  const path = [one, asks, told, answer('one', 6), three, answer('three', 7)];
  const expected = ['one', 'which?', 'that', 'answer to one', 'two', 'run-run of two (two)', 'three', 'answer to three'];
  expect(shown(path, [...path, waits('two', 3)], runs({ one: 'completed', two: 'cancelled', three: 'completed' }))).toEqual(expected);
  expect(shown(path, [...path, waits('two', 3)], runs({ one: 'completed', two: 'queued', three: 'completed' }))).toEqual([...expected.filter((id) => !id.includes('two')), 'two', 'run-run of two (two)']);
});
