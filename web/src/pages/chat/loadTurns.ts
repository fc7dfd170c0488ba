import { useEffect, useState, useSyncExternalStore } from 'react';
import { loadPart } from '../../app/parts';

type Turns = typeof import('./Turns');

let there: Turns | undefined;
let loading: Promise<void> | undefined;
const listeners = new Set<() => void>();

function listen(changed: () => void): () => void {
  listeners.add(changed);
  return () => { listeners.delete(changed); };
}

/** Asked for as soon as it is likely to be needed; asked for again where that came to nothing. */
function loadTurns(): Promise<void> {
  return loading ??= loadPart(() => import('./Turns')).then((turns) => {
    there = turns;
    listeners.forEach((told) => { told(); });
  }).catch((error: unknown) => {
    loading = undefined;
    throw error;
  });
}

/** What shows messages, when it is there. What keeps it from coming is for the page of errors to say. */
export function useTurns(isNeeded: boolean): Turns | undefined {
  const turns = useSyncExternalStore(listen, () => there);
  const [failure, setFailure] = useState<Error | null>(null); // whoever comes here anew tries again
  useEffect(() => {
    if (isNeeded && !turns) loadTurns().catch((error: unknown) => { setFailure(error instanceof Error ? error : new Error(String(error))); });
  }, [isNeeded, turns]);
  // Whoever touches anything is about to say something.
  useEffect(() => {
    if (turns) return;
    const begin = () => { loadTurns().catch(() => undefined); };
    const events = ['keydown', 'pointerdown'] as const;
    events.forEach((event) => { addEventListener(event, begin, { once: true }); });
    return () => { events.forEach((event) => { removeEventListener(event, begin); }); };
  }, [turns]);
  if (isNeeded && !turns && failure) throw failure;
  return turns;
}
