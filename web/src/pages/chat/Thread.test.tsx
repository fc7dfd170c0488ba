import { act, screen, waitFor } from '@testing-library/react';
import { useState } from 'react';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { forgetDrafts, read } from '../../app/storage';
import { emptyFold } from '../../chat/fold';
import { useRunWithOthers } from '../../chat/treeLog';
import { ada, show, tidyWorld, type Answer, type Server } from '../../testing/world';
import { useConversations, usePlaced } from './data';
import { markDeleted, unmarkDeleted } from './deletions';
import { Thread } from './Thread';

vi.mock(import('../../chat/treeLog'), async (original) => ({ ...await original(), useRunWithOthers: vi.fn() }));
tidyWorld();
beforeEach(() => {
  vi.stubGlobal('matchMedia', () => ({ matches: false, addEventListener: () => undefined, removeEventListener: () => undefined }));
  Element.prototype.scrollTo ??= () => undefined; // jsdom has none
});
afterEach(() => {
  forgetDrafts();
  unmarkDeleted('c1');
});

const around: Server = {
  'GET /api/v1/conversations': { body: { items: [], next_cursor: null } }, 'GET /api/v1/teams': { body: { items: [] } }, 'GET /api/v1/documents/limits': { body: { max_file_bytes: 1000, kinds: [] } },
  'GET /api/v1/models': { body: { offline: true, notes: [], providers: [], tiers: [], embedding: null, items: [] } },
};

function Chat({ onCreated }: { onCreated: (id: string) => void }) {
  const [away, setAway] = useState(false);
  useConversations(false);
  usePlaced(false);
  return <><button type="button" onClick={() => { setAway(true); }}>Elsewhere</button>{away ? null : <Thread conversationId={undefined} onCreated={onCreated} />}</>;
}

it('does not call back whoever went elsewhere while a conversation began, and the list has it', async () => {
  const onCreated = vi.fn();
  let begin: (answer: Answer) => void = () => undefined;
  const { user, made } = show(<Chat onCreated={onCreated} />, {
    ...around,
    'POST /api/v1/conversations': () => new Promise<Answer>((resolve) => { begin = resolve; }),
    'POST /api/v1/conversations/c1/runs': { status: 202, body: { run_id: 'r1', conversation_id: 'c1' } },
  });
  await user.type(await screen.findByLabelText('Message'), 'Hello{Enter}');
  await waitFor(() => { expect(made('POST /api/v1/conversations')).toHaveLength(1); });
  await user.click(screen.getByRole('button', { name: 'Elsewhere' }));
  const before = made('GET /api/v1/conversations').length;
  begin({ status: 201, body: { id: 'c1' } });
  await waitFor(() => { expect(made('GET /api/v1/conversations').length).toBeGreaterThan(before); });
  await waitFor(() => { expect(read('draft', 'new', ada.id)).toBeNull(); });
  expect(made('POST /api/v1/conversations/c1/runs')).toHaveLength(1);
  expect(made('GET /api/v1/conversations').filter(({ query }) => query.has('pinned') || query.has('filed'))).toHaveLength(2); // which a message does not change
  expect(onCreated).not.toHaveBeenCalled();
});

function beginner(refusals: readonly Answer[], server: Server = {}) {
  const runs: string[] = [];
  let next = 0;
  const run = (of: string): Server[string] => ({ body }) => {
    runs.push(`${of}: ${(body as { message: string }).message}`);
    return refusals[runs.length - 1] ?? { status: 202, body: { run_id: 'r1', conversation_id: of } };
  };
  const onCreated = vi.fn();
  const shown = show(<Chat onCreated={onCreated} />, {
    ...around, 'POST /api/v1/conversations': () => ({ status: 201, body: { id: `c${++next}` } }), 'POST /api/v1/conversations/c1/runs': run('c1'), 'POST /api/v1/conversations/c2/runs': run('c2'), ...server,
  });
  const sent = async (count: number) => {
    await waitFor(() => { expect(runs).toHaveLength(count); });
    await waitFor(() => { expect(screen.getByRole('button', { name: 'Send' }).getAttribute('aria-busy')).toBeNull(); });
  };
  return { ...shown, runs, sent, onCreated };
}

const empty: Answer = { body: { id: 'c1', current_leaf: null }, etag: '"1"' };
const tooMany: Answer = { status: 429, body: { code: 'concurrent_runs' } };

it('leaves no conversation behind whose first message was refused, and keeps the words for another', async () => {
  const { user, made, runs, sent, onCreated } = beginner([tooMany], { 'GET /api/v1/conversations/c1': empty, 'DELETE /api/v1/conversations/c1': { status: 204 } });
  const box = await screen.findByLabelText<HTMLTextAreaElement>('Message');
  await user.type(box, 'Hello{Enter}');
  await sent(1);
  expect(made('DELETE /api/v1/conversations/c1').map(({ match }) => match)).toEqual(['"1"']);
  expect([box.value, read('draft', 'new', ada.id)]).toEqual(['Hello', 'Hello']);
  await user.type(box, ' there{Enter}');
  await waitFor(() => { expect(onCreated).toHaveBeenCalledWith('c2'); });
  expect(runs).toEqual(['c1: Hello', 'c2: Hello there']);
});

it('makes one conversation for messages of which the first are refused while it cannot be deleted, and another when it is gone', async () => {
  const { user, made, runs, sent, onCreated } = beginner([tooMany, { status: 404, body: { code: 'conversation_not_found' } }], { 'GET /api/v1/conversations/c1': { status: 429, body: { code: 'rate_limited' } } });
  const box = await screen.findByLabelText('Message');
  await user.type(box, 'Hello{Enter}');
  await sent(1);
  await user.type(box, ' there{Enter}');
  await sent(2);
  expect(made('POST /api/v1/conversations')).toHaveLength(1);
  await user.type(box, '{Enter}');
  await waitFor(() => { expect(onCreated).toHaveBeenCalledWith('c2'); });
  expect(runs).toEqual(['c1: Hello', 'c1: Hello there', 'c2: Hello there']);
});

it('deletes no conversation in which something was said meanwhile, and none whose message may have arrived', async () => {
  const { user, made, runs, sent, onCreated } = beginner([{ status: 503, body: { code: 'unavailable' } }, tooMany], { 'GET /api/v1/conversations/c1': { ...empty, body: { id: 'c1', current_leaf: 'm1' } } });
  const box = await screen.findByLabelText('Message');
  await user.type(box, 'Hello{Enter}');
  await sent(1);
  expect(made('GET /api/v1/conversations/c1')).toHaveLength(0);
  await user.type(box, '{Enter}');
  await sent(2);
  await user.type(box, '{Enter}');
  await waitFor(() => { expect(onCreated).toHaveBeenCalledWith('c2'); });
  expect(runs).toEqual(['c1: Hello', 'c1: Hello', 'c2: Hello']);
});

/** A server that takes each message once by its key, and whose answer is lost whenever `isLost`. */
function forgetful() {
  const kept = new Map<string, number>();
  const said: string[] = [];
  const state = { isLost: false };
  const world = show(<Thread conversationId="c1" onCreated={() => undefined} />, {
    ...around, 'GET /api/v1/runs': { body: { items: [], next_cursor: null } },
    'GET /api/v1/conversations/c1': () => ({ body: { id: 'c1', title: 'Apples', archived: false, pinned: false, current_leaf: said.length > 0 ? `m${said.length - 1}` : null } }),
    'GET /api/v1/conversations/c1/messages': () => ({ body: { items: said.map((content, i) => ({ id: `m${i}`, parent_id: i > 0 ? `m${i - 1}` : null, branch_id: 'b', role: 'user', content, run_id: `r${i}`, status: 'complete', citations: [], created_at: `2026-01-01T00:00:0${i}Z` })), next_cursor: null } }),
    'POST /api/v1/conversations/c1/runs': ({ body, key }) => {
      const at = kept.get(key ?? '') ?? said.push((body as { message: string }).message) - 1;
      kept.set(key ?? '', at);
      if (state.isLost) throw new TypeError('Failed to fetch');
      return { status: 202, body: { run_id: `r${at}`, conversation_id: 'c1' } };
    },
  });
  const fold = emptyFold('r0');
  vi.mocked(useRunWithOthers).mockReturnValue({ run: { fold, connection: 'live', error: null }, folds: [fold], others: { folds: new Map(), failed: new Map(), want: () => undefined } });
  const isSent = () => waitFor(() => { expect(screen.getByLabelText<HTMLTextAreaElement>('Message').value).toBe(''); });
  const lose = async (text: string) => {
    state.isLost = true;
    await world.user.type(await screen.findByLabelText('Message'), `${text}{Enter}`);
    await screen.findByRole('button', { name: 'Try again' });
    state.isLost = false;
  };
  /** What arrived comes to the page by itself. */
  const read = () => act(() => world.cache.invalidateQueries({ queryKey: ['messages'] }));
  return { ...world, said, isSent, lose, read };
}

it('takes a message once whose answer was lost, however it is sent again', async () => {
  const { user, said, isSent, lose, read } = forgetful();
  await lose('yes');
  await user.click(screen.getByRole('button', { name: 'Try again' }));
  await isSent();
  await lose('no');
  await user.type(screen.getByLabelText('Message'), '{Enter}');
  await isSent();
  await lose('perhaps');
  await read();
  await user.click(screen.getByRole('button', { name: 'Try again' }));
  await isSent();
  expect(said).toEqual(['yes', 'no', 'perhaps']);
});

it('takes the same words for another message once the first one is on the page, or another one was sent since', async () => {
  const { user, said, isSent, lose, read } = forgetful();
  await lose('yes');
  await read();
  const box = screen.getByLabelText('Message');
  await user.clear(box);
  await user.type(box, 'yes{Enter}');
  await isSent();
  await lose('no');
  await user.clear(box);
  await user.type(box, 'perhaps{Enter}');
  await isSent();
  await user.type(box, 'no{Enter}');
  await isSent();
  expect(said).toEqual(['yes', 'yes', 'no', 'perhaps', 'no']);
});

const example = 'How much is 18.5 % of 2,340?';

it('lets nobody write in a conversation that is being deleted, and takes the deletion back', async () => {
  const takeBack = vi.fn(() => { unmarkDeleted('c1'); });
  markDeleted('c1', takeBack);
  const { user } = show(<Thread conversationId="c1" onCreated={() => undefined} />, {
    ...around, 'GET /api/v1/conversations/c1': { body: { id: 'c1', title: 'Apples', archived: false, pinned: false, current_leaf: null } },
    'GET /api/v1/conversations/c1/messages': { body: { items: [], next_cursor: null } }, 'GET /api/v1/runs': { body: { items: [], next_cursor: null } },
  });
  expect(await screen.findByText(/^This conversation was deleted/)).toBeTruthy();
  expect(await screen.findByText('Hello, ada')).toBeTruthy();
  expect(screen.queryByLabelText('Message')).toBeNull();
  expect(screen.queryByRole('button', { name: example })).toBeNull();
  await user.click(screen.getByRole('button', { name: 'Undo' }));
  expect(await screen.findByLabelText('Message')).toBeTruthy();
  expect(screen.getByRole('button', { name: example })).toBeTruthy();
  expect(takeBack).toHaveBeenCalledOnce();
});

it('takes no answer to a question of a run whose conversation is being deleted', async () => {
  const fold = { ...emptyFold('r1'), status: 'waiting_input', question: { call: 1, callId: 'q1', question: 'Which colour?', options: ['Red'], expiresAt: '' } };
  vi.mocked(useRunWithOthers).mockReturnValue({ run: { fold, connection: 'live', error: null }, folds: [fold], others: { folds: new Map(), failed: new Map(), want: () => undefined } });
  vi.spyOn(Element.prototype, 'clientHeight', 'get').mockReturnValue(600); // jsdom lays nothing out, and of a list without height nothing is shown
  show(<Thread conversationId="c1" onCreated={() => undefined} />, {
    ...around, 'GET /api/v1/conversations/c1': { body: { id: 'c1', title: 'Apples', archived: false, pinned: false, current_leaf: 'm1' } },
    'GET /api/v1/conversations/c1/messages': { body: { items: [{ id: 'm1', parent_id: null, role: 'user', content: 'Paint it', run_id: 'r1', status: 'done', created_at: '2026-01-01T00:00:00Z' }], next_cursor: null } },
    'GET /api/v1/runs': { body: { items: [{ id: 'r1', status: 'waiting_input', cost_usd: '0', tree_cost_usd: '0', usage: { input_tokens: 0, output_tokens: 0, cached_tokens: 0 } }], next_cursor: null } },
  });
  expect(await screen.findByRole('button', { name: 'Red' })).toBeTruthy();
  act(() => { markDeleted('c1', null); });
  expect(screen.queryByRole('button', { name: 'Red' })).toBeNull();
  expect(screen.queryByLabelText('Your answer')).toBeNull();
  act(() => { unmarkDeleted('c1'); });
  expect(screen.getByRole('button', { name: 'Red' })).toBeTruthy();
});

it('has everything on paper, of long answers too, and on the screen what it had', async () => {
  const long = Array.from({ length: 30 }, (_, i) => `Part ${i}. ${'word '.repeat(200)}`).join('\n\n');
  const items = Array.from({ length: 60 }, (_, i) => ({ id: `m${i}`, parent_id: i > 0 ? `m${i - 1}` : null, branch_id: 'b', role: i % 2 ? 'assistant' : 'user', content: i === 1 ? long : `Message ${i}.`, agent: null, run_id: `r${Math.floor(i / 2)}`, status: 'complete', citations: [], created_at: '2026-01-01T00:00:00Z' }));
  show(<Thread conversationId="c1" onCreated={() => undefined} />, {
    ...around, 'GET /api/v1/runs': { body: { items: [], next_cursor: null } },
    'GET /api/v1/conversations/c1': { body: { id: 'c1', title: 'Apples', archived: false, pinned: false, current_leaf: 'm59' } }, 'GET /api/v1/conversations/c1/messages': { body: { items, next_cursor: null } },
  });
  const log = await screen.findByRole('log');
  const rows = () => [...log.querySelectorAll<HTMLElement>('[data-index]')];
  const before = rows().map((row) => row.outerHTML);
  expect(before.length).toBeLessThan(items.length);
  const print = (event: 'beforeprint' | 'afterprint') => { act(() => { dispatchEvent(new Event(event)); }); };
  print('beforeprint');
  expect(rows().map((row) => row.dataset['index'])).toEqual(items.map((_, i) => `${i}`));
  for (const text of ['Message 0.', 'Part 0.', 'Part 29.', 'Message 59.']) expect(log.textContent).toContain(text);
  print('afterprint');
  expect(rows().map((row) => row.outerHTML)).toEqual(before);
});
