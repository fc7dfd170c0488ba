import { useCallback, useEffect, useState } from 'react';

/** Held by the one window of this browser that tells of what happened. */
const teller = 'rootmas:teller';
/** Held by every window that somebody sees, for what it shows. */
const shown = 'rootmas:shown:';

/** Browsers give locks, like notifications, to pages over https and of this machine only. */
function hasLocks(): boolean {
  return 'locks' in navigator;
}

/** Waits for the lock and keeps it until the returned function is called. */
function hold(name: string, mode: LockMode, onHeld?: () => void): () => void {
  const wish = new AbortController();
  let release = (): void => undefined;
  navigator.locks.request(name, { mode, signal: wish.signal }, () => new Promise<void>((done) => {
    release = done;
    if (wish.signal.aborted) done();
    else onHeld?.();
  })).catch(() => undefined); // given up before it was granted
  return () => {
    wish.abort();
    release();
  };
}

/** Whether this window tells: of several one does, and when it is closed the next. Without locks each does. */
export function useTells(): boolean {
  const [tells, setTells] = useState(!hasLocks());
  useEffect(() => hasLocks() ? hold(teller, 'exclusive', () => { setTells(true); }) : undefined, []);
  return tells;
}

/** While this part of a page is there, and the window is not hidden, whoever sits there sees it. */
export function useShown(name: string | undefined): void {
  useEffect(() => {
    if (name === undefined || !hasLocks()) return undefined;
    let leave: (() => void) | null = null;
    const look = () => {
      if ((document.visibilityState === 'visible') === (leave !== null)) return;
      leave?.();
      leave = leave ? null : hold(shown + name, 'shared');
    };
    look();
    document.addEventListener('visibilitychange', look);
    return () => {
      document.removeEventListener('visibilitychange', look);
      leave?.();
    };
  }, [name]);
}

/** As `useShown`, for what begins on a part of a page before that has a name: held when the promise is fulfilled, until the part goes or its window is hidden. */
export function useShowing(): (name: string) => Promise<void> {
  const [held] = useState(() => new Set<() => void>());
  useEffect(() => {
    const leave = () => {
      for (const end of held) end();
      held.clear();
    };
    const look = () => { if (document.visibilityState !== 'visible') leave(); };
    document.addEventListener('visibilitychange', look);
    return () => {
      document.removeEventListener('visibilitychange', look);
      leave();
    };
  }, [held]);
  return useCallback((name) => new Promise((done) => {
    if (!hasLocks() || document.visibilityState !== 'visible') {
      done();
      return;
    }
    const end = hold(shown + name, 'shared', done);
    held.add(() => {
      end();
      done(); // nobody waits for what is not to be held any more
    });
  }), [held]);
}

/** Those of these that no window shows to anybody. Without locks: all, unless this window is seen, which may show them. */
export async function unseen(names: readonly string[]): Promise<string[]> {
  if (!hasLocks()) return document.visibilityState === 'visible' ? [] : [...names];
  const held = new Set((await navigator.locks.query()).held?.map((lock) => lock.name));
  return names.filter((name) => !held.has(shown + name));
}
