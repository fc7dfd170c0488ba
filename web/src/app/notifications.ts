import { useSyncExternalStore } from 'react';
import { read, write } from './storage';

/** Only if the user has asked for it, and never with what was answered. Whether it is seen already, the caller knows. `about`: what it tells of; the same told again takes the place of what was told before. `path`: the page to show to whoever clicks on it. */
export function notify(about: string, title: string, body: string, path: string): void {
  if (typeof Notification === 'undefined' || Notification.permission !== 'granted' || !notificationsAreOn()) return;
  void showNotice(title, { body: body.slice(0, 120), icon: '/icon-192.png', tag: about, data: { path } });
}

/** Phones show only what a service worker shows; where there is none (plain http, development) the page does it itself. */
async function showNotice(title: string, options: NotificationOptions): Promise<void> {
  try {
    const worker = 'serviceWorker' in navigator ? await navigator.serviceWorker.getRegistration() : undefined;
    if (worker?.active) {
      await worker.showNotification(title, options);
      return;
    }
    const notification = new Notification(title, options);
    notification.onclick = () => {
      window.focus();
      notification.close();
    };
  } catch (error) {
    // The browser has taken the permission back, or has none of both ways: the page itself says the same.
    console.warn('No notification could be shown.', error);
  }
}

export function notificationsAreOn(): boolean {
  return read('preference', 'notifications') === 'on';
}

const listeners = new Set<() => void>();

/** Also when it is changed while the page is open, here or in another window. */
export function useNotificationsAreOn(): boolean {
  return useSyncExternalStore((listener) => {
    listeners.add(listener);
    addEventListener('storage', listener);
    return () => {
      listeners.delete(listener);
      removeEventListener('storage', listener);
    };
  }, notificationsAreOn);
}

/** False: the browser does not allow it. */
export async function setNotifications(on: boolean): Promise<boolean> {
  if (on && (typeof Notification === 'undefined' || await Notification.requestPermission() !== 'granted')) return false;
  write('preference', 'notifications', on ? 'on' : null);
  listeners.forEach((listener) => { listener(); });
  return true;
}
