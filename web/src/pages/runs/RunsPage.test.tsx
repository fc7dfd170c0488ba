import { screen } from '@testing-library/react';
import { expect, it } from 'vitest';
import en from '../../i18n/en.json';
import { show, tidyWorld } from '../../testing/world';
import RunsPage from './RunsPage';

tidyWorld();

it('offers every agent as a filter, also those beyond the first page of them', async () => {
  show(<RunsPage />, {
    'GET /api/v1/runs': { body: { items: [], next_cursor: null } },
    'GET /api/v1/users': { body: { items: [], next_cursor: null } },
    'GET /api/v1/agents': ({ query }) => ({ body: query.has('cursor') ? { items: [{ name: 'a_late_one' }], problems: [], next_cursor: null } : { items: [{ name: 'meta' }], problems: [], next_cursor: 'more' } }),
  });
  expect(await screen.findByRole('option', { name: 'a_late_one' })).toBeTruthy();
  expect(screen.getByRole('option', { name: 'meta' })).toBeTruthy();
  expect(screen.getByLabelText('Agent').querySelector('option')?.textContent).toBe(en.runs.anyAgent);
});
