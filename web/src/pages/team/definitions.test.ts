import { expect, it } from 'vitest';
import { agentDefinition, emptyAgent, emptyTeam, isJsonObject, mapIn, mapOut, namesIn, numberIn, phrasesIn, teamDefinition } from './definitions';

it('reads names, phrases and maps as people type them', () => {
  expect(namesIn(' a, b\nb;c ')).toEqual(['a', 'b', 'c']);
  expect(phrasesIn('web research, sources\n\n sources ')).toEqual(['web research', 'sources']);
  expect(mapIn('a: b, *\n\n c:d\na: e')).toEqual({ a: ['b', '*', 'e'], c: ['d'] });
  expect(mapIn('a b')).toBeNull();
  expect(mapIn(mapOut({ a: ['b', 'c'], d: [] }))).toEqual({ a: ['b', 'c'], d: [] });
  expect([numberIn(''), numberIn('0,5'), numberIn('x')]).toEqual([undefined, 0.5, NaN]);
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
