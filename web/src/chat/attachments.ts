import { Problem } from '../api/problem';
import type { SchemaDocumentView } from '../api/schema';

export type AttachmentState = 'uploading' | 'indexing' | 'ready' | 'failed';

/** A file that a message is to bring along, from the moment it was chosen until it was sent or taken away. */
export interface Attachment {
  key: string;
  name: string;
  bytes: number;
  state: AttachmentState;
  /** Bytes that have left so far. */
  sent: number;
  /** What the server does with it: extracting, chunking or embedding; '': nothing yet. */
  stage: string;
  done: number;
  total: number;
  /** Once the server has it. */
  documentId: string | null;
  /** Why it failed; `interrupted`: the page was left before the file was whole, and the browser no longer has it. */
  problem: Problem | 'interrupted' | null;
}

export type AttachmentEvent =
  | { type: 'added'; files: readonly { key: string; name: string; bytes: number; problem?: Problem }[] }
  | { type: 'sent'; key: string; bytes: number }
  | { type: 'document'; key: string; document: SchemaDocumentView }
  | { type: 'failed'; key: string; problem: Problem }
  | { type: 'again'; key: string }
  | { type: 'removed'; keys: readonly string[] };

/** As the API has it for `attachments`. */
export const mostAttachments = 20;

/** The next state. What comes late (of a file that was taken away meanwhile) changes nothing. */
export function reduceAttachments(items: readonly Attachment[], event: AttachmentEvent): readonly Attachment[] {
  switch (event.type) {
    case 'added': return [...items, ...event.files.map(fresh)];
    case 'sent': return change(items, event.key, (a) => a.state === 'uploading' ? { ...a, sent: Math.min(a.bytes, Math.max(a.sent, event.bytes)) } : a);
    case 'document': return withDocument(items, event.key, event.document);
    case 'failed': return change(items, event.key, (a) => ({ ...a, state: 'failed', problem: event.problem }));
    case 'again': return change(items, event.key, (a) => ({ ...a, state: 'uploading', sent: 0, stage: '', done: 0, total: 0, documentId: null, problem: null }));
    case 'removed': return items.filter((a) => !event.keys.includes(a.key));
  }
}

function fresh({ key, name, bytes, problem }: { key: string; name: string; bytes: number; problem?: Problem }): Attachment {
  return { key, name, bytes, state: problem ? 'failed' : 'uploading', sent: 0, stage: '', done: 0, total: 0, documentId: null, problem: problem ?? null };
}

function change(items: readonly Attachment[], key: string, next: (a: Attachment) => Attachment): readonly Attachment[] {
  return items.map((a) => a.key === key ? next(a) : a);
}

/** The same bytes chosen twice are one document, and one attachment. */
function withDocument(items: readonly Attachment[], key: string, document: SchemaDocumentView): readonly Attachment[] {
  if (items.some((a) => a.key !== key && a.documentId === document.id && a.state !== 'failed')) return items.filter((a) => a.key !== key);
  return change(items, key, (a) => {
    const known = { ...a, name: document.name, bytes: Number(document.bytes), sent: Number(document.bytes), documentId: document.id };
    if (document.status === 'ready') return { ...known, state: 'ready', problem: null };
    if (document.status === 'failed') return { ...known, state: 'failed', problem: new Problem(422, { code: document.error?.code, detail: document.error?.detail }) };
    const progress = document.progress;
    return { ...known, state: 'indexing', stage: progress?.stage ?? '', done: Number(progress?.done ?? 0), total: Number(progress?.total ?? 0), problem: null };
  });
}

/** How far it is, from 0 to 1; null: nobody knows. */
export function progressOf(a: Attachment): number | null {
  if (a.state === 'uploading') return a.bytes > 0 ? a.sent / a.bytes : null;
  return a.state === 'indexing' && a.total > 0 ? Math.min(1, a.done / a.total) : null;
}

/** What is kept of them in the browser: never the file itself. What was refused for good is not kept: its reason could not be told any more. */
export function keep(items: readonly Attachment[]): string {
  const kept = items.filter((a) => a.documentId !== null || a.state !== 'failed' || a.problem === 'interrupted' || a.problem?.isUnreachable);
  return kept.length === 0 ? '' : JSON.stringify(kept.map(({ key, name, bytes, documentId }) => ({ key, name, bytes, documentId })));
}

/** What was kept; of what the server has, it is asked again how far it is. */
export function restore(kept: string | null): readonly Attachment[] {
  let list: unknown;
  try {
    list = JSON.parse(kept ?? '[]');
  } catch {
    return []; // not ours
  }
  return (Array.isArray(list) ? list : []).filter(isKept).map((a) => ({
    ...fresh(a), documentId: a.documentId, ...(a.documentId === null ? { state: 'failed', problem: 'interrupted' } as const : { state: 'indexing', sent: a.bytes } as const),
  }));
}

function isKept(value: unknown): value is { key: string; name: string; bytes: number; documentId: string | null } {
  const it = value as Record<string, unknown> | null;
  return typeof it === 'object' && it !== null && typeof it['key'] === 'string' && typeof it['name'] === 'string' && typeof it['bytes'] === 'number' && (it['documentId'] === null || typeof it['documentId'] === 'string');
}
