import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { Problem } from '../../api/problem';
import type { SchemaCollectionView, SchemaConversationAnswer, SchemaDocumentView, SchemaMessageAnswer, SchemaRunView } from '../../api/schema';
import { collect, deleteAll, type Source } from './myData';
import { patiently } from './patience';

const conversation = (id: string): SchemaConversationAnswer => ({ id, title: id, archived: false, pinned: false, created_at: '2026-01-01T00:00:00Z', updated_at: '2026-01-01T00:00:00Z' });
const message = (id: string): SchemaMessageAnswer => ({ id, branch_id: 'b', role: 'user', content: id, status: 'complete', tainted: false, citations: [], created_at: '2026-01-01T00:00:00Z' });
const source = (change: Partial<Source> = {}): Source => ({
  conversations: () => Promise.resolve([conversation('a'), conversation('b')]), conversation: (id) => Promise.resolve(conversation(id)), messages: (id) => Promise.resolve([message(`${id}1`)]), runs: () => Promise.resolve([]), memory: () => Promise.resolve(null), forget: () => Promise.resolve(), unshare: () => Promise.resolve(), remove: () => Promise.resolve(),
  collections: () => Promise.resolve([]), documents: () => Promise.resolve([]), text: () => Promise.resolve(null), removeCollection: () => Promise.resolve(), ...change,
});

beforeEach(() => { vi.useFakeTimers(); });
afterEach(() => { vi.useRealTimers(); });

it('collects conversations with their messages, and says how far it is', async () => {
  const steps: number[] = [];
  const all = await collect({ id: 'u', username: 'ada' }, source(), new Date('2026-01-02T00:00:00Z'), ({ done }) => steps.push(done));
  expect(all).toMatchObject({ exported_at: '2026-01-02T00:00:00.000Z', user: { username: 'ada' }, conversations: [{ id: 'a', messages: [{ content: 'a1' }] }, { id: 'b', messages: [{ content: 'b1' }] }], runs: [] });
  expect(steps).toEqual([0, 1, 2]);
});

it('goes on after what cannot be deleted, and counts what is gone already as deleted', async () => {
  const remove = vi.fn((id: string) => id === 'a' ? Promise.reject(new Problem(409, { code: 'busy' })) : Promise.reject(new Problem(404, {})));
  const result = await deleteAll(source({ remove }), false, new AbortController().signal, () => undefined);
  expect(result.conversations).toBe(1);
  expect(result.failed).toHaveLength(1);
});

it('takes what is remembered along, and has it forgotten after the conversations it could be read from again', async () => {
  const memory = { user_id: 'u', exported_at: '2026-01-01T00:00:00Z', facts: [], graph: {} };
  expect(await collect({ id: 'u', username: 'ada' }, source({ memory: () => Promise.resolve(memory) }), new Date(), () => undefined)).toMatchObject({ memory });
  const acts: string[] = [];
  await deleteAll(source({ remove: (id) => { acts.push(id); return Promise.resolve(); }, forget: () => { acts.push('memory'); return Promise.resolve(); } }), false, new AbortController().signal, () => undefined);
  expect(acts).toEqual(['a', 'b', 'memory']);
});

const collection = (id: string, documents: number): SchemaCollectionView => ({ id, name: id, description: '', owner_id: 'u', is_default: false, may_write: true, documents, members: [], created_at: '2026-01-01T00:00:00Z', updated_at: '2026-01-01T00:00:00Z' });
const document = (id: string) => ({ id, name: id }) as SchemaDocumentView;

it('takes one’s own documents along with what they say, and says of which nothing could be read', async () => {
  const all = await collect({ id: 'u', username: 'ada' }, source({
    collections: () => Promise.resolve([collection('c', 2)]), documents: () => Promise.resolve([document('d1'), document('d2')]), text: (id) => Promise.resolve(id === 'd1' ? 'What it says.' : null),
  }), new Date(), () => undefined);
  expect(all).toMatchObject({ collections: [{ id: 'c', documents: [{ id: 'd1', text: 'What it says.' }, { id: 'd2', text: null }] }] });
});

it('deletes documents only when that is wanted, and before what is remembered of them', async () => {
  const acts: string[] = [];
  const act = (id: string) => { acts.push(id); return Promise.resolve(); };
  const given = source({ remove: act, forget: () => act('memory'), collections: () => Promise.resolve([collection('c', 3), collection('d', 2)]), removeCollection: act });
  expect(await deleteAll(given, false, new AbortController().signal, () => undefined)).toEqual({ conversations: 2, documents: 0, failed: [] });
  expect(acts.splice(0)).toEqual(['a', 'b', 'memory']);
  const steps: string[] = [];
  expect(await deleteAll(given, true, new AbortController().signal, ({ done, total }) => steps.push(`${done}/${total}`))).toEqual({ conversations: 2, documents: 5, failed: [] });
  expect(acts).toEqual(['a', 'b', 'c', 'd', 'memory']);
  expect(steps).toEqual(['1/4', '2/4', '3/4', '4/4']);
});

it('takes and deletes the conversations of programs too, which only their runs name', async () => {
  const runs = () => Promise.resolve(['p', 'a', 'p', 'gone', null].map((id, i) => ({ id: `r${i}`, conversation_id: id }) as SchemaRunView));
  const found = await collect({ id: 'u', username: 'ada' }, source({ runs, conversation: (id) => Promise.resolve(id === 'gone' ? null : conversation(id)) }), new Date(), () => undefined);
  expect((found as { conversations: { id: string; messages: unknown[] }[] }).conversations.map((c) => [c.id, c.messages.length])).toEqual([['a', 1], ['b', 1], ['p', 1]]);
  const removed: string[] = [];
  const result = await deleteAll(source({ runs, conversation: (id) => Promise.resolve(id === 'gone' ? null : conversation(id)), remove: (id) => { removed.push(id); return Promise.resolve(); } }), false, new AbortController().signal, () => undefined);
  expect(removed).toEqual(['a', 'b', 'p']);
  expect(result.conversations).toBe(3);
});

it('ends what is shared, before anything is deleted', async () => {
  const acts: string[] = [];
  const act = (id: string) => { acts.push(id); return Promise.resolve(); };
  const shared = (id: string, at: string | null) => ({ id, shared_at: at }) as SchemaRunView;
  await deleteAll(source({ remove: act, unshare: (id) => act(`unshare ${id}`), runs: () => Promise.resolve([shared('r1', null), shared('r2', '2026-01-01T00:00:00Z')]) }), false, new AbortController().signal, () => undefined);
  expect(acts).toEqual(['unshare r2', 'a', 'b']);
});

it('stops when it is told to', async () => {
  const stop = new AbortController();
  const removed: string[] = [];
  const work = deleteAll(source({ remove: (id) => { removed.push(id); stop.abort(); return Promise.resolve(); } }), false, stop.signal, () => undefined);
  await expect(work).rejects.toThrow();
  expect(removed).toEqual(['a']);
});

it('waits as long as the server says, then tries again', async () => {
  const work = vi.fn<() => Promise<string>>().mockRejectedValueOnce(new Problem(429, {}, 7)).mockResolvedValue('done');
  const result = patiently(work, new AbortController().signal);
  await vi.advanceTimersByTimeAsync(6_900);
  expect(work).toHaveBeenCalledTimes(1);
  await vi.advanceTimersByTimeAsync(200);
  await expect(result).resolves.toBe('done');
});

it('gives other refusals on at once, and ends a wait that is no longer wanted', async () => {
  await expect(patiently(() => Promise.reject(new Problem(403, {})), new AbortController().signal)).rejects.toThrow();
  const stop = new AbortController();
  const waiting = patiently(() => Promise.reject(new Problem(429, {}, 60)), stop.signal);
  const refused = expect(waiting).rejects.toThrow();
  await vi.advanceTimersByTimeAsync(10);
  stop.abort();
  await refused;
});
