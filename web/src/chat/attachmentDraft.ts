import { useCallback, useSyncExternalStore } from 'react';
import { send } from '../api/client';
import { asProblem, Problem } from '../api/problem';
import { newId } from '../app/ids';
import type { SchemaDocumentLimits, SchemaDocumentView } from '../api/schema';
import { uploadDocument } from '../api/upload';
import { read, write } from '../app/storage';
import { keep, mostAttachments, reduceAttachments, restore, type Attachment, type AttachmentEvent } from './attachments';
import { createSseParser, pause } from './follow';

/** Files that leave at the same time; the others wait their turn. */
const uploadsAtOnce = 3;

/** Takes nothing away: a document of the same name with other content stays, and the new one gets a number. */
const besides = { replace: 'false' };

/** A message that was sent and not yet answered for. */
interface OnItsWay {
  text: string;
  arrived: Promise<unknown>;
}

interface Adding {
  limits: SchemaDocumentLimits | undefined;
  /** In words, why this file is not sent at all. */
  refusal: (code: 'large' | 'empty' | 'many', file: File) => string;
  /** At most so many files at a time. */
  most?: number;
  /** What the upload says about where the file goes. */
  into?: Readonly<Record<string, string>>;
}

/**
 * The files of one unsent message, or on their way to a collection. Lives outside of the page, so that a look into another conversation stops no upload; what the server has survives a reload.
 */
export class AttachmentDraft {
  readonly #name: string;
  readonly #user: string;
  readonly #listeners = new Set<() => void>();
  readonly #files = new Map<string, File>();
  readonly #into = new Map<string, Readonly<Record<string, string>>>();
  readonly #work = new Map<string, AbortController>();
  #items: readonly Attachment[];
  #held: string | null = null;
  #onItsWay: OnItsWay | null = null;

  constructor(draft: string, user: string) {
    this.#name = `${draft}/files`;
    this.#user = user;
    this.#items = restore(read('draft', this.#name, user));
    this.#continue();
  }

  get items(): readonly Attachment[] {
    return this.#items;
  }

  get areReady(): boolean {
    return this.#items.every((a) => a.state === 'ready');
  }

  /** The text that goes by itself as soon as all files are ready; null: nothing waits. It outlives the page that it was written on, not a reload: there the text is a draft again. */
  get held(): string | null {
    return this.#held;
  }

  hold(text: string): void {
    this.#held = text;
    this.#tell();
  }

  /** The text waits no more: it was taken back, or goes now. */
  release(): void {
    if (this.#held === null) return;
    this.#held = null;
    this.#tell();
  }

  /** What was sent and is still under way: it outlives the page that it was sent from, whose text would else stand there unsent. */
  get onItsWay(): OnItsWay | null {
    return this.#onItsWay;
  }

  async send<T>(text: string, arrived: Promise<T>): Promise<T> {
    this.#onItsWay = { text, arrived };
    this.#tell();
    try {
      return await arrived;
    } finally {
      this.#onItsWay = null;
      this.#tell();
    }
  }

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  /** What is known to be refused is not sent at all. */
  add(files: readonly File[], { limits, refusal, most = mostAttachments, into = besides }: Adding): void {
    let room = most - this.#items.filter((a) => a.documentId !== null || this.#files.has(a.key)).length;
    const added = files.map((file) => {
      const key = newId();
      const code = room <= 0 ? 'many' : file.size === 0 ? 'empty' : limits && file.size > Number(limits.max_file_bytes) ? 'large' : null;
      if (code === null) {
        room--;
        this.#files.set(key, file);
        this.#into.set(key, into);
      }
      return { key, name: file.name || 'untitled', bytes: file.size, ...(code !== null && { problem: new Problem(422, { code: `attachment_${code}`, detail: refusal(code, file) }) }) };
    });
    this.#apply({ type: 'added', files: added });
  }

  /** Whether the file is still there to be sent again. */
  canRetry(key: string): boolean {
    return this.#files.has(key);
  }

  retry(key: string): void {
    this.#stop(key);
    this.#apply({ type: 'again', key });
  }

  /** Takes them out of the message. What the server has of them stays among the documents. */
  remove(keys: readonly string[]): void {
    for (const key of keys) {
      this.#stop(key);
      this.#files.delete(key);
    }
    this.#apply({ type: 'removed', keys });
  }

  /** What was added to a conversation that has only now begun belongs to it from now on. */
  adopt(other: AttachmentDraft): void {
    const items = other.#items;
    if (items.length === 0) return;
    for (const { key } of items) {
      const file = other.#files.get(key);
      if (file) this.#files.set(key, file);
      this.#into.set(key, other.#into.get(key) ?? besides);
    }
    other.remove(items.map((a) => a.key));
    this.#items = [...this.#items, ...items];
    this.#changed();
  }

  #apply(event: AttachmentEvent): void {
    const next = reduceAttachments(this.#items, event);
    this.#items = next;
    this.#changed();
  }

  #changed(): void {
    write('draft', this.#name, keep(this.#items), this.#user);
    this.#continue();
    this.#tell();
  }

  #tell(): void {
    this.#listeners.forEach((listener) => { listener(); });
  }

  /** Everything that can go on and does not yet, begins. */
  #continue(): void {
    let uploads = this.#items.filter((a) => a.state === 'uploading' && this.#work.has(a.key)).length;
    for (const item of this.#items) {
      if (this.#work.has(item.key)) continue;
      if (item.state === 'uploading' && uploads < uploadsAtOnce) {
        uploads++;
        this.#begin(item.key, (signal) => this.#upload(item.key, signal));
      } else if (item.state === 'indexing' && item.documentId) {
        const id = item.documentId;
        this.#begin(item.key, (signal) => followDocument(id, (document) => { this.#apply({ type: 'document', key: item.key, document }); }, signal));
      }
    }
  }

  #begin(key: string, work: (signal: AbortSignal) => Promise<void>): void {
    const abort = new AbortController();
    this.#work.set(key, abort);
    void work(abort.signal)
      .catch((error: unknown) => {
        if (!abort.signal.aborted) this.#apply({ type: 'failed', key, problem: asProblem(error) });
      })
      .finally(() => {
        if (this.#work.get(key) === abort) this.#work.delete(key);
        this.#continue();
      });
  }

  async #upload(key: string, signal: AbortSignal): Promise<void> {
    const file = this.#files.get(key);
    if (!file) return;
    const document = await uploadDocument(file, (bytes) => { this.#apply({ type: 'sent', key, bytes }); }, signal, this.#into.get(key) ?? besides);
    this.#work.delete(key); // what follows is another piece of work
    this.#apply({ type: 'document', key, document });
  }

  #stop(key: string): void {
    this.#work.get(key)?.abort();
    this.#work.delete(key);
  }
}

/** Tells of a document whenever something changed, until it is ready or failed; over lost networks and restarts of the server. Throws when it is not there. */
export async function followDocument(id: string, onDocument: (document: SchemaDocumentView) => void, signal: AbortSignal): Promise<void> {
  let settled = false;
  const parse = () => createSseParser(({ type, data }) => {
    if (type !== 'document.progress') return; // an error: the session ended, which the next attempt says
    const document = JSON.parse(data) as SchemaDocumentView;
    settled = document.status === 'ready' || document.status === 'failed';
    onDocument(document);
  });
  for (let failures = 0; !settled && !signal.aborted; failures++) {
    if (failures > 0) await pause(failures - 1, signal);
    try {
      const response = await send(`/api/v1/documents/${encodeURIComponent(id)}/events`, { headers: { accept: 'text/event-stream' }, signal });
      const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
      const feed = parse();
      for (let piece = await reader?.read(); piece && !piece.done; piece = await reader?.read()) {
        failures = 0;
        feed(piece.value);
      }
    } catch (error) {
      if (signal.aborted) return;
      if (error instanceof Problem && !error.isUnreachable && error.status !== 401 && error.status !== 429) throw error;
    }
  }
}

const drafts = new Map<string, AttachmentDraft>();

export function attachmentDraft(draft: string, user: string): AttachmentDraft {
  const name = `${user}:${draft}`;
  const known = drafts.get(name) ?? new AttachmentDraft(draft, user);
  drafts.set(name, known);
  return known;
}

export function useAttachmentDraft(draft: string, user: string): { draft: AttachmentDraft } & Pick<AttachmentDraft, 'items' | 'held' | 'onItsWay'> {
  const it = attachmentDraft(draft, user);
  return {
    draft: it, items: useSyncExternalStore(it.subscribe, useCallback(() => it.items, [it])), held: useSyncExternalStore(it.subscribe, useCallback(() => it.held, [it])),
    onItsWay: useSyncExternalStore(it.subscribe, useCallback(() => it.onItsWay, [it])),
  };
}
