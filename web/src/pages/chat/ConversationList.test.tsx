import { act, fireEvent, screen, within } from '@testing-library/react';
import { useState } from 'react';
import { afterEach, expect, it, vi } from 'vitest';
import { ada, show, tidyWorld, type Server } from '../../testing/world';
import { ConversationList } from './ConversationList';
import { unmarkDeleted } from './deletions';

tidyWorld();
afterEach(() => { unmarkDeleted('c1'); });

const apples = { id: 'c1', title: 'Apples', archived: false, pinned: false, folder: null };

function Pages() {
  const [away, setAway] = useState(false);
  return <><button type="button" onClick={() => { setAway(!away); }}>{away ? 'Back' : 'Elsewhere'}</button>{away ? null : <ConversationList current={undefined} onChosen={() => undefined} />}</>;
}

async function deleted(server: Server) {
  const world = show(<Pages />, { 'GET /api/v1/conversations': { body: { items: [apples] } }, 'GET /api/v1/conversations/c1': { body: apples, etag: '"1"' }, ...server });
  await world.user.click(await screen.findByRole('button', { name: 'What to do with Apples' }));
  await world.user.click(await screen.findByRole('menuitem', { name: 'Delete' }));
  await vi.waitFor(() => { expect(world.made('GET /api/v1/conversations/c1')).toHaveLength(1); });
  act(() => { dispatchEvent(new Event('blur')); }); // the offer to undo stays, however slow the machine is
  return { ...world, sent: () => world.made('DELETE /api/v1/conversations/c1').map((c) => c.match) };
}

it('deletes when the page is left before the time to undo is over', async () => {
  const { sent } = await deleted({ 'DELETE /api/v1/conversations/c1': { status: 204 } });
  expect(sent()).toEqual([]);
  act(() => { dispatchEvent(new Event('pagehide')); });
  await vi.waitFor(() => { expect(sent()).toEqual(['"1"']); });
});

it('reads again what was changed meanwhile, and deletes it', async () => {
  const { user, sent } = await deleted({ 'DELETE /api/v1/conversations/c1': (call) => call.match === '"2"' ? { status: 204 } : { status: 412, body: {} }, 'GET /api/v1/conversations/c1': vi.fn(() => ({ body: apples, etag: '"2"' })).mockReturnValueOnce({ body: apples, etag: '"1"' }) });
  await user.click(screen.getByRole('button', { name: 'Close' }));
  await vi.waitFor(() => { expect(sent()).toEqual(['"1"', '"2"']); });
});

it('does not list again what is being deleted when one comes back to the page, until it is taken back', async () => {
  const { user } = await deleted({ 'GET /api/v1/conversations': { body: { items: [apples, { ...apples, id: 'c2', title: 'Pears' }] } } });
  await user.click(screen.getByRole('button', { name: 'Elsewhere' }));
  await user.click(screen.getByRole('button', { name: 'Back' }));
  expect(await screen.findByRole('link', { name: 'Pears' })).toBeTruthy();
  expect(screen.queryByRole('link', { name: 'Apples' })).toBeNull();
  await user.click(screen.getByRole('button', { name: 'Undo' }));
  expect(await screen.findByRole('link', { name: 'Apples' })).toBeTruthy();
});

it('takes for deleted what was gone already', async () => {
  const { user, made } = await deleted({ 'DELETE /api/v1/conversations/c1': { status: 404, body: { code: 'conversation_not_found' } } });
  const before = made('GET /api/v1/conversations').length;
  await user.click(screen.getByRole('button', { name: 'Close' }));
  await vi.waitFor(() => { expect(made('GET /api/v1/conversations').length).toBeGreaterThan(before); });
  expect(screen.queryByText(/could not be deleted/)).toBeNull();
  expect(screen.queryByRole('link', { name: 'Apples' })).toBeNull();
});

it('offers to change nothing to whoever may only read', async () => {
  show(<ConversationList current={undefined} onChosen={() => undefined} />, {
    'GET /api/v1/auth/me': { body: { user: { ...ada, role: 'readonly' }, permissions: ['chat:read'], limits: { runs: null, requests: null }, credential: 'cookie', scopes: [] } },
    'GET /api/v1/conversations': { body: { items: [apples] } },
  });
  const item = (await screen.findByRole('link', { name: 'Apples' })).closest('li');
  expect(screen.queryByRole('button', { name: 'What to do with Apples' })).toBeNull();
  expect(item?.getAttribute('draggable')).toBe('false');
});

it('finds words of messages, marks them, and leads to the message', async () => {
  const hit = { message_id: 'm7', conversation_id: 'c2', title: 'Trains', role: 'assistant', agent: 'communicator', created_at: '2026-01-01T00:00:00Z', excerpt: 'The Ferry to Kazan leaves at nine.' };
  const { user, made } = show(<ConversationList current={undefined} onChosen={() => undefined} />, {
    'GET /api/v1/conversations': { body: { items: [apples] } },
    'GET /api/v1/messages': (call) => ({ body: call.query.has('cursor') ? { items: [hit], next_cursor: null } : { items: [], next_cursor: 'older' } }),
  });
  fireEvent.change(await screen.findByRole('searchbox'), { target: { value: 'kazan ferry' } });
  expect(await screen.findByText('None of the newest messages has these words.')).toBeTruthy();
  expect(made('GET /api/v1/messages').map((c) => [c.query.get('search'), c.query.get('archived')])).toEqual([['kazan ferry', 'false']]);
  await user.click(screen.getByRole('button', { name: 'Look further back' }));
  const link = await screen.findByRole('link', { name: /The Ferry to Kazan leaves at nine/ });
  expect(link.getAttribute('href')).toBe('/c/c2#m-m7');
  expect([...link.querySelectorAll('mark')].map((m) => m.textContent)).toEqual(['Ferry', 'Kazan']);
});

it('shows of titles what the server finds, however far back, and reads nothing else for it', async () => {
  const pears = { ...apples, id: 'c9', title: 'Old pears', updated_at: '2020-01-01T00:00:00Z' };
  const { user, made } = show(<ConversationList current={undefined} onChosen={() => undefined} />, {
    'GET /api/v1/conversations': ({ query }) => ({ body: query.has('search') ? query.has('cursor') ? { items: [pears], next_cursor: null } : { items: [], next_cursor: 'older' } : { items: [apples], next_cursor: query.has('pinned') || query.has('filed') ? null : 'more' } }),
    'GET /api/v1/messages': { body: { items: [], next_cursor: null } },
  });
  await screen.findByRole('link', { name: 'Apples' });
  fireEvent.change(screen.getByRole('searchbox'), { target: { value: 'pears old' } });
  expect((await screen.findByRole('link', { name: 'Old pears' })).getAttribute('href')).toBe('/c/c9');
  expect(screen.queryByRole('link', { name: 'Apples' })).toBeNull();
  const asked = made('GET /api/v1/conversations').map(({ query }) => [query.get('search'), query.get('cursor')]);
  expect(asked.filter(([search]) => search !== null)).toEqual([['pears old', null], ['pears old', 'older']]);
  expect(asked.filter(([search, cursor]) => search === null && cursor !== null)).toEqual([]);
  await user.clear(screen.getByRole('searchbox'));
  expect(await screen.findByRole('link', { name: 'Apples' })).toBeTruthy();
  expect(screen.queryByRole('link', { name: 'Old pears' })).toBeNull();
});

it('makes a folder with a name by menu, and where something is dropped', async () => {
  const changes: unknown[] = [];
  const { user } = show(<ConversationList current={undefined} onChosen={() => undefined} />, {
    'GET /api/v1/conversations': { body: { items: [apples] } }, 'GET /api/v1/conversations/c1': { body: apples, etag: '"1"' },
    'PATCH /api/v1/conversations/c1': (call) => {
      changes.push(call.body);
      return { body: apples, etag: '"2"' };
    },
  });
  await user.click(await screen.findByRole('button', { name: 'What to do with Apples' }));
  await user.click(await screen.findByRole('menuitem', { name: 'New folder' }));
  await user.click(await screen.findByRole('button', { name: 'Save' }));
  expect((await screen.findByRole('alert')).textContent).toBe('Give it a name.');
  await user.type(screen.getByLabelText('Name of the folder'), 'Fruit{Enter}');
  await vi.waitFor(() => { expect(changes).toEqual([{ folder: 'Fruit' }]); });
  await vi.waitFor(() => { expect(screen.queryByRole('dialog')).toBeNull(); });

  const dataTransfer = { setData: () => undefined, getData: () => 'c1' };
  fireEvent.dragStart(screen.getByRole('link', { name: 'Apples' }), { dataTransfer });
  fireEvent.drop(await screen.findByText('New folder'), { dataTransfer });
  await user.type(await screen.findByLabelText('Name of the folder'), 'Trees{Enter}');
  await vi.waitFor(() => { expect(changes).toEqual([{ folder: 'Fruit' }, { folder: 'Trees' }]); });
  expect(screen.queryByText('Out of the folder')).toBeNull();
});

it('asks what shall hold when the name was changed elsewhere while the dialog was open', async () => {
  let now = { body: apples, etag: '"1"' };
  const sent: unknown[] = [];
  const { user } = show(<ConversationList current={undefined} onChosen={() => undefined} />, {
    'GET /api/v1/conversations': { body: { items: [apples] } }, 'GET /api/v1/conversations/c1': () => now,
    'PATCH /api/v1/conversations/c1': (call) => {
      if (call.match !== now.etag) return { status: 412, body: {} };
      sent.push(call.body);
      return { body: apples, etag: '"9"' };
    },
  });
  const open = async () => {
    await user.click(await screen.findByRole('button', { name: 'What to do with Apples' }));
    await user.click(await screen.findByRole('menuitem', { name: 'Rename' }));
    await user.clear(await screen.findByLabelText('Title'));
    await user.type(screen.getByLabelText('Title'), 'Pears');
  };
  await open();
  now = { body: { ...apples, title: 'Plums' }, etag: '"2"' };
  await user.click(screen.getByRole('button', { name: 'Save' }));
  await user.click(await screen.findByRole('button', { name: 'Show the new version' }));
  expect(await screen.findByDisplayValue('Plums')).toBeTruthy();
  expect(sent).toEqual([]);
  await user.click(screen.getByRole('button', { name: 'Cancel' }));

  await open();
  now = { body: { ...apples, title: 'Figs' }, etag: '"3"' };
  await user.click(screen.getByRole('button', { name: 'Save' }));
  await user.click(await screen.findByRole('button', { name: 'Save mine over it' }));
  await vi.waitFor(() => { expect(sent).toEqual([{ title: 'Pears' }]); });
  await vi.waitFor(() => { expect(screen.queryByRole('dialog')).toBeNull(); });
});

it('shows what is pinned or in a folder however much is newer, and suggests its folder', async () => {
  const of = (n: number, more: object = {}) => ({ ...apples, id: `c${n}`, title: `Talk ${n}`, updated_at: new Date(Date.UTC(2026, 0, 1) + n * 60_000).toISOString(), ...more });
  const all = [...Array.from({ length: 50 }, (_, i) => of(i + 3)).reverse(), of(2, { folder: 'Travel' }), of(1, { pinned: true })];
  const { user } = show(<ConversationList current={undefined} onChosen={() => undefined} />, {
    'GET /api/v1/conversations': ({ query }) => {
      const [from, limit] = [Number(query.get('cursor') ?? 0), Number(query.get('limit'))];
      const found = all.filter((c) => (!query.has('pinned') || c.pinned) && (!query.has('filed') || c.folder !== null));
      return { body: { items: found.slice(from, from + limit), next_cursor: from + limit < found.length ? String(from + limit) : null } };
    },
    'GET /api/v1/conversations/c52': { body: of(52), etag: '"1"' },
  });
  const inGroup = async (name: string) => within(await screen.findByRole('region', { name })).getAllByRole('link').map((l) => l.textContent);
  expect(await inGroup('Pinned')).toEqual(['Talk 1']);
  expect(await inGroup('Travel')).toEqual(['Talk 2']);
  expect(await inGroup('Conversations')).toEqual(Array.from({ length: 50 }, (_, i) => `Talk ${52 - i}`));
  await user.click(screen.getByRole('button', { name: 'What to do with Talk 52' }));
  await user.click(await screen.findByRole('menuitem', { name: 'Move to a folder' }));
  await vi.waitFor(() => { expect([...document.querySelectorAll('datalist option')].map((o) => o.getAttribute('value'))).toEqual(['Travel']); });
});

it('keeps a folder apart that is called like the pinned ones, and drops into it', async () => {
  const items = [{ ...apples, folder: 'Pinned' }, { ...apples, id: 'c2', title: 'Pears', pinned: true }, { ...apples, id: 'c3', title: 'Plums' }];
  const { made } = show(<Pages />, {
    'GET /api/v1/conversations': { body: { items } }, 'GET /api/v1/conversations/c2': { body: items[1], etag: '"1"' }, 'GET /api/v1/conversations/c3': { body: items[2], etag: '"1"' },
    'PATCH /api/v1/conversations/c3': ({ body }) => ({ body: { ...items[2], ...body as object } }),
  });
  await screen.findByRole('link', { name: /Plums/ });
  const sections = screen.getAllByRole('region').filter((section) => within(section).queryAllByRole('link').length > 0);
  expect(sections.map((section) => [section.getAttribute('aria-label'), ...within(section).getAllByRole('link').map((link) => link.textContent)])).toEqual([['Pinned', 'Pears'], ['Pinned', 'Apples'], ['Conversations', 'Plums']]);
  const dropped = (section: number) => { fireEvent.drop(sections[section] ?? document.body, { dataTransfer: { getData: () => 'c3' } }); };
  dropped(0);
  dropped(1);
  await vi.waitFor(() => { expect(made('PATCH /api/v1/conversations/c3').map(({ body }) => body)).toEqual([{ folder: 'Pinned' }]); });
});

it('pins with one request, which also goes out while the page is left', async () => {
  const { user, calls } = show(<ConversationList current={undefined} onChosen={() => undefined} />, {
    'GET /api/v1/conversations': { body: { items: [apples] } }, 'GET /api/v1/conversations/c1': { body: apples, etag: '"1"' }, 'PATCH /api/v1/conversations/c1': { body: { ...apples, pinned: true }, etag: '"2"' },
  });
  await user.click(await screen.findByRole('button', { name: 'What to do with Apples' }));
  const before = calls.length;
  await user.click(await screen.findByRole('menuitem', { name: 'Pin' }));
  await vi.waitFor(() => { expect(calls[before]).toMatchObject({ route: 'PATCH /api/v1/conversations/c1', body: { pinned: true }, match: '*', keepalive: true }); });
});

it('takes back what the server did not do, and says so, although the lists cannot be read either', async () => {
  let isAway = false;
  const { user, made } = show(<ConversationList current={undefined} onChosen={() => undefined} />, {
    'GET /api/v1/conversations': () => isAway ? Promise.reject(new TypeError('away')) : { body: { items: [apples] } },
    'PATCH /api/v1/conversations/c1': () => new Promise((_, refuse) => { answer = refuse; }),
  });
  let answer: ((error: Error) => void) | undefined;
  await user.click(await screen.findByRole('button', { name: 'What to do with Apples' }));
  isAway = true;
  await user.click(await screen.findByRole('menuitem', { name: 'Pin' }));
  expect(await screen.findByRole('region', { name: 'Pinned' })).toBeTruthy();
  await vi.waitFor(() => { expect(made('PATCH /api/v1/conversations/c1')).toHaveLength(1); });
  answer?.(new TypeError('away'));
  await vi.waitFor(() => { expect(screen.queryByRole('region', { name: 'Pinned' })).toBeNull(); });
  expect(screen.getByRole('link', { name: 'Apples' })).toBeTruthy();
  expect((await screen.findAllByText(/server does not answer/)).length).toBeGreaterThan(0);
});
