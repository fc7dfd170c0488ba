import { api, data, versioned } from '../../api/client';
import { allOf } from '../../api/pages';
import { Problem } from '../../api/problem';
import type { SchemaMessageAnswer, SchemaMessagePageAnswer } from '../../api/schema';

/** Messages that were read together. */
export interface MessagePage {
  /** '': the first page. */
  cursor: string;
  /** Another one as soon as anything of it is another. */
  etag: string;
  items: readonly SchemaMessageAnswer[];
  /** Where the conversation went on when it was read. */
  next: string | undefined;
}

const limit = 200;

/** The conversation's messages as they are now. Of what was read before only those pages are read again that have changed: the server tells which. */
export async function readMessages(id: string, known: readonly MessagePage[]): Promise<MessagePage[]> {
  const pages: MessagePage[] = [];
  // One page is read as quickly as told of.
  for (const told of known.length > 1 ? await pagesOf(id) : []) {
    const cursor = told.cursor ?? '';
    pages.push(known.find((page) => page.cursor === cursor && page.etag === told.etag) ?? await readPage(id, cursor));
  }
  // Everything the first time; later, what was said while this was read.
  for (let next = pages.length === 0 ? '' : pages.at(-1)?.next; next !== undefined;) {
    const page = await readPage(id, next);
    pages.push(page);
    next = page.next;
  }
  return pages;
}

/** Each message once: a page that was read again may reach into the next, which was read before. */
export function messagesOf(pages: readonly MessagePage[]): SchemaMessageAnswer[] {
  const all = new Map<string, SchemaMessageAnswer>();
  for (const message of pages.flatMap((page) => page.items)) {
    if (!all.has(message.id)) all.set(message.id, message);
  }
  return [...all.values()];
}

async function pagesOf(id: string): Promise<SchemaMessagePageAnswer[]> {
  try {
    return await allOf((cursor) => data(api.GET('/api/v1/conversations/{id}/messages/pages', { params: { path: { id }, query: { limit, ...(cursor && { cursor }) } } })));
  } catch (error) {
    if (error instanceof Problem && error.status === 404) return []; // gone, or an instance of a version before this: what comes of reading it says which
    throw error;
  }
}

async function readPage(id: string, cursor: string): Promise<MessagePage> {
  const { value, etag } = await versioned(api.GET('/api/v1/conversations/{id}/messages', { params: { path: { id }, query: { limit, ...(cursor && { cursor }) } } }));
  // A proxy that compresses says of a tag that it is weak.
  return { cursor, etag: etag.replace(/^W\/|"/g, ''), items: value.items, next: value.next_cursor ?? undefined };
}
