import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { notify, notifyOnce } from './notifications';
import { write } from './storage';

const made = vi.fn<(title: string, options?: NotificationOptions) => void>();
let visibility: DocumentVisibilityState;

function hasWorker(worker: { active: object; showNotification: (title: string, options: NotificationOptions) => Promise<void> } | undefined): void {
  Object.defineProperty(navigator, 'serviceWorker', { configurable: true, value: { getRegistration: () => Promise.resolve(worker) } });
}

beforeEach(() => {
  visibility = 'hidden';
  made.mockReset();
  write('preference', 'notifications', 'on');
  vi.spyOn(document, 'visibilityState', 'get').mockImplementation(() => visibility);
  vi.stubGlobal('Notification', Object.assign(function Shown(title: string, options?: NotificationOptions) { made(title, options); }, { permission: 'granted' }));
});

afterEach(() => {
  vi.unstubAllGlobals();
  Reflect.deleteProperty(navigator, 'serviceWorker');
  write('preference', 'notifications', null);
});

it('notifies who does not look, and nobody else', async () => {
  notify('a', 'Title', 'Body');
  await vi.waitFor(() => { expect(made).toHaveBeenCalledOnce(); });
  visibility = 'visible';
  notify('a', 'Title', 'Body');
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
  notify('a', 'Title', 'Body');
  await vi.waitFor(() => { expect(warned).toHaveBeenCalledOnce(); });
});

it('tells of the same thing once', async () => {
  notifyOnce(['a1'], 'Waits', 'one');
  notifyOnce(['a1'], 'Waits', 'again');
  notifyOnce(['a1', 'a2'], 'Waits', 'two');
  notifyOnce([], 'Waits', 'nothing');
  await vi.waitFor(() => { expect(made).toHaveBeenCalledTimes(2); });
  // By what it is about: browsers replace one by another of the same tag.
  expect(made.mock.calls.map(([, options]) => options?.tag)).toEqual(['a1', 'a2']);
});
