/**
 * Loads a part of the app. While the server does not answer, it is tried again until it does; whoever asked sees what stands there meanwhile. If the server answers and the part is not there, this page is from
 * before an upgrade, and that is for the error page to say.
 */
export async function loadPart<T>(load: () => Promise<T>): Promise<T> {
  for (let wait = 500; ; wait = Math.min(10_000, wait * 2)) {
    try {
      return await load();
    } catch {
      if (await isThere()) return await load();
      await new Promise((resolve) => { setTimeout(resolve, wait); });
    }
  }
}

function isThere(): Promise<boolean> {
  return fetch('/health/live', { cache: 'no-store' }).then((answer) => answer.ok, () => false);
}
