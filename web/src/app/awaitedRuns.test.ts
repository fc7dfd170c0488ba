import { expect, it } from 'vitest';
import type { SchemaRunView } from '../api/schema';
import { AwaitedRuns, type Found } from './awaitedRuns';

const run = (id: string, status: string, children: SchemaRunView[] = []): SchemaRunView => ({
  id, status, team: 'root-mas', agent: 'communicator', agents: [], owner_id: 'me', root_run_id: id, attempt: 1, last_seq: 1, usage: { input_tokens: 0, cached_tokens: 0, output_tokens: 0 }, cost_usd: '0', tree_cost_usd: '0',
  created_at: '2026-01-01T00:00:00Z', children,
});
const found = (...runs: SchemaRunView[]): Found => new Map(runs.map((r) => [r.id, r]));
const what = (news: ReturnType<AwaitedRuns['take']>) => news.map((n) => [n.run.id, n.what]);

it('tells once of the end of what was begun here, also when a list is older than the end', () => {
  const runs = new AwaitedRuns();
  runs.add('a');
  expect(what(runs.take(found(run('a', 'running'))))).toEqual([]);
  expect(what(runs.take(found(run('a', 'completed'))))).toEqual([['a', 'ended']]);
  expect(runs.meet([run('a', 'running')])).toBe(false);
  runs.add('a');
  expect(what(runs.take(found(run('a', 'completed'))))).toEqual([]);
  expect(runs.ids).toEqual([]);
});

it('does not tell of an end that somebody saw, when it is found a moment later', () => {
  const runs = new AwaitedRuns();
  runs.add('a');
  runs.close('a');
  expect(runs.ids).toEqual([]);
  expect(what(runs.take(found(run('a', 'completed'))))).toEqual([]);
  expect(runs.meet([run('a', 'running')])).toBe(false);
});

it('tells of what begins to wait, also below, and not of what waited at the first look', () => {
  const runs = new AwaitedRuns();
  expect(runs.meet([run('old', 'waiting_input'), run('b', 'running')])).toBe(true);
  const asking = run('b', 'waiting_children', [run('c', 'waiting_children', [run('d', 'waiting_input')])]);
  expect(what(runs.take(found(run('old', 'waiting_input'), asking)))).toEqual([['b', 'asks']]);
  expect(what(runs.take(found(asking)))).toEqual([]);
  expect(what(runs.take(found(run('b', 'running'))))).toEqual([]);
  expect(what(runs.take(found(run('b', 'waiting_approval'))))).toEqual([['b', 'approval']]);
  runs.meet([run('new', 'needs_review')]);
  expect(what(runs.take(found(run('new', 'needs_review'))))).toEqual([['new', 'asks']]);
});

it('forgets what is gone', () => {
  const runs = new AwaitedRuns();
  runs.add('a');
  expect(runs.take(new Map([['a', null]]))).toEqual([]);
  expect(runs.ids).toEqual([]);
});

it('goes on where another window was', () => {
  const [before, after] = [new AwaitedRuns(), new AwaitedRuns()];
  before.add('a');
  before.meet([run('b', 'running')]);
  before.take(found(run('b', 'waiting_input')));
  after.restore([...before.list, 'nonsense', ['c', 'nonsense'], [1, 'working']]);
  expect(after.ids).toEqual(['a', 'b']);
  expect(what(after.take(found(run('a', 'failed'), run('b', 'waiting_input'))))).toEqual([['a', 'ended']]);
});

it('looks at what works however many wait for somebody, and at these in turn', () => {
  const runs = new AwaitedRuns();
  runs.meet(Array.from({ length: 30 }, (_, i) => run(`w${i}`, 'waiting_approval')));
  runs.add('new');
  const looked = new Set<string>();
  for (let i = 0; i < 2; i++) {
    const next = runs.next(20);
    expect([next.length, next[0]]).toEqual([20, 'new']);
    next.forEach((id) => looked.add(id));
    runs.take(found(...next.map((id) => run(id, id === 'new' ? 'running' : 'waiting_approval'))));
  }
  expect(looked.size).toBe(31);
  for (let i = 0; i < 40; i++) runs.add(`r${i}`);
  const next = runs.next(20);
  expect([next.length, next.filter((id) => id.startsWith('w')).length]).toEqual([20, 5]);
});
