import { api } from '../api/client';

/**
 * Stops runs of a conversation. Those that wait come first, all at once, and then the one that they wait for: whoever stopped that one before would see the next of them begin.
 * One that cannot be stopped keeps none of the others from it; the first failure is thrown at the end.
 * @param ids in the order in which their turns come
 */
export async function stopRuns(ids: readonly string[]): Promise<void> {
  const [now, ...waiting] = ids;
  const outcomes = [...await Promise.allSettled(waiting.map(stop)), ...await Promise.allSettled(now === undefined ? [] : [stop(now)])];
  const failed = outcomes.find((o) => o.status === 'rejected');
  if (failed) throw failed.reason;
}

function stop(id: string): Promise<unknown> {
  return api.POST('/api/v1/runs/{id}/cancel', { params: { path: { id } }, body: {} });
}
