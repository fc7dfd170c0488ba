import { useEffect, useSyncExternalStore } from 'react';

let count = 0;
const listeners = new Set<() => void>();

function add(change: number): void {
  count += change;
  listeners.forEach((listener) => { listener(); });
}

/** Says that there is something on the page that would be lost with it. */
export function useUnsaved(is: boolean): void {
  useEffect(() => {
    if (!is) return;
    add(1);
    return () => { add(-1); };
  }, [is]);
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

export function useHasUnsaved(): boolean {
  return useSyncExternalStore(subscribe, () => count > 0);
}
