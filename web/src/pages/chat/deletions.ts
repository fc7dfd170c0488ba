import { useSyncExternalStore } from 'react';

/** Takes the deletion back; null: nobody can any more. */
export type TakeBack = (() => void) | null;

let deleted: ReadonlyMap<string, TakeBack> = new Map();
const listeners = new Set<() => void>();

function become(next: ReadonlyMap<string, TakeBack>): void {
  deleted = next;
  listeners.forEach((listener) => { listener(); });
}

/** The conversation is deleted here: for everything in this window, before the server knows, and whatever page is looked at meanwhile. */
export function markDeleted(id: string, takeBack: TakeBack): void {
  become(new Map(deleted).set(id, takeBack));
}

/** It stays after all. */
export function unmarkDeleted(id: string): void {
  become(new Map([...deleted].filter(([other]) => other !== id)));
}

export function isMarkedDeleted(id: string): boolean {
  return deleted.has(id);
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** Conversations that were deleted in this window, by id: nowhere listed, and nothing is written in them. */
export function useDeleted(): ReadonlyMap<string, TakeBack> {
  return useSyncExternalStore(subscribe, () => deleted);
}
