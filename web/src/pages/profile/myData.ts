import { api, data } from '../../api/client';
import { allOf } from '../../api/pages';
import { Problem } from '../../api/problem';
import type { SchemaConversationAnswer, SchemaMessageAnswer, SchemaRunView } from '../../api/schema';
import { deleteConversation } from '../chat/data';
import { patiently } from './patience';

/** Where one's data comes from; tests give their own. */
export interface Source {
  conversations: () => Promise<SchemaConversationAnswer[]>;
  messages: (conversation: string) => Promise<SchemaMessageAnswer[]>;
  runs: () => Promise<SchemaRunView[]>;
  remove: (conversation: string) => Promise<void>;
}

export interface Progress {
  done: number;
  total: number;
}

export function sourceFrom(signal: AbortSignal): Source {
  const page = (cursor: string | undefined) => ({ limit: 200, ...(cursor && { cursor }) });
  return {
    conversations: () => allOf((cursor) => patiently(() => data(api.GET('/api/v1/conversations', { params: { query: page(cursor) }, signal })), signal)),
    messages: (id) => allOf((cursor) => patiently(() => data(api.GET('/api/v1/conversations/{id}/messages', { params: { path: { id }, query: page(cursor) }, signal })), signal)),
    runs: () => allOf((cursor) => patiently(() => data(api.GET('/api/v1/runs', { params: { query: page(cursor) }, signal })), signal)),
    remove: (id) => patiently(() => deleteConversation(id), signal),
  };
}

/** Everything of one's own that this page can read, as one document. */
export async function collect(user: { id: string; username: string }, source: Source, now: Date, onProgress: (progress: Progress) => void): Promise<unknown> {
  const conversations = await source.conversations();
  const all = [];
  for (const conversation of conversations) {
    onProgress({ done: all.length, total: conversations.length });
    all.push({ ...conversation, messages: await source.messages(conversation.id) });
  }
  onProgress({ done: all.length, total: conversations.length });
  return { format: 'rootmas-export', version: 1, exported_at: now.toISOString(), user: { id: user.id, username: user.username }, conversations: all, runs: await source.runs() };
}

/** Deletes every conversation; what cannot be deleted now is counted and left. */
export async function deleteAll(source: Source, signal: AbortSignal, onProgress: (progress: Progress) => void): Promise<{ deleted: number; failed: readonly unknown[] }> {
  const conversations = await source.conversations();
  const failed: unknown[] = [];
  let deleted = 0;
  for (const { id } of conversations) {
    signal.throwIfAborted();
    try {
      await source.remove(id);
      deleted++;
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof Problem && error.status === 404) deleted++; // gone already, by another tab
      else failed.push(error);
    }
    onProgress({ done: deleted + failed.length, total: conversations.length });
  }
  return { deleted, failed };
}

/** Hands a document to the browser as a file. */
export function save(document: unknown, name: string): void {
  const url = URL.createObjectURL(new Blob([JSON.stringify(document, null, 2)], { type: 'application/json' }));
  const link = window.document.createElement('a');
  link.href = url;
  link.download = name;
  link.click();
  URL.revokeObjectURL(url);
}
