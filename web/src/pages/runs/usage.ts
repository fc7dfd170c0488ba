import type { Run } from './data';

/** Tokens of a run and of all below it, as its cost is of all of them. */
export function treeUsage({ usage, children }: Pick<Run, 'usage' | 'children'>): Run['usage'] {
  return (children ?? []).map(treeUsage).reduce((sum, below) => ({
    input_tokens: sum.input_tokens + below.input_tokens, cached_tokens: sum.cached_tokens + below.cached_tokens, output_tokens: sum.output_tokens + below.output_tokens,
  }), usage);
}
