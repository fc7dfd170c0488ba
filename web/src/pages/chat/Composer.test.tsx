import { fireEvent, screen, waitFor } from '@testing-library/react';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { useState } from 'react';
import { api } from '../../api/client';
import { Problem } from '../../api/problem';
import type { SchemaDocumentView } from '../../api/schema';
import { useSession } from '../../app/session';
import { SignInAgain } from '../../app/SignIn';
import { forgetDrafts, read, write } from '../../app/storage';
import { attachmentDraft } from '../../chat/attachmentDraft';
import { ada, show, tidyWorld, type Answer } from '../../testing/world';
import { Composer } from './Composer';

const uploads = vi.hoisted((): ((document: SchemaDocumentView) => void)[] => []);
vi.mock('../../api/upload', () => ({ uploadDocument: () => new Promise<SchemaDocumentView>((done) => { uploads.push(done); }) }));

tidyWorld();
beforeEach(() => {
  uploads.length = 0;
  vi.stubGlobal('matchMedia', () => ({ matches: false }));
});
afterEach(() => { forgetDrafts(); });

const server = { 'GET /api/v1/teams': { body: { items: [] } }, 'GET /api/v1/documents/limits': { body: { max_file_bytes: 1000, kinds: [] } } };
const ready = { id: 'd1', status: 'ready', name: 'a.txt', bytes: 1, progress: null, error: null } as unknown as SchemaDocumentView;

it('says why the work could not be stopped, and what to quote', async () => {
  const onStop = () => Promise.reject(new Problem(503, { detail: 'The queue is away.', trace_id: 'trace-9' }));
  const { user } = show(
    <Composer conversationId="c1" team={undefined} choice={{}} onChoice={() => undefined} onSend={() => Promise.resolve(undefined)} onStop={onStop} />, server,
  );
  await user.click(await screen.findByRole('button', { name: 'Stop' }));
  expect(await screen.findByText('That did not work. The queue is away. When you ask for help, quote: trace-9')).toBeTruthy();
});

function Conversation({ id, onSend }: { id: string; onSend: (text: string, files: readonly string[]) => Promise<string | undefined> }) {
  const [away, setAway] = useState(false);
  return (
    <>
      <button type="button" onClick={() => { setAway(!away); }}>{away ? 'Back' : 'Elsewhere'}</button>
      {away ? null : <Composer conversationId={id} team={undefined} choice={{}} onChoice={() => undefined} onSend={onSend} />}
    </>
  );
}

/** A message that waits for a file which is still being uploaded. */
async function held(id: string) {
  const onSend = vi.fn(() => Promise.resolve<string | undefined>(id));
  const { user } = show(<Conversation id={id} onSend={onSend} />, server);
  const box = await screen.findByLabelText('Message');
  attachmentDraft(id, ada.id).add([new File(['x'], 'a.txt')], { limits: undefined, refusal: () => '' });
  await user.type(box, 'Look at this{Enter}');
  await screen.findByRole('button', { name: 'Do not send yet' });
  return { user, onSend };
}

it('sends what waits for its files also when somebody looked elsewhere meanwhile', async () => {
  const { user, onSend } = await held('held-1');
  await user.click(screen.getByRole('button', { name: 'Elsewhere' }));
  uploads[0]?.(ready);
  await waitFor(() => { expect(attachmentDraft('held-1', ada.id).areReady).toBe(true); });
  expect(onSend).not.toHaveBeenCalled();
  await user.click(screen.getByRole('button', { name: 'Back' }));
  await waitFor(() => { expect(onSend.mock.calls).toEqual([['Look at this', ['d1'], false]]); });
  await waitFor(() => { expect(screen.getByLabelText<HTMLTextAreaElement>('Message').value).toBe(''); });
  expect(attachmentDraft('held-1', ada.id).held).toBeNull();
});

it('does not send half of what somebody goes on writing', async () => {
  const { user, onSend } = await held('held-2');
  await user.type(screen.getByLabelText('Message'), ' and at that');
  uploads[0]?.(ready);
  await waitFor(() => { expect(attachmentDraft('held-2', ada.id).areReady).toBe(true); });
  expect(onSend).not.toHaveBeenCalled();
  await user.type(screen.getByLabelText('Message'), '{Enter}');
  await waitFor(() => { expect(onSend.mock.calls).toEqual([['Look at this and at that', ['d1'], false]]); });
});

it('keeps over a reload what was typed while the message was on its way', async () => {
  let sent: (id: string) => void = () => undefined;
  const { user } = show(<Conversation id="typed-1" onSend={() => new Promise<string>((resolve) => { sent = resolve; })} />, server);
  const box = await screen.findByLabelText<HTMLTextAreaElement>('Message');
  await user.type(box, 'First{Enter}');
  await user.clear(box);
  await user.type(box, 'Second');
  sent('typed-1');
  await waitFor(() => { expect(screen.getByRole('button', { name: 'Send' }).getAttribute('aria-disabled')).toBeNull(); });
  expect(box.value).toBe('Second');
  expect(read('draft', 'typed-1', ada.id)).toBe('Second');
});

it('shows a message that is on its way as no unsent one when somebody looked elsewhere meanwhile', async () => {
  const ways: { arrive: (id: string) => void; fail: (error: unknown) => void }[] = [];
  const { user } = show(<Conversation id="way-1" onSend={() => new Promise<string>((arrive, fail) => { ways.push({ arrive, fail }); })} />, server);
  await user.type(await screen.findByLabelText('Message'), 'Hello{Enter}');
  const box = async () => {
    await user.click(screen.getByRole('button', { name: 'Elsewhere' }));
    await user.click(screen.getByRole('button', { name: 'Back' }));
    return screen.getByLabelText<HTMLTextAreaElement>('Message');
  };
  const isBusy = () => screen.getByRole('button', { name: 'Send' }).getAttribute('aria-busy') !== null;
  expect([(await box()).value, isBusy()]).toEqual(['Hello', true]);
  await user.type(screen.getByLabelText('Message'), '{Enter}');
  expect(ways).toHaveLength(1);
  ways[0]?.fail(new Problem(0, { code: 'unreachable' }));
  await waitFor(() => { expect(isBusy()).toBe(false); });
  expect(screen.getByLabelText<HTMLTextAreaElement>('Message').value).toBe('Hello');
  await user.type(screen.getByLabelText('Message'), '{Enter}');
  expect([(await box()).value, ways.length]).toEqual(['Hello', 2]);
  ways[1]?.arrive('way-1');
  await waitFor(() => { expect(screen.getByLabelText<HTMLTextAreaElement>('Message').value).toBe(''); });
  expect([isBusy(), read('draft', 'way-1', ada.id)]).toEqual([false, null]);
});

it('sends nothing with the Enter that ends the writing of a word in another script', async () => {
  const onSend = vi.fn(() => Promise.resolve<string | undefined>('ime'));
  const { user } = show(<Conversation id="ime" onSend={onSend} />, server);
  const box = await screen.findByLabelText('Message');
  await user.type(box, 'nihon');
  fireEvent.keyDown(box, { key: 'Enter', keyCode: 229 }); // Safari says that the writing has ended before it
  fireEvent.keyDown(box, { key: 'Enter', keyCode: 13, isComposing: true });
  expect(onSend).not.toHaveBeenCalled();
  fireEvent.keyDown(box, { key: 'Enter', keyCode: 13 });
  await waitFor(() => { expect(onSend).toHaveBeenCalledWith('nihon', [], false); });
});

function Begins({ sending }: { sending: (text: string) => Promise<string> }) {
  const [id, setId] = useState<string>();
  const onSend = async (text: string) => {
    const into = await sending(text);
    setId(into);
    return into;
  };
  return <Composer conversationId={id} team={undefined} choice={{}} onChoice={() => undefined} onSend={onSend} />;
}

it('takes what was typed while a conversation began into it, and leaves nothing of it to the next new one', async () => {
  let begin: (id: string) => void = () => undefined;
  const { user } = show(<Begins sending={() => new Promise((resolve) => { begin = resolve; })} />, server);
  const box = await screen.findByLabelText<HTMLTextAreaElement>('Message');
  await user.type(box, 'First{Enter}');
  await user.clear(box);
  await user.type(box, 'Second');
  begin('begun-1');
  await waitFor(() => { expect(read('draft', 'begun-1', ada.id)).toBe('Second'); });
  expect([box.value, read('draft', 'new', ada.id)]).toEqual(['Second', null]);
});

it('leaves to a new conversation what another window writes there', async () => {
  let begin: (id: string) => void = () => undefined;
  const { user } = show(<Begins sending={() => new Promise((resolve) => { begin = resolve; })} />, server);
  const box = await screen.findByLabelText<HTMLTextAreaElement>('Message');
  await user.type(box, 'First{Enter}');
  await user.type(box, ' more');
  write('draft', 'new', 'Of another window', ada.id);
  begin('begun-2');
  await waitFor(() => { expect(read('draft', 'begun-2', ada.id)).toBe('First more'); });
  expect(read('draft', 'new', ada.id)).toBe('Of another window');
});

it('begins a line with Enter where the keyboard is on the screen, and sends with the button', async () => {
  vi.stubGlobal('matchMedia', (query: string) => ({ matches: query.includes('coarse') }));
  const onSend = vi.fn(() => Promise.resolve<string | undefined>('c9'));
  const { user } = show(<Conversation id="glass" onSend={onSend} />, server);
  const box = await screen.findByLabelText('Message');
  await user.type(box, 'First{Enter}second');
  expect(onSend).not.toHaveBeenCalled();
  expect(screen.getByText('Enter begins a new line')).toBeTruthy();
  await user.click(screen.getByRole('button', { name: 'Send' }));
  await waitFor(() => { expect(onSend).toHaveBeenCalledWith('First\nsecond', [], false); });
});

function Ends() {
  const { ended, user, signedInAgain } = useSession();
  const onSend = async () => {
    await api.POST('/api/v1/conversations', { body: {} });
    return 'ends';
  };
  return (
    <>
      <button type="button" onClick={() => { api.GET('/api/v1/models').catch(() => undefined); }}>Look</button>
      <input aria-label="Elsewhere" />
      <Composer conversationId="ends" team={undefined} choice={{}} onChoice={() => undefined} onSend={onSend} />
      <SignInAgain open={ended} username={user.username} onDone={signedInAgain} onLeave={() => undefined} />
    </>
  );
}

/** A message is on its way; gives what answers it. */
async function onItsWay() {
  let answer: (answer: Answer) => void = () => undefined;
  const world = show(<Ends />, {
    ...server, 'POST /api/v1/conversations': () => new Promise<Answer>((resolve) => { answer = resolve; }), 'GET /api/v1/models': { status: 401, body: { code: 'token_invalid' } }, 'POST /api/v1/auth/login': { body: {} },
  });
  const box = await screen.findByLabelText<HTMLTextAreaElement>('Message');
  await world.user.type(box, 'Half a question{Enter}');
  await waitFor(() => { expect(world.made('POST /api/v1/conversations')).toHaveLength(1); });
  const arrived = async (given: Answer) => {
    answer(given);
    await waitFor(() => { expect(screen.getByRole('button', { name: 'Send', hidden: true }).getAttribute('aria-busy')).toBeNull(); });
  };
  return { ...world, box, arrived };
}

it.each([['by what was sent', 401], ['before, and it was refused', 401], ['before, and it was accepted', 201]])('leaves the keys to the dialog that asks for the password when the session ended: seen %s', async (seen, status) => {
  const { user, box, arrived } = await onItsWay();
  if (seen !== 'by what was sent') {
    await user.click(screen.getByRole('button', { name: 'Look' }));
    await screen.findByRole('dialog');
  }
  await arrived({ status, body: { code: 'token_invalid' } });
  const dialog = await screen.findByRole('dialog', { name: 'Your session has ended' });
  await waitFor(() => { expect(dialog.contains(document.activeElement)).toBe(true); });
  await user.keyboard('a secret');
  expect(screen.getByLabelText<HTMLInputElement>('Password').value).toBe('a secret');
  const left = status === 401 ? 'Half a question' : '';
  expect([box.value, read('draft', 'ends', ada.id) ?? '']).toEqual([left, left]);
  await user.keyboard('{Enter}');
  await waitFor(() => { expect(screen.queryByRole('dialog')).toBeNull(); });
  expect(screen.queryByRole('alert')).toBeNull();
});

it('takes the focus from nobody who went elsewhere while the message was on its way', async () => {
  const { user, box, arrived } = await onItsWay();
  const elsewhere = screen.getByLabelText('Elsewhere');
  await user.click(elsewhere);
  await arrived({ status: 201, body: { id: 'ends' } });
  expect(document.activeElement).toBe(elsewhere);
  await user.type(box, 'Again');
  await user.click(screen.getByRole('button', { name: 'Send' }));
  await arrived({ status: 201, body: { id: 'ends' } });
  await waitFor(() => { expect(document.activeElement).toBe(box); });
});

it('promises nothing of a message that the server did not confirm', async () => {
  const { arrived } = await onItsWay();
  await arrived({ status: 502 });
  const notice = await screen.findByRole('alert');
  expect(notice.textContent).toContain('The server did not confirm it. Try again when it is back.');
  expect(notice.textContent).not.toContain('tries again');
});
