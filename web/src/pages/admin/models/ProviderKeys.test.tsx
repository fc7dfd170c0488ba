import { QueryClient, QueryClientProvider } from '@tanstack/react-query';
import { cleanup, render, screen } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { afterEach, beforeAll, expect, it, vi } from 'vitest';
import { Problem } from '../../../api/problem';
import { startLanguages } from '../../../i18n';
import { ProviderKeys } from './ProviderKeys';

vi.mock('../../../app/session', () => ({ useSession: () => ({ can: () => true }) }));

const provider = (name: string, has_key: boolean) => ({ name, has_key, key_secret: name, key_variable: `${name.toUpperCase()}_KEY`, models: [`${name}-nano`] });
const setSecret = vi.hoisted(() => vi.fn());
const testModel = vi.hoisted(() => vi.fn());
vi.mock('../secrets', () => ({ setSecret }));
vi.mock('./TestResult', async (real) => ({ ...await real<typeof import('./TestResult')>(), testModel }));

beforeAll(() => startLanguages('en'));
afterEach(() => {
  cleanup();
  vi.resetAllMocks();
});

const result = (ok: boolean) => ({ model: 'a-nano', provider: 'a', ok, latency_ms: 12, input_tokens: 1, output_tokens: 1, cost_usd: '0.00', error_class: ok ? null : 'auth', detail: ok ? null : 'Check the key.' });

function show(providers: Parameters<typeof ProviderKeys>[0]['providers']) {
  const tree = (given: typeof providers) => <QueryClientProvider client={cache}><ProviderKeys providers={given} /></QueryClientProvider>;
  const cache = new QueryClient();
  const { rerender } = render(tree(providers));
  return (given: typeof providers) => { rerender(tree(given)); };
}

it('stores the key as a secret, asks the provider for real, and keeps the key nowhere', async () => {
  testModel.mockResolvedValue(result(true));
  show([provider('a', false)]);
  await userEvent.type(screen.getByLabelText('Key'), 'sk-1');
  await userEvent.click(screen.getByRole('button', { name: 'Save and test' }));
  await screen.findByText('a-nano answers');
  expect(setSecret.mock.calls).toEqual([['a', 'sk-1']]);
  expect(testModel.mock.calls).toEqual([['a-nano']]);
  expect(screen.getByLabelText<HTMLInputElement>('Key').value).toBe('');
});

it('says what a refused key needs, and stays with its provider when that has a key now and another has none', async () => {
  testModel.mockResolvedValue(result(false));
  const update = show([provider('a', false), provider('b', false)]);
  await userEvent.type(screen.getByLabelText('Key'), 'sk-bad');
  await userEvent.click(screen.getByRole('button', { name: 'Save and test' }));
  await screen.findByText('Check the key.');
  update([provider('a', true), provider('b', false)]);
  expect(screen.getByLabelText<HTMLSelectElement>('Provider').value).toBe('a');
});

it('names the variables where no provider takes a key from here', () => {
  show([{ ...provider('a', false), key_secret: null }]);
  expect(screen.getByText(/A_KEY/)).toBeTruthy();
  expect(screen.queryByLabelText('Key')).toBeNull();
});

it('says that the key is stored when the test of it is refused, and forgets that with the next attempt', async () => {
  testModel.mockRejectedValueOnce(new Problem(429, { code: 'rate_limited', trace_id: 't-1' })).mockResolvedValue(result(true));
  show([provider('a', false)]);
  const save = async (key: string) => {
    await userEvent.type(screen.getByLabelText('Key'), key);
    await userEvent.click(screen.getByRole('button', { name: 'Save and test' }));
  };
  await save('sk-1');
  await screen.findByText('The key is stored; the test could not be made');
  screen.getByText('t-1');
  expect(setSecret).toHaveBeenCalledOnce();
  await save('sk-2');
  await screen.findByText('a-nano answers');
  expect(screen.queryByText('t-1')).toBeNull();
});
