import { screen, within } from '@testing-library/react';
import { expect, it, vi } from 'vitest';
import { useSession } from '../../../app/session';
import { show, tidyWorld } from '../../../testing/world';
import UsersSection from './UsersSection';

tidyWorld();

const person = (id: string, username: string, role = 'user') => ({ id, username, role, disabled: false, limits: {}, grants: [], acts_for: [], created_at: '2026-01-01T00:00:00Z', updated_at: '2026-01-01T00:00:00Z' });
const me = (username: string) => ({ user: { id: 'u-ada', username, role: 'admin' }, permissions: ['*'], limits: {}, credential: 'cookie', scopes: [] });

function Who() {
  return <p>{`Signed in: ${useSession().user.username}`}</p>;
}

it('knows oneself by the new name everywhere, at once', async () => {
  let name = 'ada';
  const { user } = show(<><Who /><UsersSection /></>, {
    'GET /api/v1/auth/me': () => ({ body: me(name) }),
    'GET /api/v1/users': () => ({ body: { items: [person('u-ada', name, 'admin')], next_cursor: null } }),
    'GET /api/v1/users/u-ada': () => ({ body: person('u-ada', name, 'admin'), etag: '"1"' }),
    'PATCH /api/v1/users/u-ada': ({ body }) => { name = (body as { username: string }).username; return { body: person('u-ada', name, 'admin') }; },
  });
  await user.click(await screen.findByRole('button', { name: 'Actions for ada' }));
  await user.click(await screen.findByRole('menuitem', { name: 'Edit' }));
  const field = await within(await screen.findByRole('dialog')).findByLabelText('Name');
  await user.clear(field);
  await user.type(field, 'lovelace');
  await user.click(screen.getByRole('button', { name: 'Save' }));
  expect(await screen.findByText('Signed in: lovelace')).toBeTruthy();
});

it.each(['Delete', 'Disable', 'Edit'])('takes whoever was deleted elsewhere out of the list, and says why nothing was done: %s', async (what) => {
  let there = [person('u-ada', 'ada', 'admin'), person('u-bo', 'bo')];
  const { user } = show(<UsersSection />, { 'GET /api/v1/users': () => ({ body: { items: there, next_cursor: null } }), 'GET /api/v1/users/u-bo': { status: 404, body: { code: 'user_not_found', trace_id: 'trace-8' } } });
  await user.click(await screen.findByRole('button', { name: 'Actions for bo' }));
  there = there.slice(0, 1);
  await user.click(await screen.findByRole('menuitem', { name: what }));
  const dialog = within(await screen.findByRole('dialog'));
  if (what !== 'Edit') await user.click(dialog.getByRole('button', { name: what }));
  expect(await dialog.findByText('trace-8')).toBeTruthy();
  await vi.waitFor(() => { expect(document.querySelector('tbody')?.textContent).not.toContain('bo'); });
});
