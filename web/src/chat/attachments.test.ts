import fc from 'fast-check';
import { expect, it } from 'vitest';
import { Problem } from '../api/problem';
import type { SchemaDocumentView } from '../api/schema';
import { keep, progressOf, reduceAttachments, restore, type Attachment, type AttachmentEvent } from './attachments';

const document = (id: string, status: string, more: Partial<SchemaDocumentView> = {}): SchemaDocumentView => ({
  id, status, name: `${id}.md`, collection_id: 'c', kind: 'markdown', bytes: 100, hash: '', progress: null, error: null, pages: null, chunks: 0, characters: 0, owner_id: 'o', created_at: '', updated_at: '', ...more,
});
const after = (...events: AttachmentEvent[]) => events.reduce(reduceAttachments, [] as readonly Attachment[]);
const added = (...keys: string[]): AttachmentEvent => ({ type: 'added', files: keys.map((key) => ({ key, name: `${key}.md`, bytes: 200 })) });

it('follows a file from its first byte to the finished index', () => {
  const half = after(added('a'), { type: 'sent', key: 'a', bytes: 100 });
  expect(half[0]).toMatchObject({ state: 'uploading', sent: 100, documentId: null });
  expect(progressOf(half[0] as Attachment)).toBe(0.5);
  const working = reduceAttachments(half, { type: 'document', key: 'a', document: document('d', 'working', { progress: { stage: 'embedding', done: 3, total: 4 } }) });
  expect(working[0]).toMatchObject({ state: 'indexing', stage: 'embedding', documentId: 'd', name: 'd.md', bytes: 100 });
  expect(progressOf(working[0] as Attachment)).toBe(0.75);
  expect(reduceAttachments(working, { type: 'document', key: 'a', document: document('d', 'ready') })[0]).toMatchObject({ state: 'ready', problem: null });
});

it('keeps what the server says of a file that it cannot read, and begins anew when it is sent again', () => {
  const failed = after(added('a'), { type: 'document', key: 'a', document: document('d', 'failed', { error: { code: 'document_encrypted', detail: 'Protected by a password.' } }) });
  expect(failed[0]?.state).toBe('failed');
  expect((failed[0]?.problem as Problem).message).toBe('Protected by a password.');
  expect(reduceAttachments(failed, { type: 'again', key: 'a' })[0]).toMatchObject({ state: 'uploading', sent: 0, documentId: null, problem: null });
});

it('makes one attachment of the same bytes chosen twice', () => {
  const both = after(added('a', 'b'), { type: 'document', key: 'a', document: document('d', 'ready') }, { type: 'document', key: 'b', document: document('d', 'ready') });
  expect(both.map((a) => a.key)).toEqual(['a']);
});

it('never goes back in what has left, and never changes a file that was taken out', () => {
  const keys = fc.constantFrom('a', 'b', 'c');
  const event: fc.Arbitrary<AttachmentEvent> = fc.oneof(
    fc.record({ type: fc.constant('sent' as const), key: keys, bytes: fc.nat(400) }),
    fc.record({ type: fc.constant('document' as const), key: keys, document: fc.constantFrom('queued', 'working', 'ready', 'failed').chain((status) => keys.map((id) => document(id, status))) }),
    keys.map((key) => ({ type: 'failed' as const, key, problem: new Problem(500, {}) })),
    keys.map((key) => ({ type: 'removed' as const, keys: [key] })),
  );
  fc.assert(fc.property(fc.array(event, { maxLength: 30 }), (events) => {
    let items = after(added('a', 'b', 'c'));
    const gone = new Set<string>();
    for (const e of events) {
      const before = new Map(items.map((a) => [a.key, a]));
      items = reduceAttachments(items, e);
      for (const a of items) {
        if (gone.has(a.key)) return false;
        const old = before.get(a.key);
        if (!old || a.sent > a.bytes || (a.state === 'uploading' && old.state === 'uploading' && a.sent < old.sent)) return false;
      }
      for (const key of before.keys()) if (!items.some((a) => a.key === key)) gone.add(key);
      const ids = items.filter((a) => a.state !== 'failed').flatMap((a) => a.documentId ?? []);
      if (new Set(ids).size !== ids.length) return false;
    }
    return true;
  }));
});

it('keeps of a draft what the server has, asks again how far that is, and says which files are lost', () => {
  const items = after(added('a', 'b'), { type: 'document', key: 'a', document: document('d', 'ready') });
  expect(restore(keep(items))).toMatchObject([{ key: 'a', documentId: 'd', state: 'indexing', name: 'd.md' }, { key: 'b', documentId: null, state: 'failed', problem: 'interrupted' }]);
  const [refused, lost] = [new Problem(422, { detail: 'Of no kind that is read.' }), Problem.unreachable('')].map((problem) => after(added('c'), { type: 'failed', key: 'c', problem }));
  expect(restore(keep(refused ?? []))).toEqual([]);
  expect(restore(keep(lost ?? []))).toMatchObject([{ key: 'c', problem: 'interrupted' }]);
  expect(restore(keep(restore(keep(lost ?? []))))).toHaveLength(1);
  expect(keep([])).toBe('');
  for (const hostile of [null, '', '{', '{}', '[1, null, {"key": 1}]', '"x"']) expect(restore(hostile)).toEqual([]);
});
