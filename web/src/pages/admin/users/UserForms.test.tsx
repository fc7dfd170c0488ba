import { screen } from '@testing-library/react';
import { expect, it, vi } from 'vitest';
import { show, tidyWorld } from '../../../testing/world';
import { AddUser, EditUser, SetPassword } from './UserForms';

tidyWorld();

const bo = { id: 'u1', username: 'bo', role: 'user', disabled: false, limits: { runs: 3, requests: null, spend_per_day_usd: 2.5, of_a_newer_server: 7 }, grants: [], acts_for: [], created_at: '2026-01-01T00:00:00Z', updated_at: '2026-01-01T00:00:00Z' };
const path = '/api/v1/users/u1';

it('adds a user without the spaces around the name, and shows a refused password at its field', async () => {
  const onDone = vi.fn(() => Promise.resolve());
  let isShort = true;
  const { user, made } = show(<AddUser onDone={onDone} onCancel={() => undefined} />, {
    'POST /api/v1/users': () => isShort ? { status: 400, body: { title: 'Not valid', errors: { password: ['is too short'] } } } : { status: 201, body: bo },
  });
  await user.type(await screen.findByLabelText('Name'), ' bo ');
  await user.type(screen.getByLabelText('First password'), 'short');
  await user.click(screen.getByRole('button', { name: 'Add a user' }));
  expect(await screen.findByText('is too short')).toBeTruthy();
  expect(document.activeElement).toBe(screen.getByLabelText('First password'));
  expect(onDone).not.toHaveBeenCalled();
  isShort = false;
  await user.click(screen.getByRole('button', { name: 'Add a user' }));
  await vi.waitFor(() => { expect(onDone).toHaveBeenCalledWith('bo'); });
  expect(made('POST /api/v1/users').map((c) => c.body)).toEqual([{ username: 'bo', password: 'short', role: 'user' }, { username: 'bo', password: 'short', role: 'user' }]);
});

it('changes a user as they were read, and only by a word of the administrator over what somebody else changed', async () => {
  const onDone = vi.fn(() => Promise.resolve());
  let version = 1;
  const { user, made } = show(<EditUser id="u1" isSelf={false} onDone={onDone} onCancel={() => undefined} />, {
    [`GET ${path}`]: () => ({ body: bo, etag: `"${version}"` }),
    [`PATCH ${path}`]: ({ match }) => match === `"${version}"` ? { body: bo, etag: '"3"' } : { status: 412, body: {} },
  });
  await user.selectOptions(await screen.findByLabelText('Role'), 'readonly');
  version = 2;
  await user.click(screen.getByRole('button', { name: 'Save' }));
  await user.click(await screen.findByRole('button', { name: 'Save mine over it' }));
  await vi.waitFor(() => { expect(onDone).toHaveBeenCalledOnce(); });
  expect(made(`PATCH ${path}`).map((c) => c.match)).toEqual(['"1"', '"2"']);
  expect(made(`PATCH ${path}`).at(-1)?.body).toEqual({ username: 'bo', role: 'readonly', grants: [] }); // limits that nobody touched stay as they are
});

it('refuses a limit that is no number before anything is sent', async () => {
  const { user, made } = show(<EditUser id="u1" isSelf={false} onDone={() => Promise.resolve()} onCancel={() => undefined} />, { [`GET ${path}`]: { body: bo, etag: '"1"' } });
  const runs = await screen.findByDisplayValue('3');
  await user.clear(runs);
  await user.type(runs, 'many');
  await user.click(screen.getByRole('button', { name: 'Save' }));
  await vi.waitFor(() => { expect(runs.getAttribute('aria-invalid')).toBe('true'); });
  expect(made(`PATCH ${path}`)).toHaveLength(0);
});

it('sends all limits of a user with the one that was changed: those that the form has, and others', async () => {
  const onDone = vi.fn(() => Promise.resolve());
  const { user, made } = show(<EditUser id="u1" isSelf={false} onDone={onDone} onCancel={() => undefined} />, { [`GET ${path}`]: { body: bo, etag: '"1"' }, [`PATCH ${path}`]: { body: bo } });
  const spend = await screen.findByLabelText<HTMLInputElement>('US dollars a day for models');
  expect(spend.value).toBe('2.5');
  await user.type(spend, 'x');
  await user.click(screen.getByRole('button', { name: 'Save' }));
  expect(await screen.findByText('An amount, like 2.5, or nothing.')).toBeTruthy();
  expect(made(`PATCH ${path}`)).toHaveLength(0);
  await user.clear(spend);
  await user.type(spend, '0,75');
  await user.click(screen.getByRole('button', { name: 'Save' }));
  await vi.waitFor(() => { expect(onDone).toHaveBeenCalledOnce(); });
  expect(made(`PATCH ${path}`)[0]?.body).toMatchObject({ limits: { runs: 3, spend_per_day_usd: 0.75, of_a_newer_server: 7 } });
});

it('lets nobody take their own role away, and says when the user cannot be read', async () => {
  show(<EditUser id="u1" isSelf onDone={() => Promise.resolve()} onCancel={() => undefined} />, { [`GET ${path}`]: { body: bo, etag: '"1"' } });
  expect((await screen.findByLabelText<HTMLSelectElement>('Role')).disabled).toBe(true);
});

it('asks for the old password of oneself only, and keeps neither in the form', async () => {
  const { user, made } = show(<SetPassword user={bo} isSelf onDone={() => undefined} />, { [`POST ${path}/password`]: { body: {} } });
  await user.type(await screen.findByLabelText('Present password'), 'old one');
  await user.type(screen.getByLabelText('New password'), 'new one');
  await user.click(screen.getByRole('button', { name: 'Set the password' }));
  await vi.waitFor(() => { expect(screen.getByLabelText<HTMLInputElement>('New password').value).toBe(''); });
  expect(screen.getByLabelText<HTMLInputElement>('Present password').value).toBe('');
  expect(made(`POST ${path}/password`).map((c) => c.body)).toEqual([{ password: 'new one', old_password: 'old one' }]);
});

it('asks for the same user again when the answer was lost, and for another when the name is another', async () => {
  const { user, made } = show(<AddUser onDone={() => Promise.resolve()} onCancel={() => undefined} />, { 'POST /api/v1/users': () => { throw new TypeError('Failed to fetch'); } });
  const name = await screen.findByLabelText('Name');
  await user.type(name, 'bo');
  const add = async (times: number) => {
    await user.click(screen.getByRole('button', { name: 'Add a user' }));
    await vi.waitFor(() => { expect(made('POST /api/v1/users')).toHaveLength(times); expect(screen.getByRole('button', { name: 'Add a user' }).getAttribute('aria-busy')).toBeNull(); });
  };
  await add(1);
  await add(2);
  await user.type(name, 'b');
  await add(3);
  const [first, again, other] = made('POST /api/v1/users').map((call) => call.key);
  expect([first === null, again === first, other === first]).toEqual([false, true, false]);
});
