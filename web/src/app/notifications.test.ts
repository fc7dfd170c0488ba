// @vitest-environment jsdom
import { renderHook } from '@testing-library/react';
import { act } from 'react';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { closeNotices, notify, setNotifications, useNotificationsAreOn } from './notifications';
import { write } from './storage';

const closed = vi.fn();
const made = vi.fn<(title: string, options?: NotificationOptions) => void>();

function hasWorker(worker: { active: object; showNotification: (title: string, options: NotificationOptions) => Promise<void> } | undefined): void {
  Object.defineProperty(navigator, 'serviceWorker', { configurable: true, value: { getRegistration: () => Promise.resolve(worker && { ...worker, getNotifications: () => Promise.resolve([{ close: closed }, { close: closed }]) }) } });
}

beforeEach(() => {
  made.mockReset();
  closed.mockReset();
  write('preference', 'notifications', 'on', 'ada');
  vi.stubGlobal('Notification', Object.assign(function Shown(this: { close: () => void }, title: string, options?: NotificationOptions) { made(title, options); this.close = closed; }, { permission: 'granted' }));
});

afterEach(() => {
  vi.unstubAllGlobals();
  Reflect.deleteProperty(navigator, 'serviceWorker');
  write('preference', 'notifications', null, 'ada');
});

it('notifies who has asked for it, under the name of what it is about, and nobody else', async () => {
  notify('ada', 'a', 'Title', 'Body', '/c/1');
  await vi.waitFor(() => { expect(made).toHaveBeenCalledExactlyOnceWith('Title', expect.objectContaining({ body: 'Body', tag: 'a' })); });
  write('preference', 'notifications', null, 'ada');
  notify('ada', 'b', 'Title', 'Body', '/c/1');
  expect(made).toHaveBeenCalledOnce();
});

it('leaves it to the service worker where there is one, with the page to go to', async () => {
  const shown = vi.fn(() => Promise.resolve());
  hasWorker({ active: {}, showNotification: shown });
  notify('ada', 'a', 'Title', 'Body', '/approvals');
  await vi.waitFor(() => { expect(shown).toHaveBeenCalledWith('Title', expect.objectContaining({ body: 'Body', data: { path: '/approvals' } })); });
  expect(made).not.toHaveBeenCalled();
});

it('breaks nothing where the browser refuses', async () => {
  const warned = vi.spyOn(console, 'warn').mockImplementation(() => undefined);
  made.mockImplementation(() => { throw new TypeError('Illegal constructor'); });
  notify('ada', 'a', 'Title', 'Body', '/');
  await vi.waitFor(() => { expect(warned).toHaveBeenCalledOnce(); });
});

it('is known to be on or off as soon as it is chosen', async () => {
  const { result } = renderHook(() => useNotificationsAreOn('ada'));
  expect(result.current).toBe(true);
  await act(() => setNotifications('ada', false));
  expect(result.current).toBe(false);
});

it('tells nobody else on this browser what one of them asked to be told', () => {
  notify('bo', 'a', 'Title', 'Body', '/c/1');
  expect(made).not.toHaveBeenCalled();
  expect(renderHook(() => useNotificationsAreOn('bo')).result.current).toBe(false);
});

it('closes what is still shown of whoever leaves, by the worker or by the page itself', async () => {
  await closeNotices();
  closed.mockReset();
  notify('ada', 'a', 'Title', 'Body', '/c/1');
  await vi.waitFor(() => { expect(made).toHaveBeenCalledOnce(); });
  await closeNotices();
  expect(closed).toHaveBeenCalledOnce();
  hasWorker({ active: {}, showNotification: () => Promise.resolve() });
  await closeNotices();
  expect(closed).toHaveBeenCalledTimes(3);
});

it('keeps nobody here where the browser lets nobody ask what is shown', async () => {
  Object.defineProperty(navigator, 'serviceWorker', { configurable: true, value: { getRegistration: () => Promise.reject(new DOMException('No', 'SecurityError')) } });
  await expect(closeNotices()).resolves.toBeUndefined();
});

it('keeps nobody here whose worker never answers', async () => {
  Object.defineProperty(navigator, 'serviceWorker', { configurable: true, value: { getRegistration: () => new Promise(() => undefined) } });
  await expect(closeNotices()).resolves.toBeUndefined();
});
