import { act, screen } from '@testing-library/react';
import { expect, it, vi } from 'vitest';
import { show, tidyWorld } from '../../testing/world';
import DocumentsPage from './DocumentsPage';

tidyWorld();

const collection = (id: string, name: string, more: object = {}) => ({ id, name, description: '', owner_id: 'u-bo', is_default: false, may_write: true, documents: 0, members: [], created_at: '2026-01-01T00:00:00Z', updated_at: '2026-01-01T00:00:00Z', ...more });

it('shows everything again when the chosen collection goes away: a filter that one does not see filters nothing', async () => {
  let there = [collection('own', 'Own', { owner_id: 'u-ada', is_default: true }), collection('plans', 'Plans')];
  const { user, cache, made } = show(<DocumentsPage />, {
    'GET /api/v1/collections': () => ({ body: { items: there, next_cursor: null } }),
    'GET /api/v1/documents': ({ query }) => there.some((c) => c.id === (query.get('collection') ?? 'own')) ? { body: { items: [], next_cursor: null } } : { status: 404, body: { code: 'collection_not_found' } },
    'GET /api/v1/documents/limits': { body: { max_file_bytes: 1_000, kinds: ['text'] } },
  });
  await screen.findByRole('option', { name: 'Plans' });
  const choice = screen.getByLabelText<HTMLSelectElement>('Collection');
  await user.selectOptions(choice, 'Plans');
  await vi.waitFor(() => { expect(made('GET /api/v1/documents').at(-1)?.query.get('collection')).toBe('plans'); });
  there = there.slice(0, 1);
  await act(() => cache.invalidateQueries());
  await vi.waitFor(() => { expect(choice.value).toBe(''); });
  expect(await screen.findByText('No documents yet')).toBeTruthy();
  expect(screen.queryByRole('alert')).toBeNull();
  expect(screen.getByRole('button', { name: 'Upload files' })).toBeTruthy();
});

it('asks for no documents on behalf of somebody who may not read them, and says so', async () => {
  const { calls } = show(<DocumentsPage />, { 'GET /api/v1/auth/me': { body: { user: { id: 'u-rea', username: 'rea', role: 'readonly' }, permissions: ['chat:read', 'agents:read', 'metrics:read'], limits: {}, credential: 'cookie', scopes: [] } } });
  expect(await screen.findByRole('heading', { name: 'Your role does not reach this part' })).toBeTruthy();
  expect(screen.getByRole('heading', { name: 'Documents' })).toBeTruthy();
  expect(calls.filter((c) => c.route !== 'GET /api/v1/auth/me')).toEqual([]);
});
