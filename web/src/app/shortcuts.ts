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

type Pressed = Pick<KeyboardEvent, 'key' | 'ctrlKey' | 'metaKey' | 'shiftKey' | 'altKey' | 'target'>;

/** What the keys mean wherever one is; nothing while shortcuts are off. */
export function globalAction(event: Pressed): 'newChat' | 'shortcuts' | undefined {
  if (!shortcutsAreOn() || event.altKey) return undefined;
  const chord = event.ctrlKey || event.metaKey;
  if (chord && event.shiftKey && event.key.toLowerCase() === 'o') return 'newChat';
  return !chord && event.key === '?' && !isTyping(event.target) ? 'shortcuts' : undefined;
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
