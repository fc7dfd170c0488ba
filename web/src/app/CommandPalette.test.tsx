import { screen } from '@testing-library/react';
import { Route, Routes } from 'react-router';
import { expect, it } from 'vitest';
import { show, tidyWorld } from '../testing/world';
import { CommandPalette } from './CommandPalette';
import { showPalette } from './shortcuts';

tidyWorld();

const conversation = (id: string, title: string) => ({ id, title, archived: false, pinned: false, folder: null });
const page = <Routes><Route path="/c/:id" element={<h1>The conversation</h1>} /><Route path="*" element={<CommandPalette />} /></Routes>;
const server = {
  'GET /api/v1/approvals': { body: { items: [] } },
  'GET /api/v1/conversations': ({ query }: { query: URLSearchParams }) => ({ body: query.get('cursor') ? { items: query.get('search') === 'perm hotel' ? [conversation('c2', 'Hotels in Perm')] : [], next_cursor: null } : { items: [], next_cursor: 'more' } }),
};

it('finds a conversation by words of its title, however far back it lies, and opens it', async () => {
  const { user, made } = show(page, server);
  await expect.poll(() => { showPalette(); return screen.queryByRole('combobox'); }).not.toBeNull();
  expect(made('GET /api/v1/conversations')).toHaveLength(0);
  await user.type(screen.getByRole('combobox'), 'perm hotel');
  expect((await screen.findByRole('option')).textContent).toBe('Conversation: Hotels in Perm');
  await user.keyboard('{Enter}');
  expect(await screen.findByRole('heading', { name: 'The conversation' })).toBeTruthy();
});

it('says that nothing has that name when everything was looked at', async () => {
  const { user } = show(page, server);
  await expect.poll(() => { showPalette(); return screen.queryByRole('combobox'); }).not.toBeNull();
  await user.type(screen.getByRole('combobox'), 'zzz');
  expect(await screen.findByText('Nothing has that name.')).toBeTruthy();
  expect(screen.queryByRole('option')).toBeNull();
});

it('takes the focus, keeps it, and gives it back', async () => {
  const { user } = show(<><input aria-label="Behind" />{page}</>, server);
  const behind = await screen.findByLabelText('Behind');
  await user.click(behind);
  await user.keyboard('{Control>}k{/Control}');
  await expect.poll(() => document.activeElement).toBe(screen.getByRole('combobox'));
  behind.focus();
  expect(document.activeElement).toBe(screen.getByRole('combobox'));
  await user.keyboard('{Escape}');
  await expect.poll(() => document.activeElement).toBe(behind);
});
