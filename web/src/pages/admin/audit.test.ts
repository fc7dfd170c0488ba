import { expect, it } from 'vitest';
import { noFilter, queryOf } from './audit';

it('asks only for what was filled in, with times in UTC', () => {
  expect(queryOf(noFilter)).toEqual({});
  expect(queryOf({ ...noFilter, actor: ' ada ', outcome: 'denied' })).toEqual({ actor: 'ada', outcome: 'denied' });
  const { from } = queryOf({ ...noFilter, from: '2026-11-26T08:00', to: 'no time' });
  expect(from).toBe(new Date(2026, 10, 26, 8).toISOString());
  expect(queryOf({ ...noFilter, to: 'no time' })).toEqual({});
});
