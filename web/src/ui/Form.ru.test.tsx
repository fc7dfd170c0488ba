import { cleanup, render, screen } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { Tooltip } from 'radix-ui';
import { afterEach, beforeAll, expect, it } from 'vitest';
import { Problem } from '../api/problem';
import { startLanguages } from '../i18n';
import { TextField } from './Field';
import { Form } from './Form';

beforeAll(() => startLanguages('ru'));
afterEach(cleanup);

it('tells in the language of the page what is wrong with a field, and marks what it does not know as English', async () => {
  const user = userEvent.setup();
  const errors = { password: ['must be 8 to 256 characters long', 'must rhyme'], other: ['must not be empty'] };
  render(
    <Tooltip.Provider>
      <Form submit="OK" fields={['password']} onSubmit={() => Promise.reject(new Problem(400, { code: 'validation_failed', errors }))}>{(of) => <TextField label="P" errors={of('password')} />}</Form>
    </Tooltip.Provider>,
  );
  await user.click(screen.getByRole('button', { name: 'OK' }));
  const said = document.getElementById(screen.getByLabelText('P').getAttribute('aria-describedby') ?? '');
  expect([...said?.children ?? []].map((message) => [message.textContent, message.querySelector('[lang]')?.getAttribute('lang')])).toEqual([['нужно от 8 до 256 символов', undefined], ['must rhyme', 'en']]);
  expect(screen.getByText('не может быть пустым', { exact: false }).textContent.trim()).toBe('other не может быть пустым');
});
