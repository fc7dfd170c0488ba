import { expect, it } from 'vitest';
import type { Message, Run } from './data';
import { itemsOf, over, turnsOf } from './items';

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
  // Also where its run is not known any more.
  expect(shown(path, [...path, waits('two', 3, { status: 'cancelled' })], runs({ one: 'completed' }))).toEqual(expected);
  expect(shown(path, [...path, waits('two', 3)], runs({ one: 'completed', two: 'queued', three: 'completed' }))).toEqual([...expected.filter((id) => !id.includes('two')), 'two', 'run-run of two (two)']);
});

it('shows a run once, behind what was last said to it', () => {
  const one = said('one', 1);
  const [asks, told] = [said('which?', 2, { role: 'assistant', status: 'question', run_id: 'run of one' }), said('that', 3, { run_id: 'run of one' })];
  expect(shown([one, asks, told], [one, asks, told])).toEqual(['one', 'that', 'run-run of one (that)']);
});

const turns = (path: readonly Message[], all: readonly Message[], of: Record<string, string>, started: readonly string[] = []) => {
  const known = runs(of);
  const { shown: items, working } = turnsOf(itemsOf(path, all, known, started), (run) => over.has(known.get(run)?.status ?? ''));
  return [items.map((i) => i.kind === 'waiting' ? `${i.key} waits` : i.key), items[working]?.key];
};

it('follows the run that works, and what waits behind it when its turn comes', () => {
  const [one, two, three] = [said('one', 1), waits('two', 3), waits('three', 4)];
  const all = [one, two, three];
  expect(turns([one], all, { one: 'running', two: 'queued', three: 'queued' }, ['new'])).toEqual([['one', 'run-run of one', 'two', 'three', 'run-new waits'], 'run-run of one']);
  // It failed, or its answer is there, before the next one is seen to have begun.
  expect(turns([one], all, { one: 'failed', two: 'queued', three: 'queued' })).toEqual([['one', 'run-run of one', 'two', 'run-run of two', 'three'], 'run-run of two']);
  expect(turns([one, answer('one', 2)], [...all, answer('one', 2)], { one: 'completed', two: 'queued', three: 'queued' })).toEqual([['one', 'answer to one', 'two', 'run-run of two', 'three'], 'run-run of two']);
  // Stopped while it waited.
  const stopped = [['one', 'run-run of one', 'two', 'run-run of two', 'three'], 'run-run of one'];
  expect(turns([one], all, { one: 'running', two: 'cancelled', three: 'queued' })).toEqual(stopped);
  expect(turns([one], [one, waits('two', 3, { status: 'cancelled' }), three], { one: 'running', three: 'queued' })).toEqual(stopped);
  expect(turns([one], [one, waits('two', 3, { status: 'cancelled' })], { one: 'failed' })).toEqual([['one', 'run-run of one', 'two', 'run-run of two'], undefined]);
});

it('follows a run that waits for somebody, and whatever has begun beside a run that is not known to be over', () => {
  const [one, two] = [said('one', 1), said('two', 2)];
  expect(turns([one], [one, waits('three', 3)], { one: 'waiting_approval', three: 'queued' })).toEqual([['one', 'run-run of one', 'three'], 'run-run of one']);
  expect(turns([one, two], [one, two, waits('three', 3)], { one: 'running', two: 'running', three: 'queued' })).toEqual([['one', 'run-run of one', 'two', 'run-run of two', 'three'], 'run-run of two']);
  expect(turns([one, two, answer('two', 3)], [one, two, answer('two', 3), waits('three', 4)], { two: 'completed', three: 'queued' })).toEqual([['one', 'run-run of one', 'two', 'answer to two', 'three', 'run-run of three'], 'run-run of three']);
});
