import { screen } from '@testing-library/react';
import { expect, it, vi } from 'vitest';
import { show, tidyWorld } from '../../testing/world';
import SecretsSection from './SecretsSection';

tidyWorld();

it('sends no secret whose name would be another address, and says at the field what a name is', async () => {
  const { user, calls, made } = show(<SecretsSection />, {
    'GET /api/v1/secrets': { body: { items: [], next_cursor: null } },
    'GET /api/v1/secrets/models.a': { status: 404, body: {} },
    'PUT /api/v1/secrets/models.a': { status: 201, body: {} },
  });
  await user.click(await screen.findByRole('button', { name: 'Enter a secret' }));
  const name = await screen.findByLabelText('Name');
  await user.type(screen.getByLabelText('Value'), 'v');
  for (const bad of ['', '..', 'a/b', '1a']) {
    await user.clear(name);
    if (bad !== '') await user.type(name, bad);
    await user.click(screen.getByRole('button', { name: 'Save' }));
    expect(await screen.findByText("must begin with a letter and have at most 64 letters, digits, '_', '.' or '-'")).toBeTruthy();
    expect(name.getAttribute('aria-invalid')).toBe('true');
  }
  expect(calls.filter((c) => c.route !== 'GET /api/v1/secrets')).toHaveLength(0);
  await user.clear(name);
  await user.type(name, ' models.a ');
  await user.click(screen.getByRole('button', { name: 'Save' }));
  await vi.waitFor(() => { expect(made('PUT /api/v1/secrets/models.a').map((c) => c.body)).toEqual([{ value: 'v' }]); });
});
