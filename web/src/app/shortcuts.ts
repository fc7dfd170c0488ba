import { read, write } from './storage';

/** Single keys and chords of the app; all of them can be switched off (WCAG 2.1.4). */
export const shortcuts = [
  { keys: 'Ctrl+K', action: 'palette' },
  { keys: 'Ctrl+Shift+O', action: 'newChat' },
  { keys: 'Ctrl+Shift+S', action: 'stop' },
  { keys: '/', action: 'focusMessage' },
  { keys: '?', action: 'shortcuts' },
] as const;

export type ShortcutAction = (typeof shortcuts)[number]['action'];

export function shortcutsAreOn(): boolean {
  return read('preference', 'shortcuts') !== 'off';
}

export function setShortcuts(on: boolean): void {
  write('preference', 'shortcuts', on ? null : 'off');
}

/** Whoever writes means the sign, not the shortcut. */
export function isTyping(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName));
}

export type Pressed = Pick<KeyboardEvent, 'key' | 'code' | 'ctrlKey' | 'metaKey' | 'shiftKey' | 'altKey' | 'target'>;

/**
 * Whether it is this letter or sign. A keyboard that writes no Latin letters (a Russian one says л for K, with Ctrl held too) is asked where the key lies;
 * one that does, whatever its order, means what it says. Where `/` and `?` lie, a Russian one writes `.` and `,`.
 */
export function isKey(event: Pressed, wanted: 'k' | 'o' | 's' | '/' | '?'): boolean {
  if (event.key.toLowerCase() === wanted) return true;
  if (wanted === '/') return event.code === 'Slash' && event.key === '.' && !event.shiftKey;
  if (wanted === '?') return event.code === 'Slash' && event.key === ',' && event.shiftKey;
  return event.code === `Key${wanted.toUpperCase()}` && /^(?!\p{Script=Latin})\p{L}$/u.test(event.key);
}

/** What the keys mean wherever one is; nothing while shortcuts are off. */
export function globalAction(event: Pressed): 'newChat' | 'shortcuts' | undefined {
  if (!shortcutsAreOn() || event.altKey) return undefined;
  const chord = event.ctrlKey || event.metaKey;
  if (chord && event.shiftKey && isKey(event, 'o')) return 'newChat';
  return !chord && isKey(event, '?') && !isTyping(event.target) ? 'shortcuts' : undefined;
}

/** What one part of the page asks another one to open. */
function signal() {
  const listeners = new Set<() => void>();
  return {
    send: () => { listeners.forEach((listener) => { listener(); }); },
    on: (listener: () => void) => {
      listeners.add(listener);
      return () => { listeners.delete(listener); };
    },
  };
}

/** Shows the list of shortcuts. */
export const { send: showShortcuts, on: onShowShortcuts } = signal();

/** Shows the command palette. */
export const { send: showPalette, on: onShowPalette } = signal();
