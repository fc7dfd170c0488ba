import { useSyncExternalStore } from 'react';

const listeners = new Set<() => void>();
let waiting = 0;

/** Whether a part of the app is waited for because the server does not answer: the page that one left stands there meanwhile. */
export function useIsWaiting(): boolean {
  return useSyncExternalStore((listener) => {
    listeners.add(listener);
    return () => { listeners.delete(listener); };
  }, () => waiting > 0);
}

function wait(more: 1 | -1): void {
  waiting += more;
  listeners.forEach((listener) => { listener(); });
}

/** Styles that did not come. Whoever loads their part again takes them for loaded, so that they are fetched here. */
const missing = new Set<string>();

globalThis.addEventListener?.('error', ({ target }) => {
  if (!(target instanceof HTMLLinkElement) || target.rel !== 'stylesheet') return;
  missing.add(target.href);
  target.remove();
}, true);

function fetchStyle(href: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const link = document.createElement('link');
    link.onload = () => {
      missing.delete(href);
      resolve();
    };
    link.onerror = () => { reject(new Error(`Unable to preload CSS for ${href}`)); };
    link.rel = 'stylesheet';
    link.href = href;
    document.head.append(link);
  });
}

/**
 * Loads a part of the app. While the server does not answer, it is tried again until it does; whoever asked sees what stands there meanwhile. If the server answers and the part is not there, this page is from
 * before an upgrade, and that is for the error page to say.
 */
export async function loadPart<T>(part: () => Promise<T>): Promise<T> {
  const load = async () => {
    await Promise.all([...missing].map(fetchStyle));
    return part();
  };
  try {
    return await load();
  } catch {
    if (await isThere()) return await load();
  }
  wait(1);
  try {
    for (let pause = 500; ; pause = Math.min(10_000, pause * 2)) {
      await new Promise((resolve) => { setTimeout(resolve, pause); });
      try {
        return await load();
      } catch {
        if (await isThere()) return await load();
      }
    }
  } finally {
    wait(-1);
  }
}

function isThere(): Promise<boolean> {
  return fetch('/health/live', { cache: 'no-store' }).then((answer) => answer.ok, () => false);
}
