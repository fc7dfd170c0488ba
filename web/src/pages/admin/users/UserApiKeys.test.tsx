import { act, screen, within } from '@testing-library/react';
import { expect, it } from 'vitest';
import { show, tidyWorld } from '../../../testing/world';
import { UserApiKeys } from './UserApiKeys';

tidyWorld();

const path = '/api/v1/users/u1/api-keys';

it('revokes a key of somebody else, and only after a confirmation', async () => {
  let there = [{ id: 'k1', name: 'nightly', hint: 'rmk_abcdef', scopes: [], created_at: '2026-01-01T00:00:00Z', expires_at: null, last_used_at: null }];
  const { user, made } = show(<UserApiKeys user={{ id: 'u1', username: 'bo' }} />, {
    [`GET ${path}`]: () => ({ body: { items: there, next_cursor: null } }),
    [`DELETE ${path}/k1`]: () => { there = []; return { status: 204 }; },
  });
  await user.click(await screen.findByRole('button', { name: 'Revoke nightly' }));
  expect(made(`DELETE ${path}/k1`)).toHaveLength(0);
  await user.click(within(await screen.findByRole('dialog')).getByRole('button', { name: 'Revoke' }));
  expect(await screen.findByText('bo has no API keys')).toBeTruthy();
  expect(made(`DELETE ${path}/k1`)).toHaveLength(1);
});

it('keeps the keys, and the question that is open, when a later look fails', async () => {
  let fails = false;
  const { user, cache } = show(<UserApiKeys user={{ id: 'u1', username: 'bo' }} />, {
    [`GET ${path}`]: () => fails ? { status: 503, body: { title: 'Not now', trace_id: 'trace-5' } } : { body: { items: [{ id: 'k1', name: 'nightly', hint: 'rmk_abcdef', scopes: [], created_at: '2026-01-01T00:00:00Z' }], next_cursor: null } },
  });
  await user.click(await screen.findByRole('button', { name: 'Revoke nightly' }));
  await screen.findByRole('dialog');
  fails = true;
  await act(() => cache.invalidateQueries());
  expect(await screen.findByText('trace-5')).toBeTruthy();
  expect(screen.getByRole('dialog')).toBeTruthy();
  expect(screen.getByText('nightly')).toBeTruthy();
});
