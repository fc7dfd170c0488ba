import { screen } from '@testing-library/react';
import { expect, it } from 'vitest';
import { show, tidyWorld } from '../../testing/world';
import type { Run } from './data';
import { RunFacts } from './RunFacts';

tidyWorld();

it('has no run last less than nothing, though the clock of the page is behind the server\'s', async () => {
  const run = { id: 'r', team: 't', agent: 'a', agents: [], created_at: '2026-01-01T00:00:10Z', ended_at: null, tree_cost_usd: '0', usage: { input_tokens: 0, cached_tokens: 0, output_tokens: 0 }, children: [] } as unknown as Run;
  show(<RunFacts run={run} status="running" now={Date.parse('2026-01-01T00:00:00Z')} owner="" />);
  expect(await screen.findByText('0 ms')).toBeTruthy();
});
