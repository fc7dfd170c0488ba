import { act, screen } from '@testing-library/react';
import { expect, it, vi } from 'vitest';
import { show, tidyWorld, type Server } from '../../testing/world';
import { CollectionActions, NewCollection } from './CollectionActions';
import type { Collection } from './data';

tidyWorld();

const plans: Collection = { id: 'c1', name: 'Plans', description: '', owner_id: 'u-ann', is_default: false, may_write: true, documents: 0, members: [], created_at: '2026-01-01T00:00:00Z', updated_at: '2026-01-01T00:00:00Z' };
const me: Server = { 'GET /api/v1/auth/me': { body: { user: { id: 'u-ann', username: 'ann', role: 'user' }, permissions: ['knowledge:read', 'knowledge:write'], limits: { runs: null, requests: null } } } };
const member = { user_id: 'u-bo', username: 'bo', may_write: false, created_at: '2026-01-01T00:00:00Z' };

it('lets somebody in by the name that they sign in with, and shows names', async () => {
  let members: unknown[] = [];
  const { user, made } = show(<CollectionActions collection={plans} onGone={() => undefined} />, {
    ...me,
    'GET /api/v1/collections/c1': () => ({ body: { ...plans, members } }),
    'PUT /api/v1/collections/c1/members/bo': () => { members = [member]; return { status: 204 }; },
    'DELETE /api/v1/collections/c1/members/u-bo': () => { members = []; return { status: 204 }; },
  });
  await user.click(await screen.findByRole('button', { name: 'What to do with Plans' }));
  await user.click(await screen.findByRole('menuitem', { name: 'Who reaches Plans' }));
  await user.type(await screen.findByLabelText('Name'), ' bo ');
  await user.click(screen.getByRole('button', { name: 'Let in' }));
  await user.click(await screen.findByRole('button', { name: 'Put bo out' }));
  await vi.waitFor(() => { expect(screen.queryByText('bo')).toBeNull(); });
  expect(made('PUT /api/v1/collections/c1/members/bo').map((c) => [c.query.get('by_name'), c.body])).toEqual([['true', { may_write: false }]]);
});

it('asks what shall hold when the collection was changed elsewhere while the dialog was open', async () => {
  let now = { body: plans, etag: '"1"' };
  const sent: unknown[] = [];
  const { user } = show(<CollectionActions collection={plans} onGone={() => undefined} />, {
    ...me,
    'GET /api/v1/collections/c1': () => now,
    'PATCH /api/v1/collections/c1': (call) => {
      if (call.match !== now.etag) return { status: 412, body: {} };
      sent.push(call.body);
      return { body: plans, etag: '"9"' };
    },
  });
  await user.click(await screen.findByRole('button', { name: 'What to do with Plans' }));
  await user.click(await screen.findByRole('menuitem', { name: 'Change Plans' }));
  await user.type(await screen.findByLabelText('Description'), 'mine');
  now = { body: { ...plans, description: 'theirs' }, etag: '"2"' };
  await user.click(screen.getByRole('button', { name: 'Save' }));
  await user.click(await screen.findByRole('button', { name: 'Save mine over it' }));
  await vi.waitFor(() => { expect(sent).toEqual([{ name: 'Plans', description: 'mine' }]); });
});

it('keeps what was typed when everything is read again, as after signing in again, and still asks what shall hold', async () => {
  let now = { body: plans, etag: '"1"' };
  const { user, cache, made } = show(<CollectionActions collection={plans} onGone={() => undefined} />, {
    ...me,
    'GET /api/v1/collections/c1': () => now,
    'PATCH /api/v1/collections/c1': (call) => call.match === now.etag ? { body: plans, etag: '"9"' } : { status: 412, body: {} },
  });
  await user.click(await screen.findByRole('button', { name: 'What to do with Plans' }));
  await user.click(await screen.findByRole('menuitem', { name: 'Change Plans' }));
  await user.type(await screen.findByLabelText('Description'), 'mine');
  now = { body: { ...plans, description: 'theirs' }, etag: '"2"' };
  await act(() => cache.invalidateQueries());
  expect(screen.getByLabelText<HTMLInputElement>('Description').value).toBe('mine');
  expect(made('GET /api/v1/collections/c1')).toHaveLength(1);
  await user.click(screen.getByRole('button', { name: 'Save' }));
  await user.click(await screen.findByRole('button', { name: 'Show the new version' }));
  await vi.waitFor(() => { expect(screen.getByLabelText<HTMLInputElement>('Description').value).toBe('theirs'); });
});

it('makes one collection when the answer was lost and it is made again, and another one of another name', async () => {
  let isLost = true;
  const { user, made } = show(<NewCollection open onClose={() => undefined} onMade={() => undefined} />, {
    ...me,
    'POST /api/v1/collections': () => {
      if (isLost) throw new TypeError('Failed to fetch');
      return { status: 201, body: plans };
    },
  });
  const create = async (times: number) => {
    await user.click(screen.getByRole('button', { name: 'Create' }));
    await vi.waitFor(() => { expect(made('POST /api/v1/collections')).toHaveLength(times); });
    await vi.waitFor(() => { expect(screen.getByRole('button', { name: 'Create' }).getAttribute('aria-busy')).toBeNull(); });
  };
  await user.type(await screen.findByLabelText('Name'), 'Plans');
  await create(1);
  await create(2);
  await user.type(screen.getByLabelText('Name'), ' B');
  isLost = false;
  await create(3);
  const [first, again, other] = made('POST /api/v1/collections').map((call) => call.key);
  expect([again === first, other === first]).toEqual([true, false]);
});
