import { cleanup, render, screen, within } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { Tooltip } from 'radix-ui';
import { afterEach, beforeAll, expect, it, vi } from 'vitest';
import { Problem } from '../../api/problem';
import type { Attachment } from '../../chat/attachments';
import { startLanguages } from '../../i18n';
import { AttachmentChips } from './Attachments';

beforeAll(() => startLanguages('en'));
afterEach(cleanup);

const file = (key: string, more: Partial<Attachment> = {}): Attachment => ({ key, name: `${key}.md`, bytes: 2_000, state: 'uploading', sent: 0, stage: '', done: 0, total: 0, documentId: null, problem: null, ...more });

it('shows of each file how far it is, why it failed, and what one can do', async () => {
  const [retry, remove] = [vi.fn(), vi.fn()];
  const items = [
    file('a', { sent: 500 }), file('b', { state: 'indexing', stage: 'embedding', done: 1, total: 2, documentId: 'd' }), file('c', { state: 'ready', documentId: 'e' }),
    file('d', { state: 'failed', problem: new Problem(422, { detail: 'The PDF is protected by a password.' }) }), file('e', { state: 'failed', problem: 'interrupted' }),
  ];
  render(<Tooltip.Provider><AttachmentChips items={items} limits="Up to 25 MB each." canRetry={(key) => key === 'd'} onRetry={retry} onRemove={remove} /></Tooltip.Provider>);
  const chips = within(screen.getByRole('list', { name: 'Files of the message' })).getAllByRole('listitem');
  const bar = (i: number) => within(chips[i] as HTMLElement).queryByRole('progressbar');
  expect(chips[0]?.textContent).toContain('25% of 2 kB');
  expect(bar(0)?.getAttribute('value')).toBe('0.25');
  expect(chips[1]?.textContent).toContain('Is being indexed 50%');
  expect(bar(2)).toBeNull();
  expect(chips[3]?.textContent).toContain('The PDF is protected by a password.');
  expect(chips[4]?.textContent).toContain('choose it again');
  expect(screen.getByRole('status').textContent).toBe('1 of 5 files are ready, 2 failed');
  expect(screen.queryByRole('button', { name: 'Try e.md again' })).toBeNull();
  const user = userEvent.setup();
  await user.click(screen.getByRole('button', { name: 'Try d.md again' }));
  await user.click(screen.getByRole('button', { name: 'Take a.md out' }));
  expect([retry.mock.calls, remove.mock.calls]).toEqual([[['d']], [['a']]]);
});
