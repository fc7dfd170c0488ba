import { cleanup, render } from '@testing-library/react';
import fc from 'fast-check';
import { afterEach, beforeAll, expect, it } from 'vitest';
import { Tooltip } from 'radix-ui';
import { startLanguages } from '../i18n';
import RichBlock from './RichBlock';
import { withDollars } from './maths';

beforeAll(() => startLanguages('en'));
afterEach(cleanup);

const shown = (text: string) => render(<Tooltip.Provider><RichBlock text={text} /></Tooltip.Provider>).container;

it('leaves prices alone', () => {
  const page = shown('It costs $5, later $10.');
  expect(page.querySelector('.katex')).toBeNull();
  expect(page.textContent).toBe('It costs $5, later $10.');
});

it.each(['so $$x^2$$ it is', '$$x^2$$, so it is', '\\(x^2\\)', '\\(x\n+ y\\) it is', 'so \\(x^2\\) it is', 'so \\[x^2\\] it is'])('renders %s as a formula in the text', (text) => {
  const page = shown(text);
  expect(page.querySelectorAll('.katex')).toHaveLength(1);
  expect(page.querySelector('.katex-display')).toBeNull();
});

it.each(['$$x^2$$', '  $$ x^2 $$  ', 'Thus\n$$x^2$$\nand on', '1. Thus\n\n   $$x^2$$\n\n2. So', '$$\nx^2\n$$', '\\[\nx^2\n\\]', '\\[ x^2 \\]', 'Thus\n\\[ x^2 \\]\nand on', '1. Thus\n\n   \\[\n   x^2\n   \\]'])('renders %j as a formula of its own', (text) => {
  expect(shown(text).querySelectorAll('.katex-display')).toHaveLength(1);
});

it.each(['`\\(x\\)`', '``a ` \\(x\\)``', '```tex\n\\[x\\]\n```', '~~~\n\\(x\\)\n\n\\(x\\)\n~~~', '\\\\(x\\\\)', '\\(x', 'one \\(x\n\ntwo\\)', '\\(\\)', '\\($x\\)', '`$$x$$`', '```tex\n$$x$$\n```', '$$$x$$$', '\\$$x$$', '$$x', 'so $$x$$ it is', '$$\n\\(x\\)\n$$', 'so $$\\(x\\)$$ it is'])('leaves %j as it is', (text) => {
  expect(withDollars(text)).toBe(text);
});

it('changes nothing but the marks', () => {
  const texts = fc.array(fc.constantFrom('word', '\n', '\n\n', '```', '~~~', '`', '$$', '\\(', '\\)', '\\[', '\\]', '\\\\', ' '), { maxLength: 40 }).map((parts) => parts.join(''));
  const bare = (text: string) => text.replace(/[\s$()[\]\\]/g, '');
  fc.assert(fc.property(texts, (text) => { expect(bare(withDollars(text))).toBe(bare(text)); }));
});
