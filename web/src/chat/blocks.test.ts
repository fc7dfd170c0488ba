import fc from 'fast-check';
import { expect, it } from 'vitest';
import { splitBlocks } from './blocks';

it('cuts at empty lines, but not inside code or maths', () => {
  expect(splitBlocks('one\n\ntwo\n\n```js\na\n\nb\n```\n\nthree')).toEqual(['one\n\n', 'two\n\n', '```js\na\n\nb\n```\n\n', 'three']);
  expect(splitBlocks('$$\na\n\nb\n$$\n\nend')).toHaveLength(2);
});

it('takes what opens and ends on one line for text', () => {
  expect(splitBlocks('$$x^2$$\n\none\n\ntwo')).toEqual(['$$x^2$$\n\n', 'one\n\n', 'two']);
  expect(splitBlocks('```x```\n\none\n\ntwo')).toEqual(['```x```\n\n', 'one\n\n', 'two']);
});

it('loses nothing, and leaves all blocks but the last as they were when text is added', () => {
  const texts = fc.array(fc.constantFrom('word', '\n', '\n\n', '```', '```js\n', '~~~', '$$', '$$x$$', '```x```', '# head', '  '), { maxLength: 40 }).map((parts) => parts.join(''));
  fc.assert(fc.property(texts, texts, (text, more) => {
    const before = splitBlocks(text);
    const after = splitBlocks(text + more);
    expect(before.join('')).toBe(text);
    expect(after.slice(0, Math.max(0, before.length - 1))).toEqual(before.slice(0, -1));
  }));
});
