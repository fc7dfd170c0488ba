import { expect, it } from 'vitest';
import type { SchemaAgentDefinition, SchemaTeamDefinition, SchemaTeamLimits } from '../../api/schema';
import { agentDefinition, agentDraft, emptyAgent, emptyTeam, isJsonObject, mapIn, mapOut, namesIn, numberIn, patterns, phrasesIn, teamDefinition, teamDraft } from './definitions';

it('reads names, phrases and maps as people type them', () => {
  expect(namesIn(' a, b\nb;c ')).toEqual(['a', 'b', 'c']);
  expect(phrasesIn('web research, sources\r\n\n code; tests \ncode; tests')).toEqual(['web research, sources', 'code; tests']);
  expect(mapIn('a: b, *\n\n c:d\na: e')).toEqual({ a: ['b', '*', 'e'], c: ['d'] });
  expect(mapIn('a b')).toBeNull();
  expect(mapIn(mapOut({ a: ['b', 'c'], d: [] }))).toEqual({ a: ['b', 'c'], d: [] });
  expect(['', '0,5', '0.125', '1 000,5', '1,000', 'x', '0.5 $', '1e3', '-1', '9'.repeat(400)].map((text) => numberIn(text))).toEqual([undefined, 0.5, 0.125, 1000.5, NaN, NaN, NaN, NaN, NaN, NaN]);
  expect(['2000', '1 000', '2\u00a0000\u202f000', '1,000', '1.5', '10k', '10 00'].map((text) => numberIn(text, true))).toEqual([2000, 1000, 2_000_000, NaN, NaN, NaN, NaN]);
});

it('sends what was filled in, and a model only with tier fixed', () => {
  const draft = { ...emptyAgent, name: ' helper ', model: 'm', tools: 'calculator' };
  expect(agentDefinition(draft)).toMatchObject({ name: 'helper', model: null, tools: ['calculator'], temperature: null, output_schema: null });
  expect(agentDefinition({ ...draft, tier: 'fixed', output_schema: '{"type":"object"}' })).toMatchObject({ model: 'm', output_schema: { type: 'object' } });
  expect([isJsonObject(''), isJsonObject('{}'), isJsonObject('[]'), isJsonObject('{')]).toEqual([true, true, false, false]);
});

it('sends members only for the patterns that have them, and only the limits that were given', () => {
  const draft = { ...emptyTeam, name: 't', members: 'a b', limits: { ...emptyTeam.limits, max_steps: '50' } };
  expect(teamDefinition(draft)).toMatchObject({ members: [], limits: { max_steps: 50 } });
  expect(teamDefinition({ ...draft, pattern: 'sequential' })).toMatchObject({ members: ['a', 'b'], entry: null });
});

// `Required`: a member that the API gets and this page does not know is an error here. A change replaces the whole definition: what the form does not carry would be lost by it. What only GET tells is taken and ignored.
const agent = {
  name: 'helper', role: 'Helper', description: 'Helps.', instructions: 'Help.', tier: 'fixed', model: 'm', tools: ['calculator'], planned_tools: ['later'], temperature: 0.5,
  output_schema: { type: 'object' } as unknown as Record<string, never>, cache: 'none', specialist: false, capabilities: ['help', 'web research, with sources; in two languages'], avatar: '🔎',
} satisfies Required<Omit<SchemaAgentDefinition, 'missing_tools' | 'teams' | 'source' | 'version'>>;
const team = {
  name: 'pair', description: 'Two.', pattern: 'group_chat', entry: 'a', members: ['a', 'b'], writer: 'b', selector: 'a', coordinator: 'b', max_rounds: 3, max_parallel: 2,
  edges: { a: ['b'] }, handoffs: { b: ['a'] }, delegate_patterns: { a: 'plan' } as unknown as Record<string, never>,
  limits: { max_steps: 10, max_children: 0, max_depth: 1, max_tokens: 5_000, max_cost_usd: 0.25, max_wall_seconds: 60 } satisfies Required<SchemaTeamLimits>,
} satisfies Required<Omit<SchemaTeamDefinition, 'agents' | 'is_default' | 'source'>>;

it.each([{ cache: 'none' }, { cache: 'public' }, { cache: null }])('gives back everything that was said of an agent, whatever is changed in it: %j', (cache) => {
  const said = { ...agent, ...cache };
  expect(agentDefinition(agentDraft({ ...said, missing_tools: [], teams: [], source: 'file', version: '0' }))).toEqual(said);
});

it.each([{ writer: null }, { pattern: 'concurrent', selector: null }, { pattern: 'plan', selector: null, members: [] }])('gives back everything that was said of a team: %j', (pattern) => {
  const said = { ...team, ...pattern };
  expect(teamDefinition(teamDraft({ ...said, agents: [], is_default: false, source: 'file' }))).toEqual(said);
});

it('sends a writer and a selector only for the patterns that have them: the fields of others are not drawn', () => {
  const draft = { ...emptyTeam, name: 't', writer: 'w', selector: 's' };
  expect(Object.fromEntries(patterns.map((pattern) => {
    const { writer, selector } = teamDefinition({ ...draft, pattern });
    return [pattern, [writer, selector]];
  }))).toEqual({ direct: [null, null], handoff: [null, null], sequential: [null, null], concurrent: ['w', null], group_chat: [null, 's'], plan: ['w', null] });
});
