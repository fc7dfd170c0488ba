// @vitest-environment jsdom
import fc from 'fast-check';
import { createElement } from 'react';
import { renderToStaticMarkup } from 'react-dom/server';
import ReactMarkdown from 'react-markdown';
import remarkGfm from 'remark-gfm';
import remarkMath from 'remark-math';
import { expect, it } from 'vitest';
import { readableBlocks, splitBlocks } from './blocks';
import { withDollars } from './maths';

/** What a text becomes, element by element: the line breaks between them are nothing that anybody sees. */
function htmlOf(text: string): string[] {
  const page = document.createElement('div');
  page.innerHTML = renderToStaticMarkup(createElement(ReactMarkdown, { remarkPlugins: [remarkGfm, [remarkMath, { singleDollarTextMath: false }]], skipHtml: true }, withDollars(text)));
  return [...page.children].map((element) => element.outerHTML);
}

function expectTheSame(text: string): void {
  expect(readableBlocks(text, false).flatMap(htmlOf), JSON.stringify(text)).toEqual(htmlOf(text));
}

it('cuts at empty lines, but not inside code or maths', () => {
  expect(splitBlocks('one\n\ntwo\n\n```js\na\n\nb\n```\n\nthree')).toEqual(['one\n\n', 'two\n\n', '```js\na\n\nb\n```\n\n', 'three']);
  expect(splitBlocks('$$\na\n\nb\n$$\n\nend')).toHaveLength(2);
});

it('takes what opens and ends on one line for text', () => {
  expect(splitBlocks('$$x^2$$\n\none\n\ntwo')).toEqual(['$$x^2$$\n\n', 'one\n\n', 'two']);
  expect(splitBlocks('```x```\n\none\n\ntwo')).toEqual(['```x```\n\n', 'one\n\n', 'two']);
});

it('leaves a list whole, with all that is in it', () => {
  expect(splitBlocks('1. a\n\n   - b\n\n     c\n\n2. d\n\nend')).toEqual(['1. a\n\n   - b\n\n     c\n\n2. d\n\n', 'end']);
  expect(splitBlocks('1. Run\n\n   ```sh\n   a\n\n   b\n   ```\n\n2. Look\n\nend')).toHaveLength(2);
  expect(splitBlocks('- ```\n\ntext\n\n```\na\n\nb\n```')).toEqual(['- ```\n\n', 'text\n\n', '```\na\n\nb\n```']);
});

it.each([
  'See [the page][p].\n\nAnd on.\n\n[p]: https://example.com "Title"', '[a]: /one\n\n[a] and [b]\n\n[a]: /two\n[b]: /three', 'x[^1]\n\ny\n\n[^1]: note\n\n    more of it\n\nz', '[a]\n\n[a]:\n/url\n\n[a]', 'word\n[a]: /url\n\n[a]',
  '> ```\n> a\n\nb\n\n```\nc\n\nd\n```', '<!-- a\n\nb -->\n\nc', '<div>\n```\n</div>\n\na\n\n```\nb\n\nc\n```', '- - -\n\n  ```\na\n\nb\n  ```', 'a\n- \n\n  b\n\nc', '* a\n\n  * b\n\n    \\[\n    x\n    \\]\n\nc', '\t- a\n\n\tb\n\nc',
  '- a\n\n\n\n- b\n\n1. c\n\n2) d', '- a\nlazy\n\n  b\n\nc', '| a | b |\n|---|---|\n| c | d |\n\n1. e\n   ```\n   f\n\n   g\n   ```\n\nh',
])('gives the same in blocks as in one go: %j', (text) => { expectTheSame(text); });

// The seed is fixed: this compares with a parser, and a text that nobody writes must not stop a build.
const parts = ['word', 'more words', '\n', '\n', '\n\n', '\n\n', '\n\n', '- ', '\n- ', '\n1. ', '\n2. ', '\n  ', '\n   ', '\n    ', '\n  - ', '\n   1. ', '```', '\n```\n', '\n```js\n', '\n  ```\n', '\n   ```\n', '~~~', '\n$$\n', '$$x$$', '# head', '\n\n# head\n', '> ', '\n> ', '\n---\n', '* * *', '\\(x\\)', '\n\\[\nx\n\\]\n', '[a]', '[b][a]', '\n\n[a]: /url\n', '\n[b]: /other "t"\n', '|a|b|\n|-|-|\n|c|d|\n'];

it('gives the same in blocks as in one go, whatever is written', () => {
  fc.assert(fc.property(fc.array(fc.constantFrom(...parts), { maxLength: 30 }).map((some) => some.join('')), expectTheSame), { numRuns: 400, seed: 2026 });
});

it('loses nothing, and leaves all blocks but the last as they were when text is added', () => {
  const texts = fc.array(fc.constantFrom(...parts, '```x```', '  ', '<div>', '<!--', '-->'), { maxLength: 40 }).map((some) => some.join(''));
  fc.assert(fc.property(texts, texts, (text, more) => {
    const before = splitBlocks(text);
    const after = splitBlocks(text + more);
    expect(before.join('')).toBe(text);
    expect(after.slice(0, Math.max(0, before.length - 1))).toEqual(before.slice(0, -1));
  }));
});

it('cuts 200 KB of an answer into pieces that are parsed between two frames', () => {
  const section = (n: number) => `## Part ${n}\n\nSome words about ${n}, see [the source][s].\n\n1. One\n\n   \`\`\`js\n   const a = ${n};\n\n   a();\n   \`\`\`\n\n2. Two\n\n| a | b |\n|---|---|\n| ${n} | x |\n\n`;
  let text = '';
  for (let n = 0; text.length < 200_000; n++) text += section(n);
  text += '[s]: https://example.com\n';
  const blocks = readableBlocks(text, false);
  expect(blocks.length).toBeGreaterThan(4_000);
  expect(Math.max(...blocks.map((b) => b.length))).toBeLessThan(300);
  expect(blocks[1]).toContain('[s]: https://example.com\n\nSome words');
});
