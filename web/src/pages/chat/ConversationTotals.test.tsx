import { screen } from '@testing-library/react';
import { expect, it } from 'vitest';
import type { SchemaConversationTotalsAnswer } from '../../api/schema';
import { show, tidyWorld } from '../../testing/world';
import { ConversationTotals } from './ConversationTotals';

tidyWorld();

const totals = (more: Partial<SchemaConversationTotalsAnswer> = {}): SchemaConversationTotalsAnswer => ({ runs: 3, cost_usd: '0.75', others_cost_usd: '0.00', usage: { input_tokens: 200, cached_tokens: 100, output_tokens: 50 }, tree_usage: { input_tokens: 300, cached_tokens: 120, output_tokens: 60 }, kept_answers: 0, saved_usd: '0.00', models: ['large'], ...more });

it('names the model that answered in the conversation', async () => {
  show(<ConversationTotals totals={totals()} />);
  expect((await screen.findByText(/^This conversation/)).textContent).toBe('This conversation: $0.75, 360 tokens (120 of them from the cache) · large');
  expect(screen.queryByRole('button')).toBeNull();
});

it('counts several, and tells their names to whoever opens it with the keyboard', async () => {
  const { user } = show(<ConversationTotals totals={totals({ models: ['large', 'small'] })} />);
  const models = await screen.findByRole('button', { name: '2 models', expanded: false });
  await user.tab();
  expect(document.activeElement).toBe(models);
  await user.keyboard('{Enter}');
  expect(models.getAttribute('aria-expanded')).toBe('true');
  expect(models.parentElement?.textContent).toMatch(/ · 2 models: large, small$/);
});

it('says nothing before anything was answered, or before it is known', async () => {
  show(<><ConversationTotals totals={totals({ tree_usage: { input_tokens: 0, cached_tokens: 0, output_tokens: 0 }, models: [] })} /><ConversationTotals totals={undefined} /><p>After</p></>);
  expect((await screen.findByText('After')).parentElement?.textContent).toBe('After');
});

it('tells what kept answers saved', async () => {
  show(<ConversationTotals totals={totals({ kept_answers: 2, saved_usd: '0.10' })} />);
  expect((await screen.findByText(/^This conversation/)).textContent).toMatch(/ · large · 2 kept answers saved \$0\.10$/);
});
