import { useQuery } from '@tanstack/react-query';
import { screen } from '@testing-library/react';
import { expect, it, vi } from 'vitest';
import { api, data } from '../api/client';
import { show, tidyWorld } from '../testing/world';
import { SetupPage } from './Setup';

tidyWorld();

function First({ onDone }: { onDone: () => void }) {
  const { data: setup } = useQuery({ queryKey: ['setup'], queryFn: () => data(api.GET('/api/v1/auth/setup')) });
  return setup ? setup.open ? <SetupPage onDone={onDone} /> : <h1>Sign in here</h1> : null;
}

it('leads whoever comes too late to where one signs in', async () => {
  const onDone = vi.fn();
  let open = true;
  const { user } = show(<First onDone={onDone} />, { 'GET /api/v1/auth/setup': () => ({ body: { open } }), 'POST /api/v1/auth/setup': { status: 409, body: { code: 'setup_done', detail: 'This server has been set up already.' } } });
  await user.type(await screen.findByLabelText('Setup token'), 'token');
  await user.type(screen.getByLabelText('New password'), 'correct horse');
  await user.type(screen.getByLabelText('The same password again'), 'correct horse');
  open = false;
  await user.click(screen.getByRole('button', { name: 'Create and sign in' }));
  expect((await screen.findByRole('alert')).textContent).toContain('There are users already.');
  await user.click(screen.getByRole('button', { name: 'Sign in' }));
  expect(await screen.findByRole('heading', { name: 'Sign in here' })).toBeTruthy();
  expect(onDone).not.toHaveBeenCalled();
});
