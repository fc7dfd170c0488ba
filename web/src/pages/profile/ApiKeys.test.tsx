import { screen, within } from '@testing-library/react';
import { expect, it, vi } from 'vitest';
import { show, tidyWorld } from '../../testing/world';
import { ApiKeys } from './ApiKeys';

tidyWorld();

const key = { id: 'k1', name: 'nightly', hint: 'rm_ab', scopes: [], created_at: '2026-01-01T00:00:00Z' };
const list = { body: { items: [key], next_cursor: null } };

it('shows a secret once: until somebody says that it was kept, whatever else they press, and nowhere afterwards', async () => {
  const { user, made } = show(<ApiKeys />, { 'GET /api/v1/api-keys': list, 'POST /api/v1/api-keys': { status: 201, body: { ...key, secret: 'rm_the-secret' } } });
  await user.click(await screen.findByRole('button', { name: 'New key' }));
  await user.type(screen.getByLabelText('Name'), ' nightly ');
  await user.selectOptions(screen.getByLabelText('Ends'), 'Never');
  await user.selectOptions(screen.getByLabelText('May do'), 'all that you may');
  await user.click(screen.getByRole('button', { name: 'Create the key' }));
  expect(await screen.findByText('rm_the-secret')).toBeTruthy();
  await user.keyboard('{Escape}');
  expect(screen.getByText('rm_the-secret')).toBeTruthy();
  expect(screen.queryByRole('button', { name: 'Close' })).toBeNull();
  await user.click(screen.getByRole('button', { name: 'I have kept it' }));
  expect(document.body.innerHTML).not.toContain('rm_the-secret');
  expect(made('POST /api/v1/api-keys').map((c) => c.body)).toEqual([{ name: 'nightly', scopes: [] }]);
});

it('shows what is wrong with a new key at its field', async () => {
  const { user } = show(<ApiKeys />, { 'GET /api/v1/api-keys': list, 'POST /api/v1/api-keys': { status: 400, body: { title: 'Not valid', errors: { name: ['is taken'] } } } });
  await user.click(await screen.findByRole('button', { name: 'New key' }));
  await user.type(screen.getByLabelText('Name'), 'nightly');
  await user.selectOptions(screen.getByLabelText('May do'), 'all that you may');
  await user.click(screen.getByRole('button', { name: 'Create the key' }));
  expect(await screen.findByText('is taken')).toBeTruthy();
  expect(screen.getByLabelText('Name').getAttribute('aria-invalid')).toBe('true');
});

it('revokes a key after a question, and stays with the reason when it cannot', async () => {
  let fails = true;
  const { user, made } = show(<ApiKeys />, { 'GET /api/v1/api-keys': list, 'DELETE /api/v1/api-keys/k1': () => fails ? { status: 503, body: { title: 'Not now' } } : { status: 204 } });
  await user.click(await screen.findByRole('button', { name: 'Revoke nightly' }));
  const dialog = screen.getByRole('dialog');
  await user.click(within(dialog).getByRole('button', { name: 'Revoke' }));
  expect(await within(dialog).findByRole('alert')).toBeTruthy();
  fails = false;
  await user.click(within(dialog).getByRole('button', { name: 'Revoke' }));
  expect(await screen.findByText('The key was revoked')).toBeTruthy();
  expect(made('DELETE /api/v1/api-keys/k1')).toHaveLength(2);
});

it('says what a key is for when there is none', async () => {
  show(<ApiKeys />, { 'GET /api/v1/api-keys': { body: { items: [], next_cursor: null } } });
  expect(await screen.findByRole('heading', { name: 'You have no API keys' })).toBeTruthy();
});

it('makes no key that may do everything unless somebody says so, and no second one after a lost answer', async () => {
  let answers = 0;
  const keys: (string | null)[] = [];
  const { user, made } = show(<ApiKeys />, { 'GET /api/v1/api-keys': list, 'POST /api/v1/api-keys': () => ++answers === 1 ? { status: 503, body: { title: 'Not now' } } : { status: 201, body: { ...key, secret: 'rm_the-secret' } } });
  const asked = fetch as unknown as (request: Request) => Promise<Response>;
  vi.stubGlobal('fetch', (request: Request) => {
    if (request.method === 'POST') keys.push(request.headers.get('idempotency-key'));
    return asked(request);
  });
  await user.click(await screen.findByRole('button', { name: 'New key' }));
  await user.type(screen.getByLabelText('Name'), 'nightly');
  await user.click(screen.getByRole('button', { name: 'Create the key' }));
  expect(await screen.findByText(/^Choose at least one/)).toBeTruthy();
  expect(made('POST /api/v1/api-keys')).toHaveLength(0);
  await user.click(screen.getByRole('checkbox', { name: 'chat:read' }));
  await user.click(screen.getByRole('button', { name: 'Create the key' }));
  expect(await screen.findByRole('alert')).toBeTruthy();
  await user.click(screen.getByRole('button', { name: 'Create the key' }));
  expect(await screen.findByText('rm_the-secret')).toBeTruthy();
  const [first, second] = made('POST /api/v1/api-keys').map((c) => c.body as { scopes: string[] });
  expect(first?.scopes).toEqual(['chat:read']);
  expect(second).toEqual(first);
  expect(new Set(keys).size).toBe(1);
});

it('asks anew after a refusal, which the server would only repeat to the same key', async () => {
  let isThere = true;
  const { user, made } = show(<ApiKeys />, { 'GET /api/v1/api-keys': list, 'POST /api/v1/api-keys': () => isThere ? { status: 409, body: { code: 'conflict', title: 'Too many' } } : { status: 201, body: { ...key, secret: 'rm_the-secret' } } });
  await user.click(await screen.findByRole('button', { name: 'New key' }));
  await user.type(screen.getByLabelText('Name'), 'nightly');
  await user.selectOptions(screen.getByLabelText('May do'), 'all that you may');
  await user.click(screen.getByRole('button', { name: 'Create the key' }));
  expect(await screen.findByRole('alert')).toBeTruthy();
  isThere = false;
  await user.click(screen.getByRole('button', { name: 'Create the key' }));
  expect(await screen.findByText('rm_the-secret')).toBeTruthy();
  expect(new Set(made('POST /api/v1/api-keys').map((c) => c.key)).size).toBe(2);
});

it('takes a key that was revoked elsewhere as revoked', async () => {
  let there = [key];
  const { user } = show(<ApiKeys />, { 'GET /api/v1/api-keys': () => ({ body: { items: there, next_cursor: null } }), 'DELETE /api/v1/api-keys/k1': () => { there = []; return { status: 404, body: { code: 'api_key_not_found' } }; } });
  await user.click(await screen.findByRole('button', { name: 'Revoke nightly' }));
  await user.click(within(screen.getByRole('dialog')).getByRole('button', { name: 'Revoke' }));
  expect(await screen.findByRole('heading', { name: 'You have no API keys' })).toBeTruthy();
  expect(screen.queryByRole('dialog')).toBeNull();
});
