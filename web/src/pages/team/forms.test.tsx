import { screen } from '@testing-library/react';
import { expect, it, vi } from 'vitest';
import { show, tidyWorld } from '../../testing/world';
import { AgentDialog } from './AgentForm';
import { TeamDialog } from './TeamForm';

tidyWorld();

const agent = {
  name: 'helper', role: 'Helper', description: 'Helps.', instructions: 'Help.', tier: 'standard', model: null, tools: [], planned_tools: [], missing_tools: [], temperature: 0.5, output_schema: null,
  cache: 'none', specialist: true, capabilities: [], avatar: 'H', teams: [], source: 'api', version: '0',
};
const team = {
  name: 'pair', description: 'Two.', pattern: 'direct', entry: 'helper', members: [], writer: null, selector: null, coordinator: null, max_rounds: 8, max_parallel: 8, edges: {}, handoffs: {}, delegate_patterns: {},
  limits: { max_tokens: 5000, max_cost_usd: 1 }, agents: ['helper'], is_default: false, source: 'api',
};
const none = () => undefined;

it('sends no agent whose temperature cannot be read, says so at the field, and keeps what its form does not change', async () => {
  const { user, made } = show(<AgentDialog open onClose={none} onSaved={none} agent={{ value: agent, etag: '"1"' }} />, { 'PUT /api/v1/agents/helper': { body: agent, etag: '"2"' } });
  const field = await screen.findByLabelText('Temperature');
  await user.type(field, 'x');
  await user.click(screen.getByRole('button', { name: 'Save' }));
  expect(await screen.findByText('A number, like 0.5.')).toBeTruthy();
  expect([field.getAttribute('aria-invalid'), made('PUT /api/v1/agents/helper').length]).toEqual(['true', 0]);
  await user.clear(field);
  await user.type(field, '0,7');
  await user.click(screen.getByRole('button', { name: 'Save' }));
  await vi.waitFor(() => { expect(made('PUT /api/v1/agents/helper').map((c) => c.body)).toEqual([expect.objectContaining({ temperature: 0.7, cache: 'none' })]); });
});

it('sends no team with a limit that cannot be read, instead of the default in its place', async () => {
  const { user, made } = show(<TeamDialog open onClose={none} onSaved={none} team={{ value: team, etag: '"1"' }} />, { 'GET /api/v1/agents': { body: { items: [agent], problems: [], next_cursor: null } }, 'PUT /api/v1/teams/pair': { body: team, etag: '"2"' } });
  const [tokens, cost, steps] = await Promise.all(['Tokens', 'Cost in US dollars', 'Steps'].map((name) => screen.findByLabelText(name)));
  if (!tokens || !cost || !steps) throw new Error('The form lacks a limit.');
  await user.type(tokens, 'k');
  await user.type(cost, ' $');
  await user.type(steps, '1,000');
  await user.click(screen.getByRole('button', { name: 'Save' }));
  expect(await screen.findAllByText('A whole number in digits, like 2000.')).toHaveLength(2);
  expect(screen.getByText('A number, like 0.5.')).toBeTruthy();
  expect(made('PUT /api/v1/teams/pair')).toHaveLength(0);
  for (const [field, text] of [[tokens, '10 000'], [cost, '0.5'], [steps, '1000']] as const) {
    await user.clear(field);
    await user.type(field, text);
  }
  await user.click(screen.getByRole('button', { name: 'Save' }));
  await vi.waitFor(() => { expect(made('PUT /api/v1/teams/pair').map((c) => (c.body as typeof team).limits)).toEqual([{ max_tokens: 10_000, max_cost_usd: 0.5, max_steps: 1000 }]); });
});

it('says so when the new version of an agent cannot be read, and keeps what was typed', async () => {
  let answers: 'nothing' | 'theirs' = 'nothing';
  const onClose = vi.fn();
  const { user } = show(<AgentDialog open onClose={onClose} onSaved={none} agent={{ value: agent, etag: '"1"' }} />, {
    'PUT /api/v1/agents/helper': { status: 412, body: { code: 'etag_mismatch' } },
    'GET /api/v1/agents/helper': () => answers === 'nothing' ? { status: 503, body: { code: 'unavailable', trace_id: 't-9' } } : { body: { ...agent, role: 'Theirs' }, etag: '"2"' },
  });
  const role = await screen.findByLabelText<HTMLInputElement>('Role');
  await user.type(role, ' mine');
  await user.click(screen.getByRole('button', { name: 'Save' }));
  await user.click(await screen.findByRole('button', { name: 'Show the new version' }));
  expect(await screen.findByText('t-9')).toBeTruthy();
  expect(role.value).toBe('Helper mine');
  answers = 'theirs';
  await user.click(screen.getByRole('button', { name: 'Save' }));
  await user.click(await screen.findByRole('button', { name: 'Show the new version' }));
  await vi.waitFor(() => { expect(screen.getByLabelText<HTMLInputElement>('Role').value).toBe('Theirs'); });
  await vi.waitFor(() => { expect(screen.queryByRole('button', { name: 'Show the new version' })).toBeNull(); });
  await user.keyboard('{Escape}');
  expect(onClose).toHaveBeenCalledOnce(); // nothing of one's own is left to ask about
});

it('sends a refused agent again as a new request: what stood against it may be gone', async () => {
  const answers = [{ status: 409, body: { code: 'agent_exists' } }, { status: 503, body: { code: 'unavailable' } }, { status: 201, body: agent }];
  const onSaved = vi.fn();
  const { user, made } = show(<AgentDialog open onClose={none} onSaved={onSaved} />, { 'POST /api/v1/agents': () => answers.shift() ?? {} });
  await user.type(await screen.findByLabelText('Name'), 'helper');
  const save = screen.getByRole('button', { name: 'Save' });
  for (const times of [1, 2, 3]) {
    await user.click(save);
    await vi.waitFor(() => { expect(made('POST /api/v1/agents')).toHaveLength(times); expect(save.getAttribute('aria-disabled')).toBeNull(); });
  }
  expect(onSaved).toHaveBeenCalledWith('helper');
  const [refused, lost, again] = made('POST /api/v1/agents').map((c) => c.key);
  expect(lost).not.toBe(refused);
  expect(again).toBe(lost); // it may have been made, only the answer was lost
});

it('sends a refused team again as a new request', async () => {
  const answers = [{ status: 422, body: { errors: { edges: ['agent late is not there'] } } }, { status: 201, body: team }];
  const onSaved = vi.fn();
  const { user, made } = show(<TeamDialog open onClose={none} onSaved={onSaved} />, { 'GET /api/v1/agents': { body: { items: [agent], problems: [], next_cursor: null } }, 'POST /api/v1/teams': () => answers.shift() ?? {} });
  await user.type(await screen.findByLabelText('Name'), 'pair');
  await user.click(screen.getByRole('button', { name: 'Save' }));
  expect(await screen.findByText(/late is not there/)).toBeTruthy();
  await user.click(screen.getByRole('button', { name: 'Save' }));
  await vi.waitFor(() => { expect(onSaved).toHaveBeenCalledWith('pair'); });
  expect(new Set(made('POST /api/v1/teams').map((c) => c.key)).size).toBe(2);
});

it('says once what is wrong with a text that cannot be read', async () => {
  const { user } = show(<AgentDialog open onClose={none} onSaved={none} agent={{ value: agent, etag: '"1"' }} />);
  const schema = await screen.findByLabelText('Form of its answer');
  await user.type(schema, 'x');
  await user.click(screen.getByRole('button', { name: 'Save' }));
  await vi.waitFor(() => { expect(document.activeElement).toBe(schema); });
  expect(screen.getAllByRole('alert')).toHaveLength(1);
});

it('shows why a team is refused for a field that its pattern does not draw', async () => {
  const refusal = { status: 400, body: { title: 'Not valid', errors: { members: ['direct has no members: who takes part follows from the edges.'] } } };
  const { user } = show(<TeamDialog open onClose={none} onSaved={none} team={{ value: team, etag: '"1"' }} />, { 'GET /api/v1/agents': { body: { items: [agent], problems: [], next_cursor: null } }, 'PUT /api/v1/teams/pair': refusal });
  await user.click(await screen.findByRole('button', { name: 'Save' }));
  expect((await screen.findByText('members')).parentElement?.textContent).toContain('direct has no members');
});
