import { screen } from '@testing-library/react';
import { expect, it } from 'vitest';
import { show, tidyWorld } from '../testing/world';
import RichBlock from './RichBlock';

tidyWorld();

it('shows a table as one, and code with its words marked and a button that copies it as it is', async () => {
  const { user } = show(<RichBlock text={'| City | Days |\n|---|---|\n| Kazan | 3 |\n\n```js\nconst days = 3; // <b>\nreturn days;\n```'} />);
  expect((await screen.findAllByRole('cell')).map((cell) => cell.textContent)).toEqual(['Kazan', '3']);
  expect(screen.getByText('const').className).toContain('hljs-keyword');
  await user.click(screen.getByRole('button', { name: 'Copy the code' }));
  expect(await navigator.clipboard.readText()).toBe('const days = 3; // <b>\nreturn days;\n');
  expect(await screen.findByRole('button', { name: 'Copied' })).toBeTruthy();
});

it('shows which of a list is done, and of a picture its words and nothing that is fetched', async () => {
  show(<RichBlock text={'- [x] Book\n- [ ] Pack\n\nHere: ![The map of [Kazan]](https://example.org/map.png) and ![](https://example.org/none.png)no more.\n\n[![A boat](b.png)](https://example.org/)'} />);
  expect((await screen.findAllByRole('listitem')).map((item) => item.textContent.trim())).toEqual(['☑ Book', '☐ Pack']);
  expect(screen.getByText('Here: The map of [Kazan] and no more.')).toBeTruthy();
  expect(screen.getByRole('link').textContent).toContain('A boat');
  expect(document.querySelector('img, input')).toBeNull();
});

it('runs each block from the side that its words run from, and code and formulas from the left', async () => {
  show(<RichBlock text={'مرحبا\n\n- שלום\n  - within\n\n> Hello\n\n| مدينة |\n|---|\n| قازان |\n\n```\ncode\n```\n\n$$x^2$$'} />);
  await screen.findByText('مرحبا');
  expect([...document.querySelectorAll('[dir]')].map((e) => `${e.tagName} ${e.getAttribute('dir')}`)).toEqual(['P auto', 'UL auto', 'BLOCKQUOTE auto', 'TABLE auto']);
  expect(document.querySelector('.katex-display')?.tagName).toBe('DIV');
});
