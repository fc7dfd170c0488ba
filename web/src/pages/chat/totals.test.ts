import { expect, it } from 'vitest';
import { totalOf } from './totals';

const usage = { input_tokens: 100, cached_tokens: 40, output_tokens: 20 };
const answer = { message_id: 'm', text: 'Yes.', status: 'complete', citations: [] };

it('sums what a conversation cost and what kept answers saved, and names the models once each', () => {
  const total = totalOf([
    { cost_usd: '0.125', tree_cost_usd: '0.25', usage, answer: { ...answer, model: 'large' } },
    { cost_usd: '0', tree_cost_usd: '0', usage: { input_tokens: 0, cached_tokens: 0, output_tokens: 0 }, answer: { ...answer, saved_usd: '0.125', model: 'small' } },
    { cost_usd: '0', tree_cost_usd: '0', usage, answer: { ...answer, saved_usd: '0', model: 'large' } },
    { cost_usd: '0.5', tree_cost_usd: '0.5', usage },
  ]);
  expect(total).toEqual({ cost: 0.75, others: 0.125, tokens: 360, cached: 120, kept: 2, saved: 0.125, models: ['large', 'small'] });
  expect(totalOf([])).toEqual({ cost: 0, others: 0, tokens: 0, cached: 0, kept: 0, saved: 0, models: [] });
});
