import { fireEvent, screen, waitFor } from '@testing-library/react';
import { expect, it, vi } from 'vitest';
import { show, tidyWorld } from '../testing/world';
import { Problem } from '../api/problem';
import { NoAnswerPage, SignInAgain } from './SignIn';

tidyWorld();

async function ended() {
  const [onDone, onLeave] = [vi.fn(), vi.fn()];
  const world = show(<SignInAgain open username="ada" onDone={onDone} onLeave={onLeave} />, { 'POST /api/v1/auth/login': { body: {} } });
  return { ...world, onDone, onLeave, dialog: await screen.findByRole('dialog', { name: 'Your session has ended' }) };
}

it('is not left by Escape, by a click beside it or by a cross: that would take the drafts along', async () => {
  const { user, dialog, onLeave } = await ended();
  await user.keyboard('{Escape}');
  const overlay = dialog.previousElementSibling ?? document.body;
  fireEvent.pointerDown(overlay);
  fireEvent.click(overlay);
  expect(screen.queryByRole('button', { name: 'Close' })).toBeNull();
  expect(screen.getByRole('dialog', { name: 'Your session has ended' })).toBe(dialog);
  expect(onLeave).not.toHaveBeenCalled();
});

it('signs out only when that is asked for, and after it has said what is lost', async () => {
  const { user, onLeave } = await ended();
  await user.click(screen.getByRole('button', { name: 'Sign out' }));
  expect(screen.getByText(/is deleted from this browser/)).toBeTruthy();
  await user.click(screen.getByRole('button', { name: 'Cancel' }));
  expect(screen.queryByText(/is deleted from this browser/)).toBeNull();
  expect(onLeave).not.toHaveBeenCalled();
  await user.click(screen.getByRole('button', { name: 'Sign out' }));
  await user.click(screen.getByRole('button', { name: 'Delete drafts and sign out' }));
  expect(onLeave).toHaveBeenCalledOnce();
});

it('goes on after the password', async () => {
  const { user, onDone, onLeave, made } = await ended();
  await user.type(screen.getByLabelText('Password'), 'secret{Enter}');
  await waitFor(() => { expect(onDone).toHaveBeenCalledOnce(); });
  expect(made('POST /api/v1/auth/login')[0]?.body).toEqual({ username: 'ada', password: 'secret' });
  expect(onLeave).not.toHaveBeenCalled();
});

it('says once that the server does not answer, and what a server says that cannot', async () => {
  const retry = vi.fn();
  const { user } = show(<><NoAnswerPage error={Problem.unreachable(new TypeError('Failed to fetch'))} retry={retry} /><NoAnswerPage error={new Problem(503, { detail: 'It starts.' })} retry={retry} /></>);
  const [silent, telling] = await screen.findAllByRole('main');
  expect(silent?.textContent.match(/The server does not answer|This page tries again/g)).toEqual(['The server does not answer', 'This page tries again']);
  expect(telling?.textContent).toContain('It starts.');
  for (const button of screen.getAllByRole('button', { name: 'Try again' })) await user.click(button);
  expect(retry).toHaveBeenCalledTimes(2);
});
