// @vitest-environment jsdom
import { expect, it, vi } from 'vitest';
import { Problem } from '../api/problem';
import type { RunEvent } from './events';
import { TreeLog } from './treeLog';

const at = (runId: string, seq: number, type = 'tool.started', more: Record<string, unknown> = {}): RunEvent => ({ type, run_id: runId, seq, created_at: '2026-01-01T00:00:00Z', ...more });
const seqs = (tree: TreeLog, runId: string) => tree.state.logs.get(runId)?.map((e) => e.seq);

it('keeps the own log, and of a run below nothing until somebody wants it', () => {
  const tree = new TreeLog('r', () => Promise.resolve({ items: [], more: false }));
  tree.take(at('r', 1));
  tree.take(at('c', 1));
  expect(seqs(tree, 'r')).toEqual([1]);
  expect(seqs(tree, 'c')).toBeUndefined();
});

it('reads a wanted log page by page, takes what follows live, and reads on where something is missing', async () => {
  let stored = [1, 2, 3].map((seq) => at('c', seq));
  const read = vi.fn((_: string, after: number) => {
    const items = stored.filter((e) => e.seq > after).slice(0, 2);
    return Promise.resolve({ items, more: items.length === 2 });
  });
  const tree = new TreeLog('r', read);
  tree.want('c');
  tree.want('c');
  await vi.waitFor(() => { expect(tree.state.loading.size).toBe(0); });
  expect(seqs(tree, 'c')).toEqual([1, 2, 3]);
  tree.take(at('c', 4));
  tree.take(at('c', 4));
  expect(seqs(tree, 'c')).toEqual([1, 2, 3, 4]);
  stored = [...stored, at('c', 4), at('c', 5), at('c', 6, 'run.completed')];
  tree.take(at('c', 6, 'run.completed'));
  await vi.waitFor(() => { expect(seqs(tree, 'c')).toEqual([1, 2, 3, 4, 5, 6]); });
  expect(tree.state.folds.get('c')).toMatchObject({ seq: 6, status: 'completed' });
  read.mockClear();
  tree.take(at('r', 2, 'child.completed', { child_run_id: 'c' }));
  tree.want('c');
  expect(read).not.toHaveBeenCalled();
});

it('says what could not be read, and tries again when asked', async () => {
  const read = vi.fn().mockRejectedValueOnce(new Error('no')).mockResolvedValue({ items: [at('c', 1)], more: false });
  const tree = new TreeLog('r', read);
  tree.want('c');
  await vi.waitFor(() => { expect(tree.state.failed.has('c')).toBe(true); });
  tree.want('c');
  await vi.waitFor(() => { expect(seqs(tree, 'c')).toEqual([1]); });
  expect(tree.state.failed.size).toBe(0);
});

/** The stream of the run itself: as many openings as are given, each over at once but the last. */
function streams(openings: number) {
  let opened = 0;
  vi.stubGlobal('fetch', () => Promise.resolve(new Response(new ReadableStream<Uint8Array>({ start: (stream) => { if (++opened < openings) stream.close(); } }))));
  return () => opened;
}

it('reads on below the run whenever its stream was opened again, however quickly', async () => {
  const opened = streams(3);
  const read = vi.fn(() => Promise.resolve({ items: [], more: false }));
  const tree = new TreeLog('r', read);
  tree.want('c');
  const leave = tree.subscribe(() => undefined);
  await vi.waitFor(() => { expect(opened()).toBe(3); }, 60_000);
  await vi.waitFor(() => { expect(read).toHaveBeenCalledTimes(3); }, 60_000);
  leave();
  vi.unstubAllGlobals();
}, 60_000);

it('tries a log again by itself that could not be read, as long as somebody looks; and not what is not to be read', async () => {
  streams(1);
  const read = vi.fn().mockRejectedValueOnce(new Problem(429, {})).mockResolvedValue({ items: [at('c', 1)], more: false });
  const tree = new TreeLog('r', (id, after) => id === 'gone' ? Promise.reject(new Problem(404, {})) : read(id, after) as ReturnType<TreeLog['read']>);
  const leave = tree.subscribe(() => undefined);
  tree.want('c');
  tree.want('gone');
  await vi.waitFor(() => { expect(seqs(tree, 'c')).toEqual([1]); }, 60_000);
  expect([...tree.state.failed.keys()]).toEqual(['gone']);
  leave();
  vi.unstubAllGlobals();
}, 60_000);
