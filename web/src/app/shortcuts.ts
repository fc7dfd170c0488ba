import { read, write } from './storage';

/** Single keys and chords of the app; all of them can be switched off (WCAG 2.1.4). */
export const shortcuts = [
  { keys: 'Ctrl+K', action: 'palette' },
  { keys: 'Ctrl+Shift+O', action: 'newChat' },
  { keys: 'Ctrl+Shift+S', action: 'stop' },
  { keys: '/', action: 'focusMessage' },
  { keys: '?', action: 'shortcuts' },
] as const;

export function shortcutsAreOn(): boolean {
  return read('preference', 'shortcuts') !== 'off';
}

export function setShortcuts(on: boolean): void {
  write('preference', 'shortcuts', on ? null : 'off');
}
