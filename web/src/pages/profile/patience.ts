import { Problem } from '../../api/problem';

const wait = (seconds: number, signal: AbortSignal) => new Promise<void>((resolve, reject) => {
  const stop = () => {
    clearTimeout(timer);
    reject(signal.reason instanceof Error ? signal.reason : new DOMException('Stopped', 'AbortError'));
  };
  const timer = setTimeout(() => {
    signal.removeEventListener('abort', stop);
    resolve();
  }, seconds * 1000);
  signal.addEventListener('abort', stop, { once: true });
});

/** Does it, and waits as long as the server says when that was too fast: work of many requests gets done, only slower. */
export async function patiently<T>(work: () => Promise<T>, signal: AbortSignal, tries = 20): Promise<T> {
  for (let left = tries; ; left--) {
    signal.throwIfAborted();
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof Problem) || error.status !== 429 || left <= 1) throw error;
      await wait(error.retryAfter ?? 1, signal);
    }
  }
}
