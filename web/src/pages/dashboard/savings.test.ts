import { expect, it } from 'vitest';
import { savingsOf } from './savings';

const prices = [{ name: 'big', tiers: ['premium'], input: 10, cached: 1, output: 30 }, { name: 'small', tiers: ['cheap'], input: 1, cached: 0.5, output: 2 }];

it('says what caches and the cheaper models saved', () => {
  const saved = savingsOf([{ model: 'small', input: 1_000_000, cached: 400_000, output: 100_000, cost: 1 }], prices, 'big');
  expect(saved.cache).toBeCloseTo(0.2);
  expect(saved.cachedShare).toBeCloseTo(0.4);
  expect(saved.cascade).toBeCloseTo(6 + 0.4 + 3 - 1);
  expect(saved.premium).toBe('big');
});

it('claims nothing where there is no price, no premium model, or no request', () => {
  expect(savingsOf([], prices, 'big')).toEqual({ cost: 0, cache: 0, cachedShare: null, cascade: 0, premium: 'big' });
  expect(savingsOf([{ model: 'gone', input: 10, cached: 5, output: 1, cost: 0.1 }], prices, null)).toEqual({ cost: 0.1, cache: 0, cachedShare: 0.5, cascade: null, premium: null });
  expect(savingsOf([], [{ name: 'free', tiers: ['premium'], input: 0, cached: 0, output: 0 }], 'free').cascade).toBeNull();
});
