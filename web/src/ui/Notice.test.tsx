import { screen } from '@testing-library/react';
import { expect, it } from 'vitest';
import { Problem } from '../api/problem';
import { show, tidyWorld } from '../testing/world';
import { ErrorNotice, ReadNotice } from './Notice';

tidyWorld();

async function said(error: unknown): Promise<string> {
  show(<ErrorNotice error={error} />);
  return (await screen.findByRole('alert')).textContent;
}

it('says that a server does not answer only of a server', async () => {
  const text = await said(new TypeError('x is undefined'));
  expect(text).not.toContain('The server does not answer');
  expect(text).toContain('This page made a mistake');
  expect(text).toContain('x is undefined');
});

it.each([Problem.unreachable(new TypeError('Failed to fetch')), new Problem(502, {})])('says it of a call that came to nothing, and of a proxy that has no server', async (error) => {
  expect(await said(error)).toContain('The server does not answer');
});

it('passes on what a server says that cannot just now', async () => {
  const text = await said(new Problem(503, { title: 'Unavailable', detail: 'No model is reachable; add a key.' }));
  expect(text).toContain('No model is reachable; add a key.');
  expect(text).not.toContain('The server does not answer');
});

it('says that the page tries again only of what it looks for by itself', async () => {
  show(<><ReadNotice of={{ error: Problem.unreachable(null), refetch: () => undefined }} /><ErrorNotice error={Problem.unreachable(null)} /></>);
  const said = (await screen.findAllByRole('alert')).map((notice) => notice.textContent);
  expect(said.map((text) => text.includes('This page tries again'))).toEqual([true, false]);
  expect(said.map((text) => text.includes('The server did not confirm it.'))).toEqual([false, true]);
});
