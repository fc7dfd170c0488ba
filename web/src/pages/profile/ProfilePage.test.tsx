import { screen } from '@testing-library/react';
import { expect, it, vi } from 'vitest';
import { show, tidyWorld, type Server } from '../../testing/world';
import ProfilePage from './ProfilePage';

tidyWorld();

const lists: Server = { 'GET /api/v1/auth/sessions': { body: { items: [], next_cursor: null } }, 'GET /api/v1/api-keys': { body: { items: [], next_cursor: null } } };
const as = (permissions: string[]): Server => ({ ...lists, 'GET /api/v1/auth/me': { body: { user: { id: 'u', username: 'bo', role: 'user' }, permissions, limits: { runs: 3, requests: null } } } });

it('shows who one is and one’s limits, and leads to what is remembered', async () => {
  show(<ProfilePage />, as(['memory:read']));
  expect(await screen.findByRole('heading', { name: 'bo' })).toBeTruthy();
  expect(screen.getByText('3')).toBeTruthy();
  expect(screen.getByText('as usual')).toBeTruthy();
  expect(screen.getByRole('link', { name: 'See it' }).getAttribute('href')).toBe('/profile/memory');
});

it('does not offer what one may not see', async () => {
  show(<ProfilePage />, as([]));
  await screen.findByRole('heading', { name: 'bo' });
  expect(screen.queryByRole('link', { name: 'See it' })).toBeNull();
});

it('says when the browser refuses notifications, and leaves the switch off', async () => {
  vi.stubGlobal('Notification', { permission: 'denied', requestPermission: () => Promise.resolve('denied') });
  const { user } = show(<ProfilePage />, as([]));
  const box = await screen.findByRole<HTMLInputElement>('checkbox', { name: /Tell me when/ });
  await user.click(box);
  expect(await screen.findByText(/The browser does not allow it/)).toBeTruthy();
  expect(box.checked).toBe(false);
});

it('changes the language of the whole page at once', async () => {
  const { user } = show(<ProfilePage />, as([]));
  await user.selectOptions(await screen.findByLabelText('Language'), 'ru');
  expect(await screen.findByRole('heading', { name: 'Профиль' })).toBeTruthy();
  await user.selectOptions(screen.getByLabelText('Язык'), 'en');
  expect(await screen.findByRole('heading', { name: 'Profile' })).toBeTruthy();
});

it('gives one’s name and id to pass on', async () => {
  const { user } = show(<ProfilePage />, as([]));
  const write = vi.spyOn(navigator.clipboard, 'writeText');
  await user.click(await screen.findByRole('button', { name: 'Copy your name' }));
  await user.click(screen.getByRole('button', { name: 'Copy your id' }));
  expect(write.mock.calls).toEqual([['bo'], ['u']]);
});
