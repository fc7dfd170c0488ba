// @vitest-environment jsdom
import { beforeEach, expect, it, vi } from 'vitest';
import { Problem } from '../api/problem';
import type { SchemaDocumentLimits, SchemaDocumentView } from '../api/schema';
import { AttachmentDraft } from './attachmentDraft';

interface Sending { name: string; sent: (bytes: number) => void; signal: AbortSignal; done: (document: SchemaDocumentView) => void; failed: (error: unknown) => void }
const sendings = vi.hoisted((): Sending[] => []);
const events = vi.hoisted(() => vi.fn<(url: string) => Promise<Response>>());
vi.mock('../api/upload', () => ({
  uploadDocument: (file: File, sent: (bytes: number) => void, signal: AbortSignal) => new Promise<SchemaDocumentView>((done, failed) => {
    signal.addEventListener('abort', () => { failed(new DOMException('Aborted', 'AbortError')); });
    sendings.push({ name: file.name, sent, signal, done, failed });
  }),
}));
vi.mock('../api/client', () => ({ send: events }));

const limits: SchemaDocumentLimits = { max_file_bytes: 10, max_documents: 5, kinds: ['text'] };
const document = (id: string, status: string) => ({ id, status, name: `${id}.txt`, bytes: 5, progress: null, error: null }) as unknown as SchemaDocumentView;
const file = (name: string, size = 5) => new File(['x'.repeat(size)], name);
const states = (draft: AttachmentDraft) => draft.items.map((a) => `${a.name} ${a.state}`);
const refusal = (code: string) => `refused: ${code}`;
let count = 0;
const fresh = () => new AttachmentDraft(`c${++count}`, 'ann');

beforeEach(() => {
  sendings.length = 0;
  events.mockReset().mockImplementation((url) => Promise.resolve(new Response(`event: document.progress\ndata: ${JSON.stringify(document(url.split('/').at(-2) ?? '', 'ready'))}\n\n`)));
});

it('sends three files at once, the others in their turn, and follows each until it is indexed', async () => {
  const draft = fresh();
  draft.add(['a', 'b', 'c', 'd'].map((n) => file(n)), { limits, refusal });
  expect(sendings.map((s) => s.name)).toEqual(['a', 'b', 'c']);
  sendings[0]?.sent(3);
  expect(draft.items[0]?.sent).toBe(3);
  sendings[0]?.done(document('one', 'queued'));
  await vi.waitFor(() => { expect(states(draft)).toEqual(['one.txt ready', 'b uploading', 'c uploading', 'd uploading']); });
  expect(sendings.map((s) => s.name)).toEqual(['a', 'b', 'c', 'd']);
  expect(draft.areReady).toBe(false);
});

it('says before anything is sent what the server would refuse', () => {
  const draft = fresh();
  draft.add([file('large', 11), file('empty', 0), ...Array.from({ length: 21 }, (_, i) => file(`f${i}`))], { limits, refusal });
  expect(draft.items.filter((a) => a.state === 'failed').map((a) => (a.problem as Problem).message)).toEqual(['refused: large', 'refused: empty', 'refused: many']);
  expect(draft.items.some((a) => a.state === 'failed' && draft.canRetry(a.key))).toBe(false);
  draft.remove(draft.items.map((a) => a.key));
});

it('keeps a file whose upload failed, and sends it again when asked', async () => {
  const draft = fresh();
  draft.add([file('a')], { limits, refusal });
  sendings[0]?.failed(Problem.unreachable(''));
  await vi.waitFor(() => { expect(states(draft)).toEqual(['a failed']); });
  const key = draft.items[0]?.key ?? '';
  expect(draft.canRetry(key)).toBe(true);
  draft.retry(key);
  expect(sendings).toHaveLength(2);
  sendings[1]?.done(document('one', 'ready'));
  await vi.waitFor(() => { expect(draft.areReady).toBe(true); });
});

it('stops the upload of a file that is taken out', () => {
  const draft = fresh();
  draft.add([file('a')], { limits, refusal });
  draft.remove([draft.items[0]?.key ?? '']);
  expect(sendings[0]?.signal.aborted).toBe(true);
  expect(draft.items).toEqual([]);
});

it('has after a reload what the server has, and says which files it lost', async () => {
  const draft = fresh();
  draft.add([file('a'), file('b')], { limits, refusal });
  sendings[0]?.done(document('one', 'ready'));
  await vi.waitFor(() => { expect(states(draft)).toContain('one.txt ready'); });
  const again = new AttachmentDraft(`c${count}`, 'ann');
  await vi.waitFor(() => { expect(states(again)).toEqual(['one.txt ready', 'b failed']); });
  expect(new AttachmentDraft(`c${count}`, 'bob').items).toEqual([]);
});

it('says so when a document of the draft is gone, and asks on when the server only does not answer', async () => {
  const draft = fresh();
  events.mockRejectedValueOnce(Problem.unreachable('')).mockRejectedValueOnce(new Problem(404, { detail: 'It is gone.' }));
  draft.add([file('a')], { limits, refusal });
  sendings[0]?.done(document('one', 'queued'));
  await vi.waitFor(() => { expect((draft.items[0]?.problem as Problem | null)?.message).toBe('It is gone.'); });
  expect(events).toHaveBeenCalledTimes(2);
});

it('takes the end of the session for no news of the document, and asks again', async () => {
  const draft = fresh();
  const names: string[] = [];
  draft.subscribe(() => { names.push(...draft.items.map((a) => a.name)); });
  events.mockResolvedValueOnce(new Response('retry: 2000\n\n: \n\nevent: error\ndata: {"status":401,"code":"session_ended"}\n\n'));
  draft.add([file('one.txt')], { limits, refusal });
  sendings[0]?.done(document('one', 'queued'));
  await vi.waitFor(() => { expect(states(draft)).toEqual(['one.txt ready']); });
  expect(names.every((name) => name === 'one.txt')).toBe(true);
  expect(events).toHaveBeenCalledTimes(2);
});

it('brings what was added meanwhile into the conversation that has begun', () => {
  const [before, begun] = [fresh(), fresh()];
  before.add([file('a')], { limits, refusal });
  begun.adopt(before);
  expect(before.items).toEqual([]);
  expect(states(begun)).toEqual(['a uploading']);
  expect(sendings.map((s) => s.name)).toEqual(['a', 'a']); // sent anew: what is under way belongs to the old place
  begun.remove(begun.items.map((a) => a.key));
});
