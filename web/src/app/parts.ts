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

const fetching = new Map<string, Promise<void>>();

/** Whoever asks while it is under way waits for the same: two sheets would be two times in the page. */
function fetchStyle(href: string): Promise<void> {
  const begun = fetching.get(href) ?? new Promise<void>((resolve, reject) => {
    const link = document.createElement('link');
    link.onload = () => {
      missing.delete(href);
      resolve();
    };
    link.onerror = () => { reject(new Error(`Unable to preload CSS for ${href}`)); };
    link.rel = 'stylesheet';
    link.href = href;
    document.head.append(link);
  }).finally(() => { fetching.delete(href); });
  fetching.set(href, begun);
  return begun;
}

/** Those of other parts are tried too, for parts share styles, but are not waited for long: one that does not come is for its own part to say. */
async function fetchStyles(own: ReadonlySet<string>): Promise<void> {
  const all = [...missing];
  const others = Promise.allSettled(all.filter((href) => !own.has(href)).map(fetchStyle));
  await Promise.all(all.filter((href) => own.has(href)).map(fetchStyle));
  if (all.some((href) => !own.has(href))) await Promise.race([others, new Promise((resolve) => { setTimeout(resolve, 1_000); })]);
}

function sheets(): string[] {
  return typeof document === 'undefined' ? [] : [...document.querySelectorAll<HTMLLinkElement>('link[rel=stylesheet]')].map((link) => link.href);
}

/**
 * Loads a part of the app. While the server does not answer, it is tried again until it does; whoever asked sees what stands there meanwhile. If the server answers and the part is not there, this page is from
 * before an upgrade, and that is for the error page to say.
 */
export async function loadPart<T>(part: () => Promise<T>): Promise<T> {
  const own = new Set<string>();
  const load = async () => {
    await fetchStyles(own);
    const before = new Set(sheets());
    const loading = part(); // adds the links of its styles at once
    sheets().filter((href) => !before.has(href)).forEach((href) => own.add(href));
    try {
      return await loading;
    } catch (error) {
      // One that another part had begun to fetch is named by the failure alone.
      const said = String(error);
      [...missing].filter((href) => said.endsWith(href)).forEach((href) => own.add(href));
      throw error;
    }
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
