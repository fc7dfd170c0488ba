import { api } from '../api/client';

/**
 * Stops runs of a conversation, the last first: whoever stopped the one that is answered before those that wait behind it would see the next of them begin.
 * One that cannot be stopped keeps none of the others from it; the first failure is thrown at the end.
 * @param ids in the order in which their turns come
 */
export async function stopRuns(ids: readonly string[]): Promise<void> {
  const failures: unknown[] = [];
  for (const id of ids.toReversed()) {
    try {
      await api.POST('/api/v1/runs/{id}/cancel', { params: { path: { id } }, body: {} });
    } catch (error) {
      failures.push(error);
    }
  }
  if (failures.length > 0) throw failures[0];
}
