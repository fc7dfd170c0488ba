import { api, data, versioned } from '../../api/client';
import { allOf } from '../../api/pages';
import { Problem } from '../../api/problem';
import type { SchemaCollectionView, SchemaConversationAnswer, SchemaDocumentView, SchemaMemoryExport, SchemaMessageAnswer, SchemaRunView } from '../../api/schema';
import { deleteConversation } from '../chat/data';
import { patiently } from './patience';

/** Where one's data comes from; tests give their own. */
export interface Source {
  conversations: () => Promise<SchemaConversationAnswer[]>;
  /** One that is not listed, such as a program's; null: it is gone. */
  conversation: (id: string) => Promise<SchemaConversationAnswer | null>;
  messages: (conversation: string) => Promise<SchemaMessageAnswer[]>;
  runs: () => Promise<SchemaRunView[]>;
  /** What is remembered; null: whoever asks has no memory to read. */
  memory: () => Promise<SchemaMemoryExport | null>;
  forget: () => Promise<void>;
  /** Nobody else reads the run any more. */
  unshare: (run: string) => Promise<void>;
  remove: (conversation: string) => Promise<void>;
  /** One's own collections; none for those who may not read documents. */
  collections: () => Promise<SchemaCollectionView[]>;
  documents: (collection: string) => Promise<SchemaDocumentView[]>;
  /** What was read of a document; null: nothing yet, or it could not be read. */
  text: (document: string) => Promise<string | null>;
  /** With the documents in it. */
  removeCollection: (collection: string) => Promise<void>;
}

/** As much of a text comes in one answer. */
const stretch = 200_000;

export interface Progress {
  done: number;
  total: number;
}

export function sourceFrom(userId: string, signal: AbortSignal, can: (permission: string) => boolean): Source {
  const page = (cursor: string | undefined) => ({ limit: 200, ...(cursor && { cursor }) });
  return {
    conversations: () => allOf((cursor) => patiently(() => data(api.GET('/api/v1/conversations', { params: { query: page(cursor) }, signal })), signal)),
    conversation: (id) => patiently(async () => {
      try {
        return await data(api.GET('/api/v1/conversations/{id}', { params: { path: { id } }, signal }));
      } catch (error) {
        if (error instanceof Problem && error.status === 404) return null;
        throw error;
      }
    }, signal),
    messages: (id) => allOf((cursor) => patiently(() => data(api.GET('/api/v1/conversations/{id}/messages', { params: { path: { id }, query: page(cursor) }, signal })), signal)),
    runs: () => allOf((cursor) => patiently(() => data(api.GET('/api/v1/runs', { params: { query: page(cursor) }, signal })), signal)),
    memory: () => can('memory:read') ? patiently(() => data(api.GET('/api/v1/memory/export', { signal })), signal) : Promise.resolve(null),
    forget: async () => { if (can('memory:write')) await patiently(() => api.DELETE('/api/v1/memory'), signal); },
    unshare: async (id) => { if (can('chat:write')) await patiently(() => api.DELETE('/api/v1/runs/{id}/share', { params: { path: { id } } }), signal); },
    remove: (id) => patiently(() => deleteConversation(id), signal),
    collections: async () => !can('knowledge:read') ? [] : (await allOf((cursor) => patiently(() => data(api.GET('/api/v1/collections', { params: { query: page(cursor) }, signal })), signal))).filter((c) => c.owner_id === userId),
    documents: (collection) => allOf((cursor) => patiently(() => data(api.GET('/api/v1/documents', { params: { query: { ...page(cursor), collection } }, signal })), signal)),
    text: (id) => wholeText(id, signal),
    removeCollection: (id) => patiently(async () => {
      const { etag } = await versioned(api.GET('/api/v1/collections/{id}', { params: { path: { id } } }));
      await api.DELETE('/api/v1/collections/{id}', { params: { path: { id } }, headers: { 'If-Match': etag } });
    }, signal),
  };
}

async function wholeText(id: string, signal: AbortSignal): Promise<string | null> {
  let text = '';
  try {
    for (let all = 1; text.length < all;) {
      const start = text.length;
      const part = await patiently(() => data(api.GET('/api/v1/documents/{id}/text', { params: { path: { id }, query: { start, end: start + stretch } }, signal })), signal);
      if (part.text === '') break;
      text += part.text;
      all = part.characters;
    }
  } catch (error) {
    if (error instanceof Problem && (error.status === 404 || error.status === 409)) return null; // gone meanwhile, or never read
    throw error;
  }
  return text;
}

async function collectDocuments(source: Source): Promise<unknown[]> {
  const found = [];
  for (const collection of await source.collections()) {
    const documents = [];
    for (const document of await source.documents(collection.id)) documents.push({ ...document, text: await source.text(document.id) });
    found.push({ ...collection, documents });
  }
  return found;
}

/** Conversations that programs had: they are not listed, only their runs are. */
async function withUnlisted(source: Source, runs: readonly SchemaRunView[]): Promise<SchemaConversationAnswer[]> {
  const listed = await source.conversations();
  const known = new Set(listed.map((c) => c.id));
  const found = [];
  for (const id of new Set(runs.flatMap((r) => r.conversation_id ?? []))) found.push(known.has(id) ? null : await source.conversation(id));
  return [...listed, ...found.filter((c) => c !== null)];
}

/** Everything of one's own that this page can read, as one document. */
export async function collect(user: { id: string; username: string }, source: Source, now: Date, onProgress: (progress: Progress) => void): Promise<unknown> {
  const runs = await source.runs();
  const conversations = await withUnlisted(source, runs);
  const all = [];
  for (const conversation of conversations) {
    onProgress({ done: all.length, total: conversations.length });
    all.push({ ...conversation, messages: await source.messages(conversation.id) });
  }
  onProgress({ done: all.length, total: conversations.length });
  return { format: 'rootmas-export', version: 1, exported_at: now.toISOString(), user: { id: user.id, username: user.username }, conversations: all, runs, memory: await source.memory(), collections: await collectDocuments(source) };
}

export interface Deleted {
  conversations: number;
  documents: number;
  /** What could not be deleted now, and is left. */
  failed: readonly unknown[];
}

/** Ends what is shared, then deletes every conversation and what is remembered, and one's own collections with their documents if that is wanted too. Memory goes last: what is in a conversation or a document could be read into it again. */
export async function deleteAll(source: Source, withDocuments: boolean, signal: AbortSignal, onProgress: (progress: Progress) => void): Promise<Deleted> {
  const runs = await source.runs();
  const shared = runs.filter((run) => run.shared_at);
  const conversations = await withUnlisted(source, runs);
  const collections = withDocuments ? await source.collections() : [];
  const total = shared.length + conversations.length + collections.length;
  const failed: unknown[] = [];
  let done = 0;
  const each = async <T>(all: readonly T[], remove: (one: T) => Promise<void>): Promise<T[]> => {
    const gone: T[] = [];
    for (const one of all) {
      signal.throwIfAborted();
      try {
        await remove(one);
        gone.push(one);
      } catch (error) {
        signal.throwIfAborted();
        if (error instanceof Problem && error.status === 404) gone.push(one); // gone already, by another tab
        else failed.push(error);
      }
      done++;
      onProgress({ done, total });
    }
    return gone;
  };
  await each(shared, ({ id }) => source.unshare(id)); // first: runs stay, and others read these
  const deleted = await each(conversations, ({ id }) => source.remove(id));
  const emptied = await each(collections, ({ id }) => source.removeCollection(id));
  await source.forget();
  return { conversations: deleted.length, documents: emptied.reduce((sum, c) => sum + c.documents, 0), failed };
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
