import { expect, it } from 'vitest';
import { Problem } from './problem';
import { SameRequest } from './sameRequest';

it('sends the same content with the same key until it is known what became of it', async () => {
  const same = new SameRequest();
  const keys: string[] = [];
  const send = async (content: string, error?: Problem) => {
    await same.send(content, (key) => {
      keys.push(key);
      return error ? Promise.reject(error) : Promise.resolve();
    }).catch(() => undefined);
    return new Set(keys).size;
  };
  const lost = new Problem(0, {});
  expect(await send('a', lost)).toBe(1);
  expect(await send('a', new Problem(503, {}))).toBe(1);
  expect(await send('a', new Problem(409, { code: 'idempotency_in_progress' }))).toBe(1);
  expect(await send('a')).toBe(1);
  expect(await send('a', lost)).toBe(2); // another one like it
  expect(await send('b', lost)).toBe(3);
  expect(await send('b', new Problem(409, { code: 'conflict' }))).toBe(3);
  expect(await send('b')).toBe(4); // to the key of before the server would answer as before
});
