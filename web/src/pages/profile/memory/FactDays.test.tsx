import { fireEvent, screen, within } from '@testing-library/react';
import { expect, it, vi } from 'vitest';
import { show, tidyWorld } from '../../../testing/world';
import { dayOf, type Fact } from './facts';
import MemoryPage from './MemoryPage';

tidyWorld();

const fact = (id: string, text: string, more: Partial<Fact>): Fact => ({
  id, text, status: 'active', scope: 'user', author_kind: 'agent', author: 'communicator', confidence: 80, sensitivity: 'normal', tainted: false, valid_from: '2026-01-01T12:00:00Z',
  source: { conversation_id: 'c1', message_id: 'm1', run_id: 'r1', excerpt: 'I moved to Kazan' }, created_at: '2026-01-01T12:00:00Z', updated_at: '2026-01-01T12:00:00Z', ...more,
});

it.each(['Europe/Moscow', 'America/Los_Angeles', 'Pacific/Kiritimati'])('shows the day that was entered, seen from %s', async (zone) => {
  vi.stubEnv('TZ', zone);
  try {
    let facts: Fact[] = [];
    const { user } = show(<MemoryPage />, {
      'GET /api/v1/memory': ({ query }) => ({ body: { items: query.get('status') === 'active' ? facts : [], next_cursor: null } }),
      'POST /api/v1/memory': ({ body }) => {
        facts = [fact('f1', 'Lives in Kazan', body as Partial<Fact>), fact('f2', 'Is on a journey', { valid_until: '2026-06-20T00:00:00Z' })];
        return { status: 201, body: facts[0] };
      },
      'GET /api/v1/memory/f1': () => ({ body: facts[0], etag: '"1"' }),
    });
    await user.click(await screen.findByRole('button', { name: 'Remember a fact' }));
    await user.type(await screen.findByLabelText('Fact'), 'Lives in Kazan');
    fireEvent.change(screen.getByLabelText('True until'), { target: { value: '2026-05-10' } });
    await user.click(within(screen.getByRole('dialog')).getByRole('button', { name: 'Remember a fact' }));
    expect((await screen.findByRole('row', { name: /Lives in Kazan/ })).textContent).toContain('May 10, 2026');
    // A day as the reading of a conversation writes it.
    expect(screen.getByRole('row', { name: /Is on a journey/ }).textContent).toContain('Jun 20, 2026');
    await user.click(screen.getByRole('button', { name: 'Correct: Lives in Kazan' }));
    expect((await screen.findByLabelText<HTMLInputElement>('True until')).value).toBe('2026-05-10');
  } finally {
    vi.unstubAllEnvs();
  }
});

it.each([['Europe/Moscow', '2026-05-11'], ['America/Los_Angeles', '2026-05-10']])('takes a moment for the day that it lies in, seen from %s', (zone, day) => {
  vi.stubEnv('TZ', zone);
  try {
    expect(dayOf('2026-05-10T22:30:00Z')).toBe(day);
  } finally {
    vi.unstubAllEnvs();
  }
});
