import { screen } from '@testing-library/react';
import type { ComponentType } from 'react';
import { expect, it } from 'vitest';
import ApprovalsPage from '../pages/approvals/ApprovalsPage';
import DashboardPage from '../pages/dashboard/DashboardPage';
import AgentPage from '../pages/team/AgentPage';
import TeamDetailPage from '../pages/team/TeamDetailPage';
import TeamPage from '../pages/team/TeamPage';
import { show, tidyWorld } from '../testing/world';

tidyWorld();

it.each<[string, ComponentType]>([['Approvals', ApprovalsPage], ['Dashboard', DashboardPage], ['Team', TeamPage], ['Team', AgentPage], ['Team', TeamDetailPage]])('%s says whom it is not for, and asks the server nothing', async (title, OnePage) => {
  const { calls } = show(<OnePage />, { 'GET /api/v1/auth/me': { body: { user: { id: 'u', username: 'a', role: 'agent' }, permissions: ['chat:read'], limits: {}, credential: 'cookie', scopes: [] } } });
  expect((await screen.findByRole('heading', { level: 1 })).textContent).toBe(title);
  expect(screen.getByText('Your role does not reach this part')).toBeTruthy();
  expect(calls.map((c) => c.route)).toEqual(['GET /api/v1/auth/me']);
});
