import { read, write } from './storage';

/** Only when the page is not looked at, only if the user has asked for it, and never with what was answered. `about`: what it tells of; the same told again, or by another window, takes the place of what was told before. `path`: the page to show to whoever clicks on it. */
export function notify(about: string, title: string, body: string, path = location.pathname): void {
  if (typeof Notification === 'undefined' || Notification.permission !== 'granted' || !notificationsAreOn() || document.visibilityState === 'visible') return;
  void showNotice(title, { body: body.slice(0, 120), icon: '/icon-192.png', tag: about, data: { path } });
}

const told = new Set<string>();

/** What was told of once, by whichever part of the page saw it first, is not told of again. */
export function notifyOnce(ids: readonly string[], title: string, body: string, path?: string): void {
  const fresh = ids.filter((id) => !told.has(id));
  fresh.forEach((id) => told.add(id));
  if (fresh.length > 0) notify(fresh.join(' '), title, body, path);
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

/** False: the browser does not allow it. */
export async function setNotifications(on: boolean): Promise<boolean> {
  if (on && (typeof Notification === 'undefined' || await Notification.requestPermission() !== 'granted')) return false;
  write('preference', 'notifications', on ? 'on' : null);
  return true;
}
