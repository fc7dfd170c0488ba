import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { SchemaUserLimits } from '../../../api/schema';
import { changedLimits, limitNames, limitsOf, namesOf, textsOf, wrongLimits } from './limits';

it('gives the server what the fields show, and the other way round', () => {
  const value = fc.option(fc.integer({ min: 1, max: 999_999_999 }), { nil: undefined });
  fc.assert(fc.property(fc.record({ requests: value, reads: value, runs: value, streams: value, spend_per_day_usd: fc.option(fc.integer({ min: 0, max: 999_999_999 }).map((cents) => cents / 100), { nil: undefined }) }), (limits) => {
    const given = Object.fromEntries(Object.entries(limits).filter(([, v]) => v !== undefined));
    expect(limitsOf(textsOf(given))).toEqual(given);
    expect(wrongLimits(textsOf(given))).toEqual([]);
    expect(changedLimits(textsOf(given), given)).toBeUndefined();
  }));
});

it('names fields that are no whole number above zero', () => {
  for (const text of ['0', '-1', '1.5', 'x', '1e9', '9999999999']) expect(wrongLimits({ ...textsOf(null), runs: text }), text).toEqual(['runs']);
  for (const text of ['-1', 'x', '1e9', '1,000', '1000000001']) expect(wrongLimits({ ...textsOf(null), spend_per_day_usd: text }), text).toEqual(['spend_per_day_usd']);
});

it('has a field for each limit that the API has', () => {
  const named: Record<keyof SchemaUserLimits, true> = { requests: true, reads: true, runs: true, streams: true, spend_per_day_usd: true }; // does not compile when one is missing
  expect([...limitNames].sort()).toEqual(Object.keys(named).sort());
});

it('reads names however they are separated', () => {
  expect(namesOf('ada, bob\ncarl  ada')).toEqual(['ada', 'bob', 'carl']);
});
