import { expect, it } from 'vitest';
import { keyed, probeOf } from './providers';

const provider = (name: string, has_key: boolean, key_secret: string | null, models: string[] = []) => ({ name, has_key, key_secret, models });

it('offers providers that take a key here, those that lack one first', () => {
  expect(keyed([provider('a', true, 'a'), provider('b', false, null), provider('c', false, 'c')]).map((p) => p.name)).toEqual(['c', 'a']);
});

it('tries a key with a model that writes', () => {
  expect(probeOf(provider('a', true, 'a', ['text-embedding-3', 'nano']))).toBe('nano');
  expect(probeOf(provider('a', true, 'a', ['text-embedding-3']))).toBe('text-embedding-3');
  expect(probeOf(provider('a', true, 'a'))).toBeUndefined();
});
