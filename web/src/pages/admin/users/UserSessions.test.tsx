import { screen, within } from '@testing-library/react';
import { expect, it, vi } from 'vitest';
import { show, tidyWorld } from '../../../testing/world';
import { UserSessions } from './UserSessions';

tidyWorld();

const bo = { id: 'u1', username: 'bo' };
const path = '/api/v1/users/u1/sessions';
const session = (id: string, label: string) => ({ id, kind: 'cookie', label, address: '192.0.2.7', created_at: '2026-01-01T00:00:00Z', last_used_at: '2026-01-02T00:00:00Z', expires_at: '2026-01-08T00:00:00Z', is_current: false });

it('ends one session, or all of them, and only after a confirmation', async () => {
  let there = [session('s1', 'Firefox'), session('s2', 'Phone')];
  const { user, made } = show(<UserSessions user={bo} isSelf={false} />, {
    [`GET ${path}`]: () => ({ body: { items: there, next_cursor: null } }),
    [`DELETE ${path}/s1`]: () => { there = there.filter((s) => s.id !== 's1'); return { status: 204 }; },
    [`DELETE ${path}`]: () => { there = []; return { status: 204 }; },
  });
  const first = (await screen.findByText('Firefox')).closest('tr');
  expect(first?.textContent).toContain('192.0.2.7');
  await user.click(within(first ?? document.body).getByRole('button', { name: /End the session/ }));
  expect(made(`DELETE ${path}/s1`)).toHaveLength(0);
  await user.click(within(await screen.findByRole('dialog')).getByRole('button', { name: 'End' }));
  await vi.waitFor(() => { expect(screen.queryByText('Firefox')).toBeNull(); });
  await user.click(screen.getByRole('button', { name: 'End all sessions' }));
  await user.click(within(await screen.findByRole('dialog')).getByRole('button', { name: 'End all sessions' }));
  expect(await screen.findByText('bo is signed in nowhere')).toBeTruthy();
  expect(made(`DELETE ${path}`)).toHaveLength(1);
});

it('takes a session that is over already as ended, and says what else went wrong', async () => {
  let code = 'session_not_found';
  const { user } = show(<UserSessions user={bo} isSelf={false} />, {
    [`GET ${path}`]: { body: { items: [session('s1', 'Firefox')], next_cursor: null } },
    [`DELETE ${path}/s1`]: () => ({ status: 404, body: { code, title: 'Not found', trace_id: 'trace-7' } }),
  });
  const end = async () => {
    await user.click(await screen.findByRole('button', { name: /End the session/ }));
    await user.click(within(await screen.findByRole('dialog')).getByRole('button', { name: 'End' }));
  };
  await end();
  await vi.waitFor(() => { expect(screen.queryByRole('dialog')).toBeNull(); });
  code = 'user_not_found';
  await end();
  expect(await screen.findByText('trace-7')).toBeTruthy();
});
