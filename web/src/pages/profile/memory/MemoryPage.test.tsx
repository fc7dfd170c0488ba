import { act, screen, within } from '@testing-library/react';
import { expect, it } from 'vitest';
import { show, tidyWorld, type Server } from '../../../testing/world';
import type { Fact } from './facts';
import MemoryPage from './MemoryPage';

tidyWorld();

const fact = (id: string, text: string, more: Partial<Fact> = {}): Fact => ({
  id, text, status: 'active', scope: 'user', author_kind: 'agent', author: 'communicator', confidence: 80, sensitivity: 'normal', tainted: false, valid_from: '2026-01-01T00:00:00Z',
  source: { conversation_id: 'c1', message_id: 'm1', run_id: 'r1', excerpt: 'I moved to Kazan' }, created_at: '2026-01-01T00:00:00Z', updated_at: '2026-01-01T00:00:00Z', ...more,
});

const known = fact('f1', 'Lives in Kazan');
const lists = (facts: Partial<Record<string, Fact[]>>): Server => ({ 'GET /api/v1/memory': ({ query }) => ({ body: { items: facts[query.has('q') ? 'found' : query.get('status') ?? ''] ?? [], next_cursor: null } }) });

it('says where a fact comes from, with its words and the way to the message', async () => {
  const { user } = show(<MemoryPage />, { ...lists({ active: [known] }), 'GET /api/v1/memory/f1/why': { body: { fact: known, because: '', history: [fact('f0', 'Lives in Perm', { status: 'superseded', author_kind: 'user' }), known] } } });
  const row = await screen.findByRole('row', { name: /Lives in Kazan/ });
  expect(row.textContent).toContain('the agent communicator');
  expect(row.textContent).toContain('80%');
  await user.click(within(row).getByRole('button', { name: 'Why is it known: Lives in Kazan' }));
  const why = await screen.findByRole('dialog');
  expect(await within(why).findByText('I moved to Kazan')).toBeTruthy();
  expect(within(why).getByRole('link', { name: 'The message' }).getAttribute('href')).toBe('/c/c1#m-m1');
  expect(within(why).getAllByRole('listitem').map((i) => i.textContent)).toEqual([expect.stringContaining('Lives in Perm'), expect.stringContaining('Lives in Kazan')]);
});

it('asks before it forgets, and forgets what was read a moment ago, not something newer', async () => {
  const { user, made } = show(<MemoryPage />, { ...lists({ active: [known] }), 'GET /api/v1/memory/f1': { body: known, etag: '"7"' }, 'DELETE /api/v1/memory/f1': { status: 204 } });
  await user.click(await screen.findByRole('button', { name: 'Forget: Lives in Kazan' }));
  expect(made('DELETE /api/v1/memory/f1')).toHaveLength(0);
  await user.click(within(screen.getByRole('dialog')).getByRole('button', { name: 'Forget' }));
  expect(await screen.findByText('It is forgotten')).toBeTruthy();
  expect(made('DELETE /api/v1/memory/f1').map((c) => c.match)).toEqual(['"7"']);
});

it('keeps the dialog with the reason when forgetting fails', async () => {
  const { user } = show(<MemoryPage />, { ...lists({ active: [known] }), 'GET /api/v1/memory/f1': { body: known, etag: '"7"' }, 'DELETE /api/v1/memory/f1': { status: 500, body: { title: 'Not now', trace_id: 'trace-1' } } });
  await user.click(await screen.findByRole('button', { name: 'Forget: Lives in Kazan' }));
  await user.click(within(screen.getByRole('dialog')).getByRole('button', { name: 'Forget' }));
  expect((await within(screen.getByRole('dialog')).findByRole('alert')).textContent).toContain('trace-1');
});

it('puts proposals before everything else and takes them by a word', async () => {
  const { user, made } = show(<MemoryPage />, { ...lists({ proposed: [fact('p1', 'Owns a yacht', { status: 'proposed', tainted: true })] }), 'POST /api/v1/memory/p1/decision': { body: {} } });
  await user.click(await screen.findByRole('button', { name: 'Discard: Owns a yacht' }));
  expect(await screen.findByText('It was discarded')).toBeTruthy();
  expect(made('POST /api/v1/memory/p1/decision').map((c) => c.body)).toEqual([{ decision: 'discard' }]);
});

it('keeps what is proposed when a later look fails', async () => {
  let fails = false;
  const { cache } = show(<MemoryPage />, {
    'GET /api/v1/memory': ({ query }) => fails ? { status: 503, body: { title: 'Not now', trace_id: 'trace-6' } } : { body: { items: query.get('status') === 'proposed' ? [fact('p1', 'Owns a yacht', { status: 'proposed' })] : [], next_cursor: null } },
  });
  await screen.findByRole('button', { name: 'Keep: Owns a yacht' });
  fails = true;
  await act(() => cache.invalidateQueries({ queryKey: ['memory'] }));
  expect(await screen.findAllByText('trace-6')).not.toHaveLength(0);
  expect(screen.getByRole('button', { name: 'Keep: Owns a yacht' })).toBeTruthy();
});

it('searches by words, and tells an empty memory from words that nothing fits', async () => {
  const { user, calls } = show(<MemoryPage />, lists({}));
  expect(await screen.findByRole('heading', { name: 'Nothing is remembered about you' })).toBeTruthy();
  await user.type(screen.getByRole('searchbox'), 'yacht{Enter}');
  expect(await screen.findByRole('heading', { name: 'Nothing that is remembered fits.' })).toBeTruthy();
  expect(calls.at(-1)?.query.get('q')).toBe('yacht');
});

it('offers nothing to change to whoever may only read', async () => {
  const only = { user: { id: 'u', username: 'bo', role: 'readonly' }, permissions: ['memory:read'], limits: {} };
  show(<MemoryPage />, { ...lists({ active: [known] }), 'GET /api/v1/auth/me': { body: only } });
  await screen.findByRole('row', { name: /Lives in Kazan/ });
  expect(screen.queryByRole('button', { name: /^(Forget|Correct|Remember)/ })).toBeNull();
  expect(screen.getByRole('button', { name: 'Export' })).toBeTruthy();
});

it('shows a refused correction at its field and asks when somebody was quicker', async () => {
  const { user, made } = show(<MemoryPage />, {
    ...lists({ active: [known] }), 'GET /api/v1/memory/f1': { body: known, etag: '"7"' },
    'PATCH /api/v1/memory/f1': ({ body, match }) => (body as { text: string }).text.length < 3 ? { status: 400, body: { title: 'Not valid', errors: { text: ['is too short'] } } } : match === '*' ? { body: known } : { status: 412, body: {} },
  });
  await user.click(await screen.findByRole('button', { name: 'Correct: Lives in Kazan' }));
  const field = await screen.findByLabelText('Fact');
  await user.clear(field);
  await user.type(field, 'no{Tab}');
  await user.click(screen.getByRole('button', { name: 'Save' }));
  expect(await screen.findByText('is too short')).toBeTruthy();
  await user.type(field, ' longer in Kazan');
  await user.click(screen.getByRole('button', { name: 'Save' }));
  await user.click(await screen.findByRole('button', { name: 'Save mine over it' }));
  expect(await screen.findByText('It was corrected')).toBeTruthy();
  expect(made('PATCH /api/v1/memory/f1').map((c) => c.match)).toEqual(['"7"', '"7"', '*']);
});

it('takes the end off a fact when its date is emptied, and sends none that was not touched', async () => {
  const ending = { ...known, valid_until: '2099-01-01T00:00:00Z' };
  const { user, made } = show(<MemoryPage />, { ...lists({ active: [ending] }), 'GET /api/v1/memory/f1': { body: ending, etag: '"7"' }, 'PATCH /api/v1/memory/f1': { body: known } });
  for (const empties of [false, true]) {
    await user.click(await screen.findByRole('button', { name: 'Correct: Lives in Kazan' }));
    if (empties) await user.clear(await screen.findByLabelText(/until/i));
    else await screen.findByLabelText(/until/i);
    await user.click(screen.getByRole('button', { name: 'Save' }));
    expect(await screen.findByText('It was corrected')).toBeTruthy();
  }
  const sent = made('PATCH /api/v1/memory/f1').map((c) => c.body as Record<string, unknown>);
  expect(sent.map((body) => ['valid_until' in body, body.valid_until])).toEqual([[false, undefined], [true, null]]);
});

it('asks for nothing on behalf of somebody who has no memory to read, and says so', async () => {
  const { calls } = show(<MemoryPage />, { 'GET /api/v1/auth/me': { body: { user: { id: 'u-rea', username: 'rea', role: 'readonly' }, permissions: ['chat:read'], limits: {}, credential: 'cookie', scopes: [] } } });
  expect(await screen.findByRole('heading', { name: 'Your role does not reach this part' })).toBeTruthy();
  expect(calls.filter((c) => c.route !== 'GET /api/v1/auth/me')).toEqual([]);
});
