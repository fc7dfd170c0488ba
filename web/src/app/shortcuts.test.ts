// @vitest-environment jsdom
import { afterEach, expect, it } from 'vitest';
import { globalAction, isKey, setShortcuts, type Pressed } from './shortcuts';

const pressed = (key: string, more: Partial<Pressed> = {}): Pressed => ({ key, code: '', ctrlKey: false, metaKey: false, shiftKey: false, altKey: false, target: document.body, ...more });
const press = (key: string, more: Partial<Pressed> = {}) => globalAction(pressed(key, more));

afterEach(() => { setShortcuts(true); });

it('knows the keys', () => {
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

it.each([['k', 'л', 'KeyK'], ['o', 'щ', 'KeyO'], ['s', 'ы', 'KeyS'], ['k', 'Л', 'KeyK'], ['o', 'ο', 'KeyO']] as const)('finds %s where it lies on a keyboard that writes %s there', (wanted, key, code) => {
  expect(isKey(pressed(key, { code }), wanted)).toBe(true);
  expect(isKey(pressed(key, { code: 'KeyJ' }), wanted)).toBe(false);
});

it('takes a Latin letter for what it says, wherever it lies', () => {
  expect(isKey(pressed('k', { code: 'KeyV' }), 'k')).toBe(true);
  expect(isKey(pressed('t', { code: 'KeyK' }), 'k')).toBe(false);
});

it('finds slash and question mark on a Russian keyboard too', () => {
  expect(isKey(pressed('.', { code: 'Slash' }), '/')).toBe(true);
  expect(isKey(pressed('-', { code: 'Slash' }), '/')).toBe(false);
  expect(isKey(pressed('.', { code: 'Period' }), '/')).toBe(false);
  expect(press(',', { code: 'Slash', shiftKey: true })).toBe('shortcuts');
  expect(press('?', { code: 'Digit7', shiftKey: true })).toBe('shortcuts');
  expect(press(',', { code: 'Comma' })).toBeUndefined();
  expect(press('щ', { code: 'KeyO', ctrlKey: true, shiftKey: true })).toBe('newChat');
});
