import { api, data } from '../../api/client';
import { allOf } from '../../api/pages';
import { Problem } from '../../api/problem';
import type { SchemaConversationAnswer, SchemaMemoryExport, SchemaMessageAnswer, SchemaRunView } from '../../api/schema';
import { deleteConversation } from '../chat/data';
import { patiently } from './patience';

/** Where one's data comes from; tests give their own. */
export interface Source {
  conversations: () => Promise<SchemaConversationAnswer[]>;
  messages: (conversation: string) => Promise<SchemaMessageAnswer[]>;
  runs: () => Promise<SchemaRunView[]>;
  /** What is remembered; null: whoever asks has no memory to read. */
  memory: () => Promise<SchemaMemoryExport | null>;
  forget: () => Promise<void>;
  remove: (conversation: string) => Promise<void>;
}

export interface Progress {
  done: number;
  total: number;
}

export function sourceFrom(signal: AbortSignal, can: (permission: string) => boolean): Source {
  const page = (cursor: string | undefined) => ({ limit: 200, ...(cursor && { cursor }) });
  return {
    conversations: () => allOf((cursor) => patiently(() => data(api.GET('/api/v1/conversations', { params: { query: page(cursor) }, signal })), signal)),
    messages: (id) => allOf((cursor) => patiently(() => data(api.GET('/api/v1/conversations/{id}/messages', { params: { path: { id }, query: page(cursor) }, signal })), signal)),
    runs: () => allOf((cursor) => patiently(() => data(api.GET('/api/v1/runs', { params: { query: page(cursor) }, signal })), signal)),
    memory: () => can('memory:read') ? patiently(() => data(api.GET('/api/v1/memory/export', { signal })), signal) : Promise.resolve(null),
    forget: async () => { if (can('memory:write')) await patiently(() => api.DELETE('/api/v1/memory'), signal); },
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
  return { format: 'rootmas-export', version: 1, exported_at: now.toISOString(), user: { id: user.id, username: user.username }, conversations: all, runs: await source.runs(), memory: await source.memory() };
}

/** Deletes every conversation and what is remembered; what cannot be deleted now is counted and left. Memory goes last: what is in a conversation could be read into it again. */
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
  await source.forget();
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
