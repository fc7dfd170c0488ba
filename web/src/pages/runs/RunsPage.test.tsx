import { screen } from '@testing-library/react';
import { expect, it } from 'vitest';
import en from '../../i18n/en.json';
import { show, tidyWorld } from '../../testing/world';
import RunsPage from './RunsPage';

tidyWorld();

it('offers every agent as a filter, also those beyond the first page of them', async () => {
  show(<RunsPage />, {
    'GET /api/v1/runs': { body: { items: [], next_cursor: null } },
    'GET /api/v1/users': { body: { items: [], next_cursor: null } },
    'GET /api/v1/agents': ({ query }) => ({ body: query.has('cursor') ? { items: [{ name: 'a_late_one' }], problems: [], next_cursor: null } : { items: [{ name: 'meta' }], problems: [], next_cursor: 'more' } }),
  });
  expect(await screen.findByRole('option', { name: 'a_late_one' })).toBeTruthy();
  expect(screen.getByRole('option', { name: 'meta' })).toBeTruthy();
  expect(screen.getByLabelText('Agent').querySelector('option')?.textContent).toBe(en.runs.anyAgent);
});

it('counts the tokens of those that worked below a run, as it does their cost, and says its state where its column has no place', async () => {
  const usage = { input_tokens: 10, output_tokens: 5, cached_tokens: 0 };
  const run = { id: 'r1', title: 'Trains?', team: 'root-mas', agent: 'communicator', agents: ['communicator'], owner_id: 'u-ada', status: 'completed', created_at: '2026-01-01T00:00:00Z', ended_at: '2026-01-01T00:00:05Z', usage, tree_usage: { ...usage, input_tokens: 400 }, cost_usd: '0.001', tree_cost_usd: '0.2' };
  show(<RunsPage />, {
    'GET /api/v1/runs': { body: { items: [run], next_cursor: null } }, 'GET /api/v1/users': { body: { items: [], next_cursor: null } }, 'GET /api/v1/agents': { body: { items: [], problems: [], next_cursor: null } },
  });
  expect((await screen.findByRole('link', { name: 'Trains?' })).dir).toBe('auto');
  expect(screen.getAllByRole('cell').map((cell) => cell.textContent).slice(4)).toEqual(['405', '$0.20']);
  expect(screen.getAllByRole('cell')[0]?.textContent).toContain('Completed');
});
