/** What the provider's caches and the cascade saved, from the ledger by model and the price list. Money in dollars; estimates for people, not for bills. */
export interface Usage {
  model: string;
  input: number;
  cached: number;
  output: number;
  cost: number;
}

export interface Price {
  name: string;
  tiers: readonly string[];
  input: number;
  cached: number;
  output: number;
}

export interface Savings {
  cost: number;
  /** What cached tokens would have cost at the full price, less what they did cost. */
  cache: number;
  cachedShare: number | null;
  /** What everything would have cost on the first premium model, less what it did cost; null: no premium model has a price. */
  cascade: number | null;
  premium: string | null;
}

const million = 1_000_000;

export function savingsOf(usage: readonly Usage[], prices: readonly Price[], premium: string | null): Savings {
  const byName = new Map(prices.map((p) => [p.name, p]));
  const best = premium === null ? undefined : byName.get(premium);
  const hasPrice = best !== undefined && best.input + best.output > 0;
  let [cost, cache, all, input, cached] = [0, 0, 0, 0, 0];
  for (const u of usage) {
    const price = byName.get(u.model);
    cost += u.cost;
    input += u.input;
    cached += u.cached;
    if (price) cache += Math.max(0, (u.cached * (price.input - price.cached)) / million);
    // A model that costs nothing costs nothing of its own machine's time here: it saved what the other would have asked.
    if (best) all += costOf(u, best);
  }
  return { cost, cache, cachedShare: input > 0 ? Math.min(1, cached / input) : null, cascade: hasPrice ? Math.max(0, all - cost) : null, premium: hasPrice && best ? best.name : null };
}

function costOf(usage: Usage, price: Price): number {
  const cached = Math.min(usage.cached, usage.input);
  return ((usage.input - cached) * price.input + cached * price.cached + usage.output * price.output) / million;
}
