import { useQueryClient } from '@tanstack/react-query';
import { screen, waitFor } from '@testing-library/react';
import { expect, it } from 'vitest';
import { show, tidyWorld, type Call } from '../../testing/world';
import { useMessages, type Message } from './data';

tidyWorld();

const size = 200;
const paths = ['GET /api/v1/conversations/c1/messages', 'GET /api/v1/conversations/c1/messages/pages'];

/** A conversation as the server has it: its pages begin after a message, and have a tag of all that can change. */
class Conversation {
  messages: Message[] = [];

  constructor(count: number) {
    for (let i = 1; i <= count; i++) this.say(`Message ${i}`);
  }

  say(content: string) {
    this.messages.push({ id: `m${this.messages.length}-${content}`, branch_id: 'b', role: 'user', content, status: 'complete', tainted: false, citations: [], created_at: '2026-01-01T00:00:00Z' });
  }

  change(at: number, change: Partial<Message>) {
    this.messages = this.messages.map((m, i) => i === at ? { ...m, ...change } : m);
  }

  page(cursor: string | null) {
    const begin = this.messages.findIndex((m) => m.id === cursor) + 1;
    const items = this.messages.slice(begin, begin + size);
    return { items, etag: JSON.stringify(items.map((m) => [m.id, m.status, m.feedback?.score])).replaceAll('"', ''), next_cursor: begin + size < this.messages.length ? items.at(-1)?.id ?? null : null };
  }

  server = {
    [paths[0] ?? '']: (call: Call) => {
      const { items, etag, next_cursor } = this.page(call.query.get('cursor'));
      return { body: { items, next_cursor }, etag: `W/"${etag}"` };
    },
    [paths[1] ?? '']: () => {
      const items = [];
      for (let cursor: string | null = null, more = this.messages.length > 0; more;) {
        const { items: { length }, etag, next_cursor }: ReturnType<Conversation['page']> = this.page(cursor);
        items.push({ cursor, count: length, etag });
        cursor = next_cursor;
        more = cursor !== null;
      }
      return { body: { items, next_cursor: null } };
    },
  };
}

function Reader() {
  const cache = useQueryClient();
  const { data, isFetching } = useMessages('c1');
  return (
    <>
      <button type="button" onClick={() => void cache.invalidateQueries({ queryKey: ['messages', 'c1'] })}>Again</button>
      <p>{isFetching ? 'reading' : `read ${data?.length ?? 0}`}</p>
      <output>{JSON.stringify(data ?? [])}</output>
    </>
  );
}

async function reading(conversation: Conversation) {
  const { user, calls } = show(<Reader />, conversation.server);
  const isAsThere = async () => {
    await screen.findByText(`read ${conversation.messages.length}`, undefined, { timeout: 20_000 });
    await waitFor(() => { expect(JSON.parse(screen.getByRole('status').textContent ?? '')).toEqual(conversation.messages); });
  };
  await isAsThere();
  const first = calls.length;
  return {
    first,
    /** How many requests it took to see what is there now. */
    again: async () => {
      const before = calls.length;
      await user.click(screen.getByRole('button', { name: 'Again' }));
      await waitFor(() => { expect(calls.length).toBeGreaterThan(before); });
      await isAsThere();
      return calls.slice(before).map((c) => paths.indexOf(c.route));
    },
  };
}

it('reads one page, and what tells of pages, when something was said in a long conversation', async () => {
  const conversation = new Conversation(2000);
  const { first, again } = await reading(conversation);
  expect(first).toBe(10);
  conversation.say('New');
  expect(await again()).toEqual([1, 0]);
  expect(await again()).toEqual([1]);
  conversation.say('Newer');
  conversation.say('Newest');
  expect(await again()).toEqual([1, 0]);
}, 60_000);

it('reads older pages again when they have changed, whatever it was', async () => {
  const conversation = new Conversation(650);
  const { again } = await reading(conversation);
  conversation.change(3, { feedback: { message_id: 'm', score: -1, reason: null, updated_at: '2026-01-01T00:00:00Z' } });
  conversation.change(420, { status: 'queued' });
  expect(await again()).toEqual([1, 0, 0]);
  conversation.messages.splice(250, 1); // rolled back: what follows moves up
  expect(await again()).toEqual([1, 0, 0, 0]);
  conversation.messages.splice(0, 600);
  expect(await again()).toEqual([1, 0]);
}, 60_000);

it('reads a short conversation as it always did, and a long one whole where the server cannot tell of pages', async () => {
  const conversation = new Conversation(size);
  const { again } = await reading(conversation);
  conversation.say('One more');
  expect(await again()).toEqual([0, 0]);
  conversation.server[paths[1] ?? ''] = () => ({ status: 404, body: {} }) as never;
  expect(await again()).toEqual([1, 0, 0]);
}, 60_000);
