import { api, data, versioned } from '../../../api/client';
import { usePages } from '../../../api/pages';
import { Problem } from '../../../api/problem';
import type { SchemaFactAnswer } from '../../../api/schema';

export type Fact = SchemaFactAnswer;
export type FactStatus = 'active' | 'proposed' | 'superseded';

export const at = (id: string) => ({ params: { path: { id } } });

/** Facts of one kind, or the active ones that fit the words, the best first. */
export function useFacts(status: FactStatus, words = '') {
  return usePages<Fact>(['memory', { status, words }], (cursor) => data(api.GET('/api/v1/memory', {
    params: { query: words === '' ? { status, limit: 50, ...(cursor && { cursor }) } : { q: words, limit: 50 } },
  })));
}

/** Forgets a fact with its history, as it is now. Gone already is gone. */
export async function forgetFact(id: string): Promise<void> {
  try {
    const { etag } = await versioned(api.GET('/api/v1/memory/{id}', at(id)));
    await api.DELETE('/api/v1/memory/{id}', { ...at(id), headers: { 'If-Match': etag } });
  } catch (error) {
    if (!(error instanceof Problem) || error.status !== 404) throw error;
  }
}

/** Where in the app something was said; null: it was entered by hand. */
export function placeOf(fact: Fact): string | null {
  const { conversation_id: conversation, message_id: message } = fact.source;
  return conversation ? `/c/${encodeURIComponent(conversation)}${message ? `#m-${message}` : ''}` : null;
}
