import { screen } from '@testing-library/react';
import { expect, it } from 'vitest';
import { Sources } from '../pages/chat/Sources';
import { show, tidyWorld } from '../testing/world';
import { CitedText } from './Cite';
import { numbered, toCitations } from './citations';
import MarkdownBlock from './MarkdownBlock';

tidyWorld();

/** All text of a link lies in parts that stand for themselves: no character of one turns another around. */
function partsOf(link: HTMLElement): string[] {
  const parts = [...link.querySelectorAll('bdi')].map((part) => part.textContent);
  expect(parts.join('')).toBe(link.textContent);
  return parts;
}

it('shows where a link leads, whichever characters its words have', async () => {
  show(<MarkdownBlock text={'[\u202Egpj.elgoog](https://evil.example/)'} />);
  expect(partsOf(await screen.findByRole('link'))).toEqual(['\u202Egpj.elgoog', ' (evil.example)']);
});

it('shows at a mark and in the list of sources where a page of the web is', async () => {
  const sources = numbered('So it is [3].', toCitations([{ id: '3', title: 'Your bank\u202E', url: 'https://evil.example/a' }, { id: '4', title: 'Nowhere', url: 'https://' }]), true);
  show(<><CitedText sources={sources}><MarkdownBlock text="So it is [3]." /></CitedText><Sources sources={sources} /></>);
  const [mark, source, ...others] = await screen.findAllByRole('link');
  expect(mark?.textContent).toBe('1evil.example');
  expect(mark?.getAttribute('aria-label')).toContain('evil.example');
  expect(source && partsOf(source)).toEqual(['Your bank\u202E', ' (evil.example)']);
  expect(others).toEqual([]);
});
