import { expect, it } from 'vitest';
import { toChoice } from './choice';

it('takes names from what was kept, and nothing else', () => {
  expect(toChoice('{"agent":"researcher","model":"smart","team":""}')).toEqual({ agent: 'researcher', model: 'smart' });
  for (const odd of [null, '', 'null', '[]', '1', '{', '{"agent":7,"other":"x"}']) expect(toChoice(odd)).toEqual({});
});
