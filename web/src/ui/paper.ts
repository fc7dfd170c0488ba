import { useSyncExternalStore } from 'react';
import { flushSync } from 'react-dom';

let printing = false;
const listeners = new Set<() => void>();

function listen(changed: () => void): () => void {
  listeners.add(changed);
  return () => { listeners.delete(changed); };
}

function turn(now: boolean): void {
  printing = now;
  // The browser lays the paper out as soon as its event has been heard.
  flushSync(() => { listeners.forEach((changed) => { changed(); }); });
}

if (typeof window !== 'undefined') {
  addEventListener('beforeprint', () => { turn(true); });
  addEventListener('afterprint', () => { turn(false); });
}

/** Whether the page is being printed: there is no scrolling on paper, so that all of it has to be there. */
export function usePrinting(): boolean {
  return useSyncExternalStore(listen, () => printing);
}
