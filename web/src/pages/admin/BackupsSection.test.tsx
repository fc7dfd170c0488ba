import { screen } from '@testing-library/react';
import { expect, it, vi } from 'vitest';
import { show, tidyWorld } from '../../testing/world';
import BackupsSection from './BackupsSection';

tidyWorld();

it('asks for the same backup again when the answer was lost, and for one more when another is in the list', async () => {
  const items: { id: string }[] = [];
  const { user, made, cache } = show(<BackupsSection />, {
    'GET /api/v1/backups': () => ({ body: { items: items.map(({ id }) => ({ id, created_at: '2026-01-01T00:00:00Z', problems: [], notes: [], places: [], own: true, valid: null, size: 1 })), next_cursor: null, warnings: [] } }),
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

it('says which backups are without the keys of the server, and once what that means', async () => {
  const backup = (id: string, has_keys: boolean | null, note: string) => ({ id, has_keys, notes: [note], created_at: '2026-01-01T00:00:00Z', verified_at: '2026-01-01T01:00:00Z', problems: [], places: ['local'], own: true, valid: true, size: 1 });
  const items = [backup('b3', false, 'A note of the server.'), backup('b2', true, 'Keep that key elsewhere.'), backup('b1', null, 'There are no keys.')];
  show(<BackupsSection />, { 'GET /api/v1/backups': { body: { items, next_cursor: null, warnings: [] } } });
  expect((await screen.findByText(/Set ROOTMAS_BACKUP_KEY/)).closest('[role=status]')?.textContent).toContain('Without keys');
  expect(screen.queryByText(/A note of the server/)).toBeNull(); // in the reader's language, and without what else the check noted
  const rows = screen.getAllByRole('row').slice(1);
  expect(rows.map((row) => row.textContent.includes('Without keys'))).toEqual([true, false, false]);
  expect(rows.map((row) => row.textContent.includes('Verified'))).toEqual([true, true, true]);
});
