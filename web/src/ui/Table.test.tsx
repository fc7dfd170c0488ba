import { screen, within } from '@testing-library/react';
import { expect, it, vi } from 'vitest';
import { show, tidyWorld } from '../testing/world';
import { EmptyState } from './Layout';
import { Table, type Column } from './Table';

tidyWorld();

interface Row { id: string; name: string; cost: number }
const columns: Column<Row>[] = [{ key: 'name', header: 'Name', cell: (r) => r.name }, { key: 'cost', header: 'Cost', cell: (r) => r.cost, numeric: true }];
const rows = [{ id: '1', name: 'one', cost: 1 }, { id: '2', name: 'two', cost: 2 }];
const table = (more: Partial<Parameters<typeof Table<Row>>[0]>) => <Table<Row> caption="Things" columns={columns} rows={rows} rowKey={(r) => r.id} {...more} />;

it('is a named table with named columns that can be scrolled with keys', async () => {
  show(table({}));
  const found = await screen.findByRole('table', { name: 'Things' });
  expect(within(found).getAllByRole('columnheader').map((h) => h.textContent)).toEqual(['Name', 'Cost']);
  expect(within(found).getAllByRole('cell').map((c) => c.textContent)).toEqual(['one', '1', 'two', '2']);
  expect(screen.getByRole('region', { name: 'Things' }).tabIndex).toBe(0);
});

it('keeps its place while the first rows come, and says that it is busy', async () => {
  show(table({ rows: [], loading: true, empty: <EmptyState title="Nothing" /> }));
  expect((await screen.findByRole('table')).getAttribute('aria-busy')).toBe('true');
  expect(screen.queryByText('Nothing')).toBeNull();
});

it('shows instead of no rows what there would be, and how it comes', async () => {
  const act = vi.fn();
  const { user } = show(table({ rows: [], empty: <EmptyState title="Nothing yet" action={<button type="button" onClick={act}>Make one</button>}>It comes by itself.</EmptyState> }));
  expect(await screen.findByRole('heading', { name: 'Nothing yet' })).toBeTruthy();
  expect(screen.queryByRole('table')).toBeNull();
  await user.click(screen.getByRole('button', { name: 'Make one' }));
  expect(act).toHaveBeenCalledOnce();
});

it('fetches more when asked, and takes no second click meanwhile', async () => {
  const load = vi.fn();
  const { user } = show(<>{table({ more: { load, busy: false } })}{table({ caption: 'Busy things', more: { load, busy: true } })}</>);
  const [ready, busy] = await screen.findAllByRole('button', { name: 'Show more' });
  if (!ready || !busy) throw new Error('Both tables have more.');
  await user.click(ready);
  await user.click(busy);
  expect(load).toHaveBeenCalledOnce();
});

it('still offers what comes after pages of which nothing is shown', async () => {
  const load = vi.fn();
  const { user } = show(table({ rows: [], empty: <EmptyState title="Nothing yet" />, more: { load, busy: false } }));
  await user.click(await screen.findByRole('button', { name: 'Show more' }));
  expect(load).toHaveBeenCalledOnce();
});
