import { useQueryClient } from '@tanstack/react-query';
import { screen, waitFor } from '@testing-library/react';
import { expect, it } from 'vitest';
import { show, tidyWorld } from '../../../testing/world';
import ModelsSection from './ModelsSection';

tidyWorld();

const models = { offline: false, notes: [], providers: [{ name: 'openrouter', key_secret: 'models.openrouter', key_variable: null, has_key: false, models: ['m'] }], tiers: [], embedding: null, items: [] };

function Page() {
  const cache = useQueryClient();
  return <><ModelsSection /><button type="button" onClick={() => void cache.invalidateQueries({ queryKey: ['models'] })}>Look</button></>;
}

it('keeps a form that is being filled in when a later look fails, and says that it failed', async () => {
  let away = false;
  const { user } = show(<Page />, { 'GET /api/v1/models': () => away ? { status: 503, body: { detail: 'The database is away.' } } : { body: models } });
  await user.type(await screen.findByLabelText('Key'), 'sk-1');
  away = true;
  await user.click(screen.getByRole('button', { name: 'Look' }));
  expect((await screen.findByRole('alert')).textContent).toContain('The database is away.');
  expect(screen.getByLabelText<HTMLInputElement>('Key').value).toBe('sk-1');
  away = false;
  await user.click(screen.getByRole('button', { name: 'Try again' }));
  await waitFor(() => { expect(screen.queryByRole('alert')).toBeNull(); });
  expect(screen.getByLabelText<HTMLInputElement>('Key').value).toBe('sk-1');
});

it('names what keeps the newest edit of models.yaml from being in force', async () => {
  show(<Page />, { 'GET /api/v1/models': { body: { ...models, problems: ['models.yaml: is empty', 'models.yaml: surprise (line 10): unknown key'] } } });
  expect((await screen.findByText('models.yaml: is empty')).getAttribute('lang')).toBe('en');
  screen.getByText('The newest edit of models.yaml is not in force: 2 errors. The models stay as they were.');
});

it('says alone what failed while there is nothing to show', async () => {
  show(<Page />, { 'GET /api/v1/models': { status: 503, body: { detail: 'The database is away.' } } });
  expect((await screen.findByRole('alert')).textContent).toContain('The database is away.');
  expect(screen.queryByLabelText('Key')).toBeNull();
});

it('says prices to the last digit', async () => {
  const model = { name: 'm', id: 'm', provider: 'p', free: false, input_price: '0.075', output_price: '0.3', context_tokens: 1_000, endpoint: { key_valid: true, reachable: true, circuit: 'closed' } };
  show(<Page />, { 'GET /api/v1/models': { body: { ...models, items: [model] } } });
  expect(await screen.findByText('$0.075 / $0.30')).toBeTruthy();
});
