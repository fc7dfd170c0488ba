// @vitest-environment jsdom
import { renderHook } from '@testing-library/react';
import { act } from 'react';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { notify, setNotifications, useNotificationsAreOn } from './notifications';
import { write } from './storage';

const made = vi.fn<(title: string, options?: NotificationOptions) => void>();

function hasWorker(worker: { active: object; showNotification: (title: string, options: NotificationOptions) => Promise<void> } | undefined): void {
  Object.defineProperty(navigator, 'serviceWorker', { configurable: true, value: { getRegistration: () => Promise.resolve(worker) } });
}

beforeEach(() => {
  made.mockReset();
  write('preference', 'notifications', 'on');
  vi.stubGlobal('Notification', Object.assign(function Shown(title: string, options?: NotificationOptions) { made(title, options); }, { permission: 'granted' }));
});

afterEach(() => {
  vi.unstubAllGlobals();
  Reflect.deleteProperty(navigator, 'serviceWorker');
  write('preference', 'notifications', null);
});

it('notifies who has asked for it, under the name of what it is about, and nobody else', async () => {
  notify('a', 'Title', 'Body', '/c/1');
  await vi.waitFor(() => { expect(made).toHaveBeenCalledExactlyOnceWith('Title', expect.objectContaining({ body: 'Body', tag: 'a' })); });
  write('preference', 'notifications', null);
  notify('b', 'Title', 'Body', '/c/1');
  expect(made).toHaveBeenCalledOnce();
});

it('leaves it to the service worker where there is one, with the page to go to', async () => {
  const shown = vi.fn(() => Promise.resolve());
  hasWorker({ active: {}, showNotification: shown });
  notify('a', 'Title', 'Body', '/approvals');
  await vi.waitFor(() => { expect(shown).toHaveBeenCalledWith('Title', expect.objectContaining({ body: 'Body', data: { path: '/approvals' } })); });
  expect(made).not.toHaveBeenCalled();
});

it('breaks nothing where the browser refuses', async () => {
  const warned = vi.spyOn(console, 'warn').mockImplementation(() => undefined);
  made.mockImplementation(() => { throw new TypeError('Illegal constructor'); });
  notify('a', 'Title', 'Body', '/');
  await vi.waitFor(() => { expect(warned).toHaveBeenCalledOnce(); });
});

it('is known to be on or off as soon as it is chosen', async () => {
  const { result } = renderHook(useNotificationsAreOn);
  expect(result.current).toBe(true);
  await act(() => setNotifications(false));
  expect(result.current).toBe(false);
});
