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

/** A day, however it was given: in the form and by the reading of a conversation as one of the calendar in UTC, at its end or its beginning; by an agent as a moment, which lies in a day of whoever looks. */
export function dayOf(time: string): string {
  const at = new Date(time);
  const isDay = /T(00:00:00|23:59:59)\.000Z$/.test(at.toISOString());
  return new Date(at.getTime() - (isDay ? 0 : at.getTimezoneOffset() * 60_000)).toISOString().slice(0, 10);
}

/** Until when something holds that holds through that day. */
export const endOf = (day: string) => `${day}T23:59:59Z`;
