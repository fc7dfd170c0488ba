import { useLayoutEffect, useRef, useState, type RefObject } from 'react';

/** Whether a dialog is open: the focus is in it then, and so is whoever types. */
export const inDialog = () => document.querySelector('[role=dialog]') !== null;

/** Gives the focus to where one goes on after something that took its time, unless one is elsewhere by now: outside of `from`, or in a dialog that has opened meanwhile. */
export function goOn(to: HTMLElement | null | undefined, from: Element | null | undefined = to): void {
  const at = document.activeElement;
  if (to && (at === document.body || from?.contains(at)) && (to.closest('[role=dialog]') || !inDialog())) to.focus();
}

/** What one comes to a dialog for. No field in a dialog takes the focus by itself (`autoFocus`): Radix then holds the focus in it only from the next one on (`lastFocusedElementRef`), and what takes it away before that keeps it. */
export const firstField = (dialog: Element) => dialog.querySelector<HTMLElement>('input:not([readonly]), select, textarea');

/** What had the focus when this component came; of a menu that is about to close, what opened it. */
function origin(): Element | null {
  const at = document.activeElement;
  const opener = at?.closest('[role=menu]')?.getAttribute('aria-labelledby');
  return opener ? document.getElementById(opener) : at;
}

/** In whose place something else stands when it is gone: the row of a list. */
function placeOf(element: Element | null): { list: Element; index: number } | null {
  const row = element?.closest('tr, li');
  return row?.parentElement ? { list: row.parentElement, index: [...row.parentElement.children].indexOf(row) } : null;
}

/** Gives the focus back to where it was when the component came. For what opens over a page without a trigger of its own. If that went away meanwhile, such as a row that was deleted, the row that stands there now gets it, or the page's title. */
export function useFocusBack(): (event: Event) => void {
  const [from] = useState(origin);
  const [place] = useState(() => placeOf(from));
  return (event) => {
    let to = from instanceof HTMLElement && from.isConnected ? from : null;
    if (!to) {
      if (document.activeElement !== document.body) return; // somebody has it already
      const row = place?.list.isConnected ? place.list.children[place.index] ?? place.list.lastElementChild : null;
      to = row?.querySelector<HTMLElement>('button:enabled') ?? document.querySelector<HTMLElement>('main [data-page-title]');
    }
    if (!to) return;
    event.preventDefault();
    if (inDialog() && !to.closest('[role=dialog]')) return; // another one has opened meanwhile
    to.focus({ preventScroll: to.hasAttribute('data-page-title') });
  };
}

/** For what goes away when it is done with, one among several (`data-passes-focus`): if it has the focus then, the next one gets it, else the conversation or the page that it stood on. Whoever uses the keyboard would begin at the top of the page again. */
export function usePassesFocus<T extends HTMLElement>(): RefObject<T | null> {
  const place = useRef<T>(null);
  useLayoutEffect(() => {
    const here = place.current;
    return () => {
      if (!here?.contains(document.activeElement)) return;
      const others = [...document.querySelectorAll<HTMLElement>('[data-passes-focus]')].filter((other) => other !== here);
      const isAfter = (other: Node) => (here.compareDocumentPosition(other) & Node.DOCUMENT_POSITION_FOLLOWING) !== 0;
      const next = [...others.filter(isAfter), ...others.filter((other) => !isAfter(other)).reverse(), here.closest<HTMLElement>('[role=log]'), document.querySelector<HTMLElement>('main [data-page-title]')];
      // Some of it may go at the same time.
      queueMicrotask(() => {
        if (document.activeElement === document.body) next.find((other) => other?.isConnected)?.focus();
      });
    };
  }, []);
  return place;
}
