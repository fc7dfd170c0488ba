import { cleanup, render, screen } from '@testing-library/react';
import { afterEach, beforeAll, expect, it } from 'vitest';
import type { SchemaModelTestResponse } from '../../api/schema';
import { Value } from '../../chat/Activity';
import { startLanguages } from '../../i18n';
import { TestResult } from './models/TestResult';

beforeAll(() => startLanguages('ru'));
afterEach(cleanup);

const failed = (detail: string) => ({ ok: false, model: 'm', error_class: 'auth', detail, latency_ms: 1, cost_usd: '0' }) as unknown as SchemaModelTestResponse;

it('marks what a server says of a model as English where there is no translation, and translates what it knows', () => {
  const { rerender } = render(<TestResult result={failed('The key was refused by nobody we know.')} />);
  expect(screen.getByText('The key was refused by nobody we know.').getAttribute('lang')).toBe('en');
  rerender(<TestResult result={failed('must not be empty')} />);
  expect(screen.getByText('не может быть пустым', { exact: false }).querySelector('[lang=en]')).toBeNull();
});

it('does the same with why a call of a model failed, and leaves other texts as they are', () => {
  render(<><Value name="a" value="The model rests." said /><Value name="b" value="What the tool gave." /></>);
  expect(screen.getByText('The model rests.').getAttribute('lang')).toBe('en');
  expect(screen.getByText('What the tool gave.').tagName).toBe('PRE');
});
