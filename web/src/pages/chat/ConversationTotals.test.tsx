import { screen } from '@testing-library/react';
import { expect, it } from 'vitest';
import { show, tidyWorld } from '../../testing/world';
import { ConversationTotals } from './ConversationTotals';
import type { Run } from './data';

tidyWorld();

const usage = { input_tokens: 100, cached_tokens: 40, output_tokens: 20 };
const runsOf = (...models: readonly (string | null)[]) => new Map(models.map((model, i) => [`r${i}`, { id: `r${i}`, cost_usd: '0.25', tree_cost_usd: '0.25', usage, answer: { message_id: 'm', text: 'Yes.', status: 'complete', citations: [], model } } as unknown as Run]));

it('names the model that answered in the conversation', async () => {
  show(<ConversationTotals runs={runsOf('large', 'large', null)} />);
  expect((await screen.findByText(/^This conversation/)).textContent).toBe('This conversation: $0.75, 360 tokens (120 of them from the cache) · large');
  expect(screen.queryByRole('button')).toBeNull();
});

it('counts several, and tells their names to whoever opens it with the keyboard', async () => {
  const { user } = show(<ConversationTotals runs={runsOf('large', 'small', 'large')} />);
  const models = await screen.findByRole('button', { name: '2 models', expanded: false });
  await user.tab();
  expect(document.activeElement).toBe(models);
  await user.keyboard('{Enter}');
  expect(models.getAttribute('aria-expanded')).toBe('true');
  expect(models.parentElement?.textContent).toMatch(/ · 2 models: large, small$/);
});

it('says nothing before anything was answered', async () => {
  show(<><ConversationTotals runs={new Map()} /><p>After</p></>);
  expect((await screen.findByText('After')).previousElementSibling?.textContent).toBe('');
});
