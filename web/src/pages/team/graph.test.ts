import fc from 'fast-check';
import { expect, it } from 'vitest';
import { edgesOf, layoutOf, node, pathOf, texts, type TeamShape } from './graph';

const team = (shape: Partial<TeamShape>): TeamShape => ({ pattern: 'direct', entry: 'a', members: [], writer: null, selector: null, edges: {}, handoffs: {}, agents: [], ...shape });
const ways = (shape: TeamShape, specialists: readonly string[] = []) => edgesOf(shape, specialists).map((e) => `${e.from}>${e.to}:${e.kind}`);

it('writes out the star, leaves out oneself and strangers, and tells delegation from handoff', () => {
  const shape = team({ agents: ['a', 'b', 'c'], edges: { a: ['*', 'gone'], b: ['c', 'c'] }, handoffs: { a: ['c'], ghost: ['a'] } });
  expect(ways(shape, ['a', 'b', 'c'])).toEqual(['a>b:delegation', 'a>c:delegation', 'b>c:delegation', 'a>c:handoff']);
});

it('draws the order that a pattern gives', () => {
  const members = ['a', 'b', 'c'];
  expect(ways(team({ pattern: 'sequential', members, agents: members }))).toEqual(['a>b:flow', 'b>c:flow']);
  expect(ways(team({ pattern: 'concurrent', members: ['a', 'b'], writer: 'c', agents: members }))).toEqual(['a>c:flow', 'b>c:flow']);
  expect(ways(team({ pattern: 'group_chat', members: ['a', 'b'], selector: 'c', agents: members }))).toEqual(['c>a:flow', 'c>b:flow']);
  expect(ways(team({ pattern: 'group_chat', members, agents: members }))).toEqual(['a>b:flow', 'b>c:flow', 'c>a:flow']);
});

it('puts those who get work to the right of those who give it, also in a ring', () => {
  const shape = team({ agents: ['c', 'b', 'a', 'lost'], edges: { a: ['b'], b: ['c'], c: ['a'] } });
  const at = new Map(layoutOf(shape, edgesOf(shape, [])).places.map((p) => [p.name, p.x]));
  expect(['a', 'b', 'c', 'lost'].map((name) => at.get(name))).toEqual([0, 1, 2, 3].map((c) => c * (node.width + node.gapX)));
});

it('never loses an agent, never lets two overlap, and stays inside its frame', () => {
  const name = fc.constantFrom(...'abcdefghijklmnopqrst');
  const map = fc.dictionary(name, fc.array(fc.oneof(name, fc.constant('*')), { maxLength: 6 }));
  fc.assert(fc.property(
    fc.record({ pattern: fc.constantFrom('direct', 'handoff', 'sequential', 'concurrent', 'group_chat', 'plan'), entry: name, members: fc.array(name, { maxLength: 6 }), writer: fc.option(name), selector: fc.option(name), edges: map, handoffs: map, agents: fc.uniqueArray(name, { maxLength: 20 }) }),
    (shape) => {
      const edges = edgesOf(shape, shape.agents.slice(2));
      const layout = layoutOf(shape, edges);
      expect(layout.places.map((p) => p.name).sort()).toEqual([...shape.agents].sort());
      for (const p of layout.places) {
        expect(p.x >= -0.01 && p.y >= -0.01 && p.x + node.width <= layout.width + 0.01 && p.y + node.height <= layout.height + 0.01).toBe(true);
        for (const q of layout.places) if (p !== q) expect(Math.abs(p.x - q.x) >= node.width - 0.01 || Math.abs(p.y - q.y) >= node.height - 0.01, `${p.name} ${q.name}`).toBe(true);
      }
      const at = new Map(layout.places.map((p) => [p.name, p]));
      for (const e of edges) {
        const [from, to] = [at.get(e.from), at.get(e.to)];
        if (from && to) expect(pathOf(from, to)).toMatch(/^M[-\d.]+ [-\d.]+ C([-\d.]+ ){5}[-\d.]+$/);
      }
    },
  ));
});

it('takes only texts from what has no type', () => {
  expect(texts(['a', 1, null, 'b'])).toEqual(['a', 'b']);
  expect(texts({})).toEqual([]);
});
