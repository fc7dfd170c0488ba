import { screen } from '@testing-library/react';
import { beforeEach, expect, it, vi } from 'vitest';
import { Problem } from '../../api/problem';
import { show, tidyWorld } from '../../testing/world';
import { Composer } from './Composer';

tidyWorld();
beforeEach(() => { vi.stubGlobal('matchMedia', () => ({ matches: false })); });

it('says why the work could not be stopped, and what to quote', async () => {
  const onStop = () => Promise.reject(new Problem(503, { detail: 'The queue is away.', trace_id: 'trace-9' }));
  const { user } = show(
    <Composer conversationId="c1" team={undefined} choice={{}} onChoice={() => undefined} onSend={() => Promise.resolve(undefined)} onStop={onStop} />,
    { 'GET /api/v1/teams': { body: { items: [] } }, 'GET /api/v1/documents/limits': { body: { max_file_bytes: 1000, kinds: [] } } },
  );
  await user.click(await screen.findByRole('button', { name: 'Stop' }));
  expect(await screen.findByText('That did not work. The queue is away. When you ask for help, quote: trace-9')).toBeTruthy();
});
