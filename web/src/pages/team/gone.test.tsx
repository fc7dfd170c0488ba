import { act, screen } from '@testing-library/react';
import { Navigate, Route, Routes } from 'react-router';
import { expect, it } from 'vitest';
import { show, tidyWorld } from '../../testing/world';
import AgentPage from './AgentPage';
import TeamDetailPage from './TeamDetailPage';

tidyWorld();

const agent = {
  name: 'helper', role: 'Helper', description: 'Helps.', instructions: 'Help.', tier: 'standard', model: null, tools: [], planned_tools: [], missing_tools: [], temperature: 0.5, output_schema: null,
  cache: 'none', specialist: true, capabilities: [], avatar: 'H', teams: [], source: 'api', version: '0',
};
const team = {
  name: 'pair', description: 'Two.', pattern: 'direct', entry: 'helper', members: [], writer: null, selector: null, coordinator: null, max_rounds: 8, max_parallel: 8, edges: {}, handoffs: {}, delegate_patterns: {},
  limits: {}, agents: ['helper'], is_default: false, source: 'api',
};

it.each([
  ['agents', 'helper', agent, <AgentPage key="page" />, 'There is no agent helper'],
  ['teams', 'pair', team, <TeamDetailPage key="page" />, 'There is no team pair'],
] as const)('keeps what is being typed when it is deleted elsewhere, and says then that it is gone: %s', async (kind, name, value, page, isGone) => {
  let there = true;
  const { user, cache } = show(<Routes><Route index element={<Navigate to={`/team/${kind}/${name}`} />} /><Route path="team/:kind/:name" element={page} /></Routes>, {
    [`GET /api/v1/${kind}/${name}`]: () => there ? { body: value, etag: '"1"' } : { status: 404, body: { code: 'not_found', trace_id: 't-4' } },
    'GET /api/v1/agents': { body: { items: [agent], problems: [], next_cursor: null } },
    'GET /api/v1/agents/status': { body: { agents: [] } },
  });
  await user.click(await screen.findByRole('button', { name: 'Edit' }));
  const field = await screen.findByLabelText<HTMLTextAreaElement>('Description');
  await user.type(field, ' Mine, an hour of work.');
  there = false;
  await act(() => cache.invalidateQueries());
  expect(screen.getByLabelText<HTMLTextAreaElement>('Description').value).toContain('Mine, an hour of work.');
  await user.click(screen.getByRole('button', { name: 'Cancel' }));
  await user.click(await screen.findByRole('button', { name: 'Discard it' }));
  expect(await screen.findByText(isGone)).toBeTruthy();
});
