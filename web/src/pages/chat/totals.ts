import type { Run } from './data';

export interface Totals {
  /** Dollars, with all that was given to others. */
  cost: number;
  /** Of them, what work that was given to others cost. */
  others: number;
  /** Of those who answered; work that was given to others is not in them. */
  tokens: number;
  /** Of them, what providers had cached. */
  cached: number;
  /** Answers that were kept from before. */
  kept: number;
  /** Dollars that making those anew would have cost. */
  saved: number;
  /** Those that answered, the last one first; of a kept answer the one that made it. */
  models: string[];
}

/** What the conversation has cost so far, which models answered, and what kept answers saved. The runs come newest first. */
export function totalOf(runs: readonly Pick<Run, 'cost_usd' | 'tree_cost_usd' | 'usage' | 'answer'>[]): Totals {
  const models = [...new Set(runs.flatMap(({ answer }) => answer?.model ? [answer.model] : []))];
  return runs.reduce((sum, { cost_usd: own, tree_cost_usd: cost, usage, answer }) => {
    const saved = answer?.saved_usd ?? null;
    return {
      ...sum, cost: sum.cost + Number(cost), others: sum.others + Number(cost) - Number(own), tokens: sum.tokens + usage.input_tokens + usage.output_tokens, cached: sum.cached + usage.cached_tokens,
      kept: sum.kept + (saved === null ? 0 : 1), saved: sum.saved + Number(saved ?? 0),
    };
  }, { cost: 0, others: 0, tokens: 0, cached: 0, kept: 0, saved: 0, models });
}
