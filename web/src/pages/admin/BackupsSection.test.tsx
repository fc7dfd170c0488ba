import { screen } from '@testing-library/react';
import { expect, it, vi } from 'vitest';
import { show, tidyWorld } from '../../testing/world';
import BackupsSection from './BackupsSection';

tidyWorld();

it('asks for the same backup again when the answer was lost, and for one more when another is in the list', async () => {
  const items: { id: string }[] = [];
  const { user, made, cache } = show(<BackupsSection />, {
    'GET /api/v1/backups': () => ({ body: { items: items.map(({ id }) => ({ id, created_at: '2026-01-01T00:00:00Z', problems: [], places: [], valid: null, size: 1 })), next_cursor: null, warnings: [] } }),
    'POST /api/v1/backups': () => { throw new TypeError('Failed to fetch'); },
  });
  const make = async (times: number) => {
    await user.click(await screen.findByRole('button', { name: 'Make a backup' }));
    await vi.waitFor(() => { expect(made('POST /api/v1/backups')).toHaveLength(times); });
    await vi.waitFor(() => { expect(screen.getByRole('button', { name: 'Make a backup' }).getAttribute('aria-busy')).toBeNull(); });
  };
  await make(1);
  await make(2);
  items.push({ id: 'b1' });
  await cache.invalidateQueries({ queryKey: ['backups'] });
  await screen.findByRole('button', { name: /b1/ });
  await make(3);
  const [first, again, other] = made('POST /api/v1/backups').map((call) => call.key);
  expect([again === first, other === first]).toEqual([true, false]);
});
