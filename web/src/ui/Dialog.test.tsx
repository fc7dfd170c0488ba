import { cleanup, render, screen } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { Tooltip } from 'radix-ui';
import { useEffect, useState } from 'react';
import { createMemoryRouter, Link, Outlet, RouterProvider } from 'react-router';
import { afterEach, beforeAll, expect, it, vi } from 'vitest';
import { Problem } from '../api/problem';
import { AsksBack } from '../app/AsksBack';
import { Shortcuts } from '../app/Shortcuts';
import { startLanguages } from '../i18n';
import { ConfirmDialog, Dialog } from './Dialog';
import { TextField } from './Field';
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

/** What it edits may have to be read first. */
function Late({ read }: { read: Promise<void> }) {
  const [isThere, setThere] = useState(false);
  useEffect(() => { void read.then(() => { setThere(true); }); }, [read]);
  return isThere ? <Form submit="Save" fields={[]} onSubmit={() => Promise.resolve()}>{() => <TextField label="Prompt" defaultValue="" />}</Form> : <p>Reading</p>;
}

it('begins in the first field, also of a form that had to be read first, and keeps the focus from what is behind it', async () => {
  let found: () => void = () => undefined;
  const read = new Promise<void>((resolve) => { found = resolve; });
  render(<Tooltip.Provider><input aria-label="Behind" /><Dialog open onClose={() => undefined} title="A prompt"><Late read={read} /></Dialog></Tooltip.Provider>);
  const behind = screen.getByLabelText('Behind');
  behind.focus();
  expect(document.activeElement).toBe(screen.getByRole('dialog'));
  found();
  await vi.waitFor(() => { expect(document.activeElement).toBe(screen.getByLabelText('Prompt')); });
  behind.focus();
  expect(document.activeElement).toBe(screen.getByLabelText('Prompt'));
});

const sources = import.meta.glob<string>(['../**/*.tsx', '!../**/*.test.tsx'], { query: '?raw', import: 'default', eager: true });

it('has no field that takes the focus by itself: until the next one has it, the dialog would let it go to whatever asks for it', () => {
  const taking = Object.entries(sources).filter(([, source]) => source.split('\n').some((line) => /\sautoFocus\b/.test(line) && !/<(?:Icon)?Button\b/.test(line))).map(([file]) => file);
  expect(taking.sort()).toEqual(['../app/Setup.tsx', '../app/SignIn.tsx', '../pages/chat/Messages.tsx']); // on pages: the token, the name, a message that is edited
});

function Editor({ save = () => Promise.resolve() }: { save?: () => Promise<unknown> }) {
  const [open, setOpen] = useState(false);
  const [text, setText] = useState('');
  const close = () => { setOpen(false); };
  return (
    <>
      <button type="button" onClick={() => { setOpen(true); }}>Edit</button>
      <Dialog open={open} onClose={close} title="A prompt">
        <Form submit="Save" onCancel={close} fields={[]} onSubmit={save}>{() => <TextField label="Prompt" value={text} onChange={(e) => { setText(e.target.value); }} />}</Form>
      </Dialog>
    </>
  );
}

const prompt = () => screen.queryByRole('dialog', { name: 'A prompt' });
const question = () => screen.findByRole('dialog', { name: 'Leave without saving?' });

it.each([['Escape', '{Escape}'], ['the cross', 'Close'], ['the button', 'Cancel']])('asks before %s takes away what was typed', async (_, way) => {
  render(<Tooltip.Provider><Editor /></Tooltip.Provider>);
  const user = userEvent.setup();
  const leave = () => way === '{Escape}' ? user.keyboard(way) : user.click(screen.getByRole('button', { name: way }));
  await user.click(screen.getByRole('button', { name: 'Edit' }));
  await leave();
  expect(prompt()).toBeNull(); // nothing was typed: nothing to ask
  await user.click(screen.getByRole('button', { name: 'Edit' }));
  await user.type(screen.getByLabelText('Prompt'), 'An hour of work');
  await leave();
  await question();
  await user.click(screen.getByRole('button', { name: 'Go on editing' }));
  expect(screen.getByLabelText<HTMLInputElement>('Prompt').value).toBe('An hour of work');
  await leave();
  await question();
  await user.click(screen.getByRole('button', { name: 'Discard it' }));
  await vi.waitFor(() => { expect(screen.queryByRole('dialog')).toBeNull(); expect(document.activeElement).toBe(screen.getByRole('button', { name: 'Edit' })); });
});

it('is not closed by a click beside it when something was typed, and asks nothing when it was sent, unless it was not', async () => {
  const saves: unknown[] = [false, true];
  render(<Tooltip.Provider><Editor save={() => Promise.resolve(saves.shift())} /></Tooltip.Provider>);
  const user = userEvent.setup({ pointerEventsCheck: 0 });
  await user.click(screen.getByRole('button', { name: 'Edit' }));
  await user.type(screen.getByLabelText('Prompt'), 'An hour of work');
  await new Promise((done) => { setTimeout(done, 0); }); // only then does Radix listen to what happens outside
  await user.click(document.body);
  expect(screen.getAllByRole('dialog')).toEqual([prompt()]);
  await user.click(screen.getByRole('button', { name: 'Save' }));
  await user.keyboard('{Escape}');
  await question();
  await user.click(screen.getByRole('button', { name: 'Go on editing' }));
  await user.click(screen.getByRole('button', { name: 'Save' }));
  await user.keyboard('{Escape}');
  expect(screen.queryByRole('dialog')).toBeNull();
});

it.each(['the way back in the browser', 'a shortcut'])('asks before %s takes away what was typed', async (way) => {
  const router = createMemoryRouter([{ element: <><Outlet /><AsksBack /><Shortcuts /></>, children: [{ path: '/', element: <Link to="/agent">On</Link> }, { path: '/agent', element: <Editor /> }] }]);
  render(<Tooltip.Provider><RouterProvider router={router} /></Tooltip.Provider>);
  const user = userEvent.setup();
  const leave = () => way === 'a shortcut' ? user.keyboard('{Control>}{Shift>}O{/Shift}{/Control}') : router.navigate(-1);
  await user.click(await screen.findByRole('link', { name: 'On' }));
  await user.click(await screen.findByRole('button', { name: 'Edit' }));
  await user.type(screen.getByLabelText('Prompt'), 'An hour of work');
  void leave();
  await question();
  await user.click(screen.getByRole('button', { name: 'Go on editing' }));
  expect([prompt() === null, router.state.location.pathname]).toEqual([false, '/agent']);
  void leave();
  await question();
  await user.click(screen.getByRole('button', { name: 'Discard it' }));
  expect(await screen.findByRole('link', { name: 'On' })).toBeTruthy();
  expect(screen.queryByRole('dialog')).toBeNull();
});

function Secrets() {
  const [names, setNames] = useState(['Alpha', 'Beta', 'Gamma']);
  const [name, setName] = useState<string | null>(null);
  return (
    <main>
      <h1 tabIndex={-1} data-page-title>Secrets</h1>
      {names.length > 0 ? <table><tbody>{names.map((n) => <tr key={n}><td><button type="button" onClick={() => { setName(n); }}>Remove {n}</button></td></tr>)}</tbody></table> : null}
      <ConfirmDialog open={name !== null} onClose={() => { setName(null); }} title="Remove it?" description="For good." action="Remove" onConfirm={() => { setNames(names.filter((n) => n !== name)); return Promise.resolve(); }} />
    </main>
  );
}

it('leaves the focus where the deleted row was, at the end of the list at the last one, and without any at the title', async () => {
  render(<Tooltip.Provider><Secrets /></Tooltip.Provider>);
  const user = userEvent.setup();
  for (const [gone, next] of [['Beta', 'Remove Gamma'], ['Gamma', 'Remove Alpha'], ['Alpha', 'Secrets']]) {
    screen.getByRole('button', { name: `Remove ${gone ?? ''}` }).focus();
    await user.keyboard('{Enter}');
    screen.getByRole('button', { name: 'Remove' }).focus();
    await user.keyboard('{Enter}');
    await vi.waitFor(() => { expect([screen.queryByRole('dialog'), document.activeElement?.textContent]).toEqual([null, next]); });
  }
});
