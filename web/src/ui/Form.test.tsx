import { cleanup, render, screen } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { Tooltip } from 'radix-ui';
import { afterEach, beforeAll, expect, it, vi } from 'vitest';
import { Problem } from '../api/problem';
import { startLanguages } from '../i18n';
import { TextField } from './Field';
import { Form } from './Form';

beforeAll(() => startLanguages('en'));
afterEach(cleanup);

type Props = Omit<Parameters<typeof Form>[0], 'children' | 'submit' | 'fields'> & { fields?: readonly string[] };

function show(props: Props) {
  render(
    <Tooltip.Provider>
      <Form submit="Save" fields={['first', 'second']} {...props}>
        {(errors) => (
          <>
            <TextField label="First" errors={errors('first')} />
            <TextField label="Second" errors={errors('second')} />
          </>
        )}
      </Form>
    </Tooltip.Provider>,
  );
  return userEvent.setup();
}

const save = () => screen.getByRole('button', { name: 'Save' });
const second = () => screen.getByLabelText('Second');

it('shows each refusal at its field, tells assistive technology, and goes to the first one', async () => {
  const user = show({ onSubmit: () => Promise.reject(new Problem(400, { title: 'Not valid', errors: { second: ['is too short'] } })) });
  await user.click(save());
  expect(second().getAttribute('aria-invalid')).toBe('true');
  expect(document.getElementById(second().getAttribute('aria-describedby') ?? '')?.textContent).toBe('is too short');
  expect(document.activeElement).toBe(second());
  expect(screen.getByLabelText('First').getAttribute('aria-invalid')).toBeNull();
  expect(screen.queryByText('Not valid')).toBeNull(); // said at the field, not twice
});

it('shows what is wrong with a field that it does not have', async () => {
  const user = show({ onSubmit: () => Promise.reject(new Problem(400, { title: 'Not valid', errors: { third: ['is not for you'] } })) });
  await user.click(save());
  expect(screen.getAllByRole('alert').some((a) => a.textContent.includes('third') && a.textContent.includes('is not for you'))).toBe(true);
});

it('shows what is wrong with a field that is its own, but not on the page at the moment, until that is mended', async () => {
  const refusals: Record<string, string[]>[] = [{ second: ['is too short'], hidden: ['is for others'] }, { second: ['is too short'] }];
  const user = show({ fields: ['first', 'second', 'hidden'], onSubmit: () => Promise.reject(new Problem(400, { title: 'Not valid', errors: refusals.shift() })) });
  await user.click(save());
  expect(screen.getAllByRole('alert').some((a) => a.textContent.includes('hidden') && a.textContent.includes('is for others'))).toBe(true);
  expect(screen.getByText('Not valid')).toBeTruthy();
  expect(screen.getAllByText('is too short')).toHaveLength(1);
  await user.click(save());
  await vi.waitFor(() => { expect(screen.queryByText('Not valid')).toBeNull(); });
  expect(screen.getAllByText('is too short')).toHaveLength(1);
});

it('sends once, however often one presses, and can be sent again after a failure', async () => {
  let fail: (error: Error) => void = () => undefined;
  const onSubmit = vi.fn(() => new Promise((_, reject) => { fail = reject; }));
  const user = show({ onSubmit });
  await user.click(save());
  await user.click(save());
  await user.type(second(), '{Enter}');
  expect(onSubmit).toHaveBeenCalledTimes(1);
  fail(new Problem(503, { title: 'Not now', trace_id: 'abc123' }));
  expect(await screen.findByText(/abc123/)).toBeTruthy();
  await user.click(save());
  expect(onSubmit).toHaveBeenCalledTimes(2);
});

it('asks what shall hold when somebody else was quicker: theirs', async () => {
  const onReload = vi.fn();
  const user = show({ onSubmit: () => Promise.reject(new Problem(412, {})), onReload, onOverwrite: () => Promise.resolve() });
  await user.click(save());
  await user.click(await screen.findByRole('button', { name: 'Show the new version' }));
  expect(onReload).toHaveBeenCalledOnce();
  expect(screen.queryByRole('dialog')).toBeNull();
});

it('asks what shall hold when somebody else was quicker: mine, sent by that word only', async () => {
  const onOverwrite = vi.fn(() => Promise.resolve());
  const user = show({ onSubmit: () => Promise.reject(new Problem(412, {})), onReload: () => undefined, onOverwrite });
  await user.click(save());
  expect(onOverwrite).not.toHaveBeenCalled();
  await user.click(await screen.findByRole('button', { name: 'Save mine over it' }));
  expect(onOverwrite).toHaveBeenCalledOnce();
});

it('a conflict of a form that knows no way out is an error like any other', async () => {
  const user = show({ onSubmit: () => Promise.reject(new Problem(412, { title: 'Changed meanwhile' })) });
  await user.click(save());
  expect(await screen.findByText('Changed meanwhile')).toBeTruthy();
  expect(screen.queryByRole('dialog')).toBeNull();
});
