import type { Root } from 'hast';
import { expect, it } from 'vitest';
import { findCited, numbered, rehypeMarks, toCitation, toCitations, type Citation } from './citations';

const passage = (id: string): Citation => ({ id, title: `${id}.md`, url: null, excerpt: null, documentId: `doc-${id}`, page: null, start: 0, end: 5 });
const [one, two, three] = ['k00000001', 'k00000002', 'k00000003'].map(passage) as [Citation, Citation, Citation];

it('numbers sources in the order in which the text names them, so that numbers stay while it grows', () => {
  const text = 'First [k00000002], then [k00000001; k00000003], again [k00000002], and [kffffffff] that nobody gave.';
  const whole = numbered(text, [one, two, three], true);
  expect(whole.map((n) => [n.number, n.citation.id])).toEqual([[1, two.id], [2, one.id], [3, three.id]]);
  for (let length = 0; length <= text.length; length++) {
    const now = numbered(text.slice(0, length), [one, two, three], false);
    expect(whole.slice(0, now.length)).toEqual(now);
  }
});

it('narrows a passage to the words that are quoted before its mark while the answer is written; afterwards the answer says itself which they are', () => {
  const given: Citation = { ...one, excerpt: 'Every employee has 28 days of leave a year.', start: 100, end: 143 };
  const only = (text: string, isWhole = false) => numbered(text, [given], isWhole)[0]?.citation;
  expect(only('It says "28 days of leave" [k00000001]')).toMatchObject({ excerpt: '28 days of leave', start: 119, end: 135 });
  expect(only('Сказано: «28 days of leave»). [k00000001], and "30 days" [k00000001]')).toMatchObject({ start: 119, end: 135 });
  expect(only('"28 days of leave" is a lot [k00000001]')).toEqual(given);
  expect(only('It says "30 days of leave" [k00000001]')).toEqual(given);
  expect(only('It says "28 days of leave" [k00000001]', true)).toEqual(given);
});

it('lists pages that an answer names by address after those that it marks, once it is whole', () => {
  const page: Citation = { ...passage('4.1'), documentId: null, url: 'https://example.org/' };
  expect(numbered('See https://example.org/ and [k00000001]', [page, one], true).map((n) => n.citation.id)).toEqual([one.id, '4.1']);
  expect(numbered('See https://example.org/', [page, one], false)).toEqual([]);
  expect(numbered('See [4.1]', [page], false).map((n) => n.citation.id)).toEqual(['4.1']);
});

it('makes marks of text, and leaves code and links as they are', () => {
  const tree: Root = { type: 'root', children: [{ type: 'element', tagName: 'p', properties: {}, children: [
    { type: 'text', value: 'a [k00000001, k00000002] b [x] [3]' },
    { type: 'element', tagName: 'code', properties: {}, children: [{ type: 'text', value: '[k00000001]' }] },
    { type: 'element', tagName: 'em', properties: {}, children: [{ type: 'text', value: '[k00000003]' }] },
  ] }] };
  rehypeMarks()(tree);
  const flat = (nodes: Root['children']): string => nodes.map((n) => n.type === 'text' ? n.value : n.type === 'element' ? n.tagName === 'cite' ? `<${String(n.properties['id'])}|${String(n.properties['title'])}>` : `{${n.tagName} ${flat(n.children)}}` : '').join('');
  expect(flat(tree.children)).toBe('{p a <k00000001|[k00000001><k00000002|, k00000002]> b [x] <3|[3]>{code [k00000001]}{em <k00000003|[k00000003]>}}');
});

it('reads citations of any log, and passes over what is none', () => {
  expect(toCitation({ id: 'k1', title: '', document_id: 'd', page: 3, start: 1, end: 2, excerpt: 'x', url: 5 })).toEqual({ id: 'k1', title: null, url: null, excerpt: 'x', documentId: 'd', page: 3, start: 1, end: 2 });
  expect(toCitations([null, 'x', {}, { id: 7 }, { id: 'k', page: -1, start: 'a', end: Number.NaN }])).toEqual([{ id: 'k', title: null, url: null, excerpt: null, documentId: null, page: null, start: null, end: null }]);
});

it('finds the cited words where they stood, elsewhere, or not at all', () => {
  const stretch = { start: 100, text: 'The leave is 28 days. It can be split.' };
  expect(findCited(stretch, { start: 113, end: 120, excerpt: '28 days' })).toEqual({ from: 13, to: 20 });
  expect(findCited(stretch, { start: 100, end: 138, excerpt: 'The leave is' })).toEqual({ from: 0, to: 38 }); // an excerpt is only the beginning of a long passage
  expect(findCited(stretch, { start: 0, end: 7, excerpt: '28 days' })).toEqual({ from: 13, to: 20 });
  expect(findCited(stretch, { start: 113, end: 120, excerpt: '30 days' })).toBeNull();
  expect(findCited(stretch, { start: 113, end: 120, excerpt: null })).toEqual({ from: 13, to: 20 });
  expect(findCited(stretch, { start: null, end: null, excerpt: null })).toBeNull();
});
