import { afterEach, expect, it } from 'vitest';
import { globalAction, setShortcuts } from './shortcuts';

const press = (key: string, more: Partial<Parameters<typeof globalAction>[0]> = {}) => globalAction({ key, ctrlKey: false, metaKey: false, shiftKey: false, altKey: false, target: document.body, ...more });

afterEach(() => { setShortcuts(true); });

it('knows the keys, on every keyboard', () => {
  expect(press('O', { ctrlKey: true, shiftKey: true })).toBe('newChat');
  expect(press('o', { metaKey: true, shiftKey: true })).toBe('newChat');
  expect(press('?', { shiftKey: true })).toBe('shortcuts');
  expect(press('?')).toBe('shortcuts');
  expect(press('o', { ctrlKey: true })).toBeUndefined();
  expect(press('?', { ctrlKey: true })).toBeUndefined();
});

it('takes a sign that is written for a sign', () => {
  expect(press('?', { target: document.createElement('textarea') })).toBeUndefined();
  expect(press('o', { target: document.createElement('textarea'), ctrlKey: true, shiftKey: true })).toBe('newChat');
});

it('does nothing while shortcuts are off', () => {
  setShortcuts(false);
  expect(press('?')).toBeUndefined();
  expect(press('o', { ctrlKey: true, shiftKey: true })).toBeUndefined();
});
