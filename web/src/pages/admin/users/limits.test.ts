import fc from 'fast-check';
import { expect, it } from 'vitest';
import { limitNames, limitsOf, namesOf, textsOf, wrongLimits } from './limits';

it('gives the server what the fields show, and the other way round', () => {
  const value = fc.option(fc.integer({ min: 1, max: 999_999_999 }), { nil: undefined });
  fc.assert(fc.property(fc.record({ requests: value, reads: value, runs: value, streams: value }), (limits) => {
    const given = Object.fromEntries(Object.entries(limits).filter(([, v]) => v !== undefined));
    expect(limitsOf(textsOf(given))).toEqual(given);
    expect(wrongLimits(textsOf(given))).toEqual([]);
  }));
});

it('names fields that are no whole number above zero', () => {
  for (const text of ['0', '-1', '1.5', 'x', '1e9', '9999999999']) expect(wrongLimits({ ...textsOf(null), runs: text }), text).toEqual(['runs']);
  expect(limitNames).toHaveLength(4);
});

it('reads names however they are separated', () => {
  expect(namesOf('ada, bob\ncarl  ada')).toEqual(['ada', 'bob', 'carl']);
});
