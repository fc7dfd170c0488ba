import { cleanup, render, screen } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { Tooltip } from 'radix-ui';
import { useState } from 'react';
import { afterEach, beforeAll, expect, it, vi } from 'vitest';
import { Problem } from '../api/problem';
import { startLanguages } from '../i18n';
import { ConfirmDialog, Dialog } from './Dialog';
import { Form } from './Form';

beforeAll(() => startLanguages('en'));
afterEach(cleanup);

/** Something that ends when the test says so. */
function act() {
  let [end, fail]: [() => void, (error: Error) => void] = [() => undefined, () => undefined];
  const begin = vi.fn(() => new Promise<void>((resolve, reject) => { [end, fail] = [resolve, reject]; }));
  return { begin, end: () => { end(); }, fail: (error: Error) => { fail(error); } };
}

function Users({ remove }: { remove: () => Promise<void> }) {
  const [name, setName] = useState<string | null>(null);
  return (
    <>
      {['Ada', 'Bo'].map((n) => <button key={n} type="button" onClick={() => { setName(n); }}>Delete {n}</button>)}
      <ConfirmDialog open={name !== null} onClose={() => { setName(null); }} title={`Delete ${name ?? ''}?`} description="For good." action="Delete" onConfirm={remove} />
    </>
  );
}

it('stays while what was confirmed is on its way, and asks about the next one without what went wrong before', async () => {
  const removal = act();
  render(<Tooltip.Provider><Users remove={removal.begin} /></Tooltip.Provider>);
  const user = userEvent.setup();
  await user.click(screen.getByRole('button', { name: 'Delete Ada' }));
  await user.click(screen.getByRole('button', { name: 'Delete' }));
  await user.keyboard('{Escape}');
  expect(screen.getByRole('dialog', { name: 'Delete Ada?' })).toBeTruthy();
  expect(['Cancel', 'Close'].map((name) => screen.getByRole<HTMLButtonElement>('button', { name }).disabled)).toEqual([true, true]);
  removal.fail(new Problem(503, { trace_id: 'trace-3' }));
  expect(await screen.findByText('trace-3')).toBeTruthy();
  await user.keyboard('{Escape}');
  await user.click(await screen.findByRole('button', { name: 'Delete Bo' }));
  expect(screen.getByRole('dialog', { name: 'Delete Bo?' })).toBeTruthy();
  expect(screen.queryByText('trace-3')).toBeNull();
  await user.click(screen.getByRole('button', { name: 'Delete' }));
  removal.end();
  await vi.waitFor(() => { expect(screen.queryByRole('dialog')).toBeNull(); });
});

it('stays while a form in it is being sent', async () => {
  const sending = act();
  const onClose = vi.fn();
  render(<Tooltip.Provider><Dialog open onClose={onClose} title="Edit"><Form submit="Save" onCancel={onClose} fields={[]} onSubmit={sending.begin}>{() => null}</Form></Dialog></Tooltip.Provider>);
  const user = userEvent.setup();
  await user.click(screen.getByRole('button', { name: 'Save' }));
  await user.keyboard('{Escape}');
  expect(screen.getByRole<HTMLButtonElement>('button', { name: 'Cancel' }).disabled).toBe(true);
  expect(onClose).not.toHaveBeenCalled();
  sending.end();
  await vi.waitFor(() => { expect(screen.getByRole('button', { name: 'Save' }).getAttribute('aria-disabled')).toBeNull(); });
  await user.keyboard('{Escape}');
  expect(onClose).toHaveBeenCalledOnce();
});
