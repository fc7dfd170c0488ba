import { useSyncExternalStore } from 'react';
import { read, write } from './storage';

export type Theme = 'system' | 'light' | 'dark';

const dark = typeof matchMedia === 'function' ? matchMedia('(prefers-color-scheme: dark)') : undefined;
const listeners = new Set<() => void>();
let chosen: Theme = kept();

function kept(): Theme {
  const value = read('preference', 'theme');
  return value === 'light' || value === 'dark' ? value : 'system';
}

/** Call before the first paint. */
export function applyTheme(): void {
  document.documentElement.dataset['theme'] = chosen === 'system' ? (dark?.matches ? 'dark' : 'light') : chosen;
}

dark?.addEventListener('change', applyTheme);

export function setTheme(theme: Theme): void {
  chosen = theme;
  write('preference', 'theme', theme === 'system' ? null : theme);
  applyTheme();
  listeners.forEach((l) => l());
}

export function useTheme(): Theme {
  return useSyncExternalStore((l) => {
    listeners.add(l);
    return () => listeners.delete(l);
  }, () => chosen);
}
