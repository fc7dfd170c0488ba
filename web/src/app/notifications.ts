import { useSyncExternalStore } from 'react';
import { read, write } from './storage';

/** Only if this user has asked for it, and never with what was answered. Whether it is seen already, the caller knows. `about`: what it tells of; the same told again takes the place of what was told before. `path`: the page to show to whoever clicks on it. */
export function notify(user: string, about: string, title: string, body: string, path: string): void {
  if (typeof Notification === 'undefined' || Notification.permission !== 'granted' || !notificationsAreOn(user)) return;
  void showNotice(title, { body: body.slice(0, 120), icon: '/icon-192.png', tag: about, data: { path } });
}

const ours: Notification[] = [];

/** Phones show only what a service worker shows; where there is none (plain http, development) the page does it itself. */
async function showNotice(title: string, options: NotificationOptions): Promise<void> {
  try {
    const worker = 'serviceWorker' in navigator ? await navigator.serviceWorker.getRegistration() : undefined;
    if (worker?.active) {
      await worker.showNotification(title, options);
      return;
    }
    const notification = new Notification(title, options);
    ours.push(notification);
    notification.onclick = () => {
      window.focus();
      notification.close();
    };
  } catch (error) {
    // The browser has taken the permission back, or has none of both ways: the page itself says the same.
    console.warn('No notification could be shown.', error);
  }
}

/** Whoever used this browser leaves: what they were told is not for whoever comes next. What a page showed without a worker is closed by that page. */
export async function closeNotices(): Promise<void> {
  ours.splice(0).forEach((notification) => { notification.close(); });
  await Promise.race([closeShown(), new Promise((go) => { setTimeout(go, 1000); })]); // nobody stays signed in because a worker hangs
}

async function closeShown(): Promise<void> {
  try {
    const worker = await navigator.serviceWorker?.getRegistration();
    (await worker?.getNotifications())?.forEach((notification) => { notification.close(); });
  } catch {
    // The browser lets nobody ask.
  }
}

export function notificationsAreOn(user: string): boolean {
  return read('preference', 'notifications', user) === 'on';
}

const listeners = new Set<() => void>();

/** Also when it is changed while the page is open, here or in another window. */
export function useNotificationsAreOn(user: string): boolean {
  return useSyncExternalStore((listener) => {
    listeners.add(listener);
    addEventListener('storage', listener);
    return () => {
      listeners.delete(listener);
      removeEventListener('storage', listener);
    };
  }, () => notificationsAreOn(user));
}

/** False: the browser does not allow it. */
export async function setNotifications(user: string, on: boolean): Promise<boolean> {
  if (on && (typeof Notification === 'undefined' || await Notification.requestPermission() !== 'granted')) return false;
  write('preference', 'notifications', on ? 'on' : null, user);
  listeners.forEach((listener) => { listener(); });
  return true;
}
