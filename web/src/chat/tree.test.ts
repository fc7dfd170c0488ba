import fc from 'fast-check';
import { expect, it } from 'vitest';
import { MessageTree, type TreeNode } from './tree';

const node = (id: string, parent_id: string | null, at: number): TreeNode => ({ id, parent_id, created_at: `2026-01-01T00:00:${String(at).padStart(2, '0')}Z` });

it('gives the branch to a leaf, its siblings, and the newest leaf below a message', () => {
  const tree = new MessageTree([node('b', 'a', 2), node('a', null, 1), node('c', 'b', 3), node('b2', 'a', 4), node('c2', 'b2', 5)]);
  expect(tree.path('c').map((m) => m.id)).toEqual(['a', 'b', 'c']);
  expect(tree.path(null).map((m) => m.id)).toEqual(['a', 'b2', 'c2']);
  const b2 = tree.get('b2');
  expect(b2 && tree.branching(b2)).toEqual({ siblings: ['b', 'b2'], index: 1 });
  expect(tree.newest('b')).toBe('c');
});

it('never loops and never loses the root, whatever the parents are', () => {
  fc.assert(fc.property(fc.array(fc.tuple(fc.integer({ min: 0, max: 9 }), fc.integer({ min: -1, max: 9 })), { maxLength: 12 }), (pairs) => {
    const tree = new MessageTree(pairs.filter(([id, parent]) => parent < id).map(([id, parent], i) => node(String(id), parent < 0 ? null : String(parent), i)));
    const path = tree.path(null);
    expect(new Set(path.map((m) => m.id)).size).toBe(path.length);
  }));
});

it.each(['queued', 'cancelled'])('has no place for what waits its turn, or was stopped while it did (%s): it is no root beside the first, and leads nowhere', (status) => {
  const waits = { ...node('w', null, 2), status };
  const tree = new MessageTree([{ ...node('a', null, 1), status: 'complete' }, waits, { ...node('b', 'a', 3), status: 'complete' }]);
  const a = tree.get('a');
  expect(a && tree.branching(a).siblings).toEqual(['a']);
  expect(tree.get('w')).toBe(waits);
  expect([tree.path(null), tree.path('w')].map((path) => path.map((m) => m.id))).toEqual([['a', 'b'], ['a', 'b']]);
});
