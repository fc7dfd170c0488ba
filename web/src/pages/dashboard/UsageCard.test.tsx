import { screen, within } from '@testing-library/react';
import { expect, it, vi } from 'vitest';
import { show, tidyWorld } from '../../testing/world';
import { UsageCard } from './UsageCard';

tidyWorld();

const hour = 3_600_000;
const from = Date.parse('2026-01-05T14:00:00Z');
const figures = { requests: 1, failed: 0, runs: 1, input_tokens: 1, output_tokens: 1, cached_tokens: 0, cost_usd: '0.01', mean_latency_ms: 10 };
const at = (i: number) => new Date(from + i * hour).toISOString();
const hours = Array.from({ length: 48 }, (_, i) => i);
const report = (by: string | null) => ({ bucket: 'hour', by, scope: 'all', from: at(0), to: at(48), items: [{ key: 'a', figures }, { key: 'b', figures }], series: hours.flatMap((i) => ['a', 'b'].map((key) => ({ start: at(i), key, figures }))) });
const server = { 'GET /api/v1/usage': ({ query }: { query: URLSearchParams }) => ({ body: report(query.get('by')) }), 'GET /api/v1/models': { status: 403, body: {} } };

it('tells the hours of two days apart', async () => {
  show(<UsageCard />, server);
  const table = await screen.findByRole('table', { name: /Requests/, hidden: true });
  const labels = within(table).getAllByRole('row', { hidden: true }).slice(1).map((row) => row.firstElementChild?.textContent);
  expect([labels.length, new Set(labels).size]).toEqual([48, 48]);
});

it('puts runs upon each other where they add up: by user, not by agent, where one run counts at each', async () => {
  const { user } = show(<UsageCard />, server);
  const [lines, bars] = [() => document.querySelectorAll('svg path[data-series]').length, () => document.querySelectorAll('svg g[data-series]').length];
  const select = async (name: string, value: string) => { await user.selectOptions(await screen.findByLabelText(name), value); };
  await vi.waitFor(() => { expect([lines(), bars()]).toEqual([0, 2]); });
  await select('Figure', 'runs');
  await vi.waitFor(() => { expect([lines(), bars()]).toEqual([2, 0]); });
  expect(document.querySelector('svg path[data-series]')?.getAttribute('d')?.match(/M/g)).toHaveLength(1); // no runs are none, and no gap
  await select('By', 'user');
  await vi.waitFor(() => { expect([lines(), bars()]).toEqual([0, 2]); });
});
