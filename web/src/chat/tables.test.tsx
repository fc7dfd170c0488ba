import { act, screen } from '@testing-library/react';
import { expect, it, vi } from 'vitest';
import { show, tidyWorld } from '../testing/world';
import MarkdownBlock from './MarkdownBlock';

tidyWorld();

it('lets keys scroll a table that is wider than the text, and names it; one that fits is passed over', async () => {
  const looks: (() => void)[] = [];
  vi.stubGlobal('ResizeObserver', class {
    constructor(look: () => void) { looks.push(look); }
    observe(): void { /* told by the test */ }
    unobserve(): void { /* the same */ }
    disconnect(): void { /* the same */ }
  });
  let needed = 900;
  vi.spyOn(Element.prototype, 'scrollWidth', 'get').mockImplementation(() => needed);
  vi.spyOn(Element.prototype, 'clientWidth', 'get').mockReturnValue(300);
  show(<MarkdownBlock text={'| a | b |\n|---|---|\n| 1 | 2 |'} />);
  const around = (await screen.findByRole('table')).parentElement;
  const look = () => { act(() => { looks.forEach((told) => { told(); }); }); };
  look();
  expect([around?.tabIndex, around?.getAttribute('role'), around?.getAttribute('aria-label')]).toEqual([0, 'group', 'Wide table']);
  needed = 300;
  look();
  expect([around?.tabIndex, around?.getAttribute('role'), around?.getAttribute('aria-label')]).toEqual([-1, null, null]);
});
