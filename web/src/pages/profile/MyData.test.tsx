import { screen, within } from '@testing-library/react';
import { expect, it, vi } from 'vitest';
import { show, tidyWorld, type Server } from '../../testing/world';
import { MyData } from './MyData';

tidyWorld();

const list = (items: unknown[]) => ({ body: { items, next_cursor: null } });
const collection = (id: string, owner: string) => ({ id, name: id, description: '', owner_id: owner, is_default: false, may_write: true, documents: 3, members: [], created_at: '2026-01-01T00:00:00Z', updated_at: '2026-01-01T00:00:00Z' });
const server: Server = {
  'GET /api/v1/runs': list([{ id: 'r1', shared_at: '2026-01-01T00:00:00Z' }, { id: 'r2', shared_at: null }]),
  'DELETE /api/v1/runs/r1/share': { status: 204 },
  'GET /api/v1/conversations': list([]),
  'GET /api/v1/collections': list([collection('mine', 'u-ada'), collection('theirs', 'u-bo')]),
  'GET /api/v1/collections/mine': { body: collection('mine', 'u-ada'), etag: '"7"' },
  'DELETE /api/v1/collections/mine': { status: 204 },
  'DELETE /api/v1/memory': { status: 204 },
};

it.each([[true, 1], [false, 0]])('deletes one’s own documents if that is wanted (%s), and nobody else’s', async (wanted, times) => {
  const { user, made } = show(<MyData />, server);
  await user.click(await screen.findByRole('button', { name: 'Delete my data' }));
  const dialog = within(await screen.findByRole('dialog'));
  if (wanted) await user.click(dialog.getByRole('checkbox', { name: /My collections/ }));
  await user.click(dialog.getByRole('button', { name: 'Delete my data' }));
  await vi.waitFor(() => { expect(made('DELETE /api/v1/memory')).toHaveLength(1); });
  expect(await screen.findByText(wanted ? /3 documents were deleted/ : /0 conversations were deleted/)).toBeTruthy();
  expect(made('DELETE /api/v1/runs/r1/share')).toHaveLength(1);
  expect(made('DELETE /api/v1/collections/mine').map((c) => c.match)).toEqual(Array.from({ length: times }, () => '"7"'));
});

it('offers no deletion to those whose role may not delete, and says who can', async () => {
  show(<MyData />, { 'GET /api/v1/auth/me': { body: { user: { id: 'u-rea', username: 'rea', role: 'readonly' }, permissions: ['chat:read'], limits: {}, credential: 'cookie', scopes: [] } } });
  expect(await screen.findByText(/^Your role may delete nothing. An administrator can/)).toBeTruthy();
  expect(screen.getByRole('button', { name: 'Export' })).toBeTruthy();
  expect(screen.queryByRole('button', { name: 'Delete my data' })).toBeNull();
});
