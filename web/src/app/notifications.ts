import { read, write } from './storage';

/** Only when the page is not looked at, only if the user has asked for it, and never with what was answered. */
export function notify(title: string, body: string): void {
  if (typeof Notification === 'undefined' || Notification.permission !== 'granted' || !notificationsAreOn() || document.visibilityState === 'visible') return;
  const notification = new Notification(title, { body: body.slice(0, 120), icon: '/icon.svg', tag: title + body });
  notification.onclick = () => {
    window.focus();
    notification.close();
  };
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
