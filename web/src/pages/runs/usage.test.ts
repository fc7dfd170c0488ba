import { expect, it } from 'vitest';
import type { Run } from './data';
import { treeUsage } from './usage';

const run = (input: number, ...children: Run[]) => ({ usage: { input_tokens: input, cached_tokens: 1, output_tokens: 2 }, children }) as unknown as Run;

it('counts the tokens of a run with those of everybody below it', () => {
  expect(treeUsage(run(10, run(20, run(30)), run(40)))).toEqual({ input_tokens: 100, cached_tokens: 4, output_tokens: 8 });
  expect(treeUsage({ usage: { input_tokens: 5, cached_tokens: 0, output_tokens: 0 } })).toEqual({ input_tokens: 5, cached_tokens: 0, output_tokens: 0 });
});
