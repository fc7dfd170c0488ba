import { useSyncExternalStore } from 'react';

/** Conversations that are deleted when nobody has taken it back, and those that were. Beside the pages: the time to undo goes on wherever one goes. */
let doomed: ReadonlyMap<string, 'soon' | 'now'> = new Map();
const listeners = new Set<() => void>();

function set(id: string, state: 'soon' | 'now' | undefined): void {
  const next = new Map(doomed);
  if (state === undefined) next.delete(id);
  else next.set(id, state);
  doomed = next;
  listeners.forEach((listener) => { listener(); });
}

/** It is seen no more, and goes when its time is over. */
export function doom(id: string): void {
  set(id, 'soon');
}

/** It stays after all: somebody took it back, or writes in it, or it could not be deleted. */
export function spare(id: string): void {
  if (doomed.has(id)) set(id, undefined);
}

/** Its time is over. False: it was spared meanwhile. */
export function isToGo(id: string): boolean {
  if (doomed.get(id) !== 'soon') return false;
  set(id, 'now');
  return true;
}

/** Ids of what is not to be shown any more. */
export function useDoomed(): ReadonlyMap<string, unknown> {
  return useSyncExternalStore(subscribe, () => doomed);
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => { listeners.delete(listener); };
}
