import { act, screen } from '@testing-library/react';
import { afterEach, expect, it, vi } from 'vitest';
import { show, tidyWorld } from '../../testing/world';
import TeamPage from './TeamPage';

tidyWorld();
afterEach(() => { sockets.length = 0; });

const sockets: Socket[] = [];

class Socket {
  static readonly OPEN = 1;
  readyState = 1;
  onopen: (() => void) | null = null;
  onmessage: ((message: { data: string }) => void) | null = null;
  onclose: (() => void) | null = null;

  constructor() {
    sockets.push(this);
  }

  send(): void {
    // Nobody hears it.
  }

  close(): void {
    this.readyState = 2;
  }
}

const agent = {
  name: 'helper', role: 'Helper', description: 'Helps.', instructions: 'Help.', tier: 'standard', model: null, tools: [], planned_tools: [], missing_tools: [], temperature: 0.5, output_schema: null,
  cache: 'none', specialist: true, capabilities: [], avatar: 'H', teams: [], source: 'api', version: '0',
};
const team = {
  name: 'pair', description: 'Two.', pattern: 'direct', entry: 'helper', members: [], writer: null, selector: null, coordinator: null, max_rounds: 8, max_parallel: 8, edges: {}, handoffs: {}, delegate_patterns: {},
  limits: {}, agents: ['helper'], is_default: true, source: 'api',
};
const flow = { flow_id: 'f-waits', title: 'Waits', team: 'pair', agent: 'helper', status: 'waiting_approval', started_at: '2026-01-01T00:00:00Z', ended_at: null, events: 1, tokens: 0, cost_usd: '0', agents: ['helper'] };

it('asks again for what waits when that is heard of, and not with each frame of others', async () => {
  vi.stubGlobal('WebSocket', Socket);
  const { made } = show(<TeamPage />, {
    'GET /api/v1/agents': { body: { items: [agent], problems: [], next_cursor: null } },
    'GET /api/v1/teams': { body: { items: [team], next_cursor: null } },
    'GET /api/v1/agents/status': { body: { agents: [] } },
    'GET /api/v1/visualization/flows': { body: { flows: [flow] } },
  });
  await screen.findByText('Waits for approval');
  const asked = () => made('GET /api/v1/visualization/flows').length;
  const tell = (event_type: string, flow_id: string, data: object) => act(async () => {
    sockets.at(-1)?.onmessage?.({ data: JSON.stringify({ event_type, flow_id, data: { timestamp: '2026-01-01T00:00:00Z', ...data } }) });
    await new Promise((resolve) => { setTimeout(resolve, 20); });
  });
  const think = (flow_id: string) => tell('agent_thought', flow_id, { agent_id: 'helper', thought_type: 'thinking', message: 'Thinks.' });
  act(() => { sockets.at(-1)?.onopen?.(); });
  await tell('message_flow_start', 'f-waits', { user_message: 'Do it.' });
  await tell('message_flow_start', 'f-works', { user_message: 'Do that.' });
  const before = asked();
  for (let i = 0; i < 5; i++) await think('f-works');
  expect(asked()).toBe(before);
  await think('f-waits');
  expect(asked()).toBe(before + 1);
});
