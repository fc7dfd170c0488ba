import { screen } from '@testing-library/react';
import { useState } from 'react';
import { beforeEach, expect, it, vi } from 'vitest';
import type { Source } from '../../chat/citations';
import { show, tidyWorld, type Answer, type Server } from '../../testing/world';
import { SourcePanel } from './SourcePanel';

tidyWorld();
beforeEach(() => { Element.prototype.scrollIntoView = vi.fn(); });

const source: Source = { documentId: 'd1', title: 'travel-rules.md', page: null, excerpt: '28 days', start: 10, end: 17 };
const route = 'GET /api/v1/documents/d1/text';
const text = 'There are 28 days of leave.';
const whole: Answer = { body: { document_id: 'd1', start: 0, end: text.length, characters: text.length, text } };

/** The panel beside the conversation, or over it on a small screen; once it is closed it can be opened again. */
function opened(server: Server, isWide = true) {
  vi.stubGlobal('matchMedia', () => ({ matches: isWide, addEventListener: () => undefined, removeEventListener: () => undefined }));
  function Panel() {
    const [isOpen, setOpen] = useState(true);
    return isOpen ? <SourcePanel source={source} onClose={() => { setOpen(false); }} /> : <button type="button" onClick={() => { setOpen(true); }}>Open the source</button>;
  }
  return show(<Panel />, server);
}

const marked = async () => (await screen.findByRole('region', { name: 'Text of travel-rules.md' })).querySelector('mark')?.textContent;

it.each([true, false])('says that the document is gone, or not for this reader any more, keeps what the answer had of it, and asks anew when it is opened again (beside: %s)', async (isWide) => {
  for (const [status, code] of [[404, 'document_not_found'], [403, 'forbidden']] as const) {
    let isThere = false;
    const { user, made } = opened({ [route]: () => isThere ? whole : { status, body: { code, trace_id: `trace-${status}` } } }, isWide);
    const panel = await screen.findByRole(isWide ? 'complementary' : 'dialog', { name: isWide ? 'Source' : 'travel-rules.md' });
    expect(await screen.findByText('The document is no longer there')).toBeTruthy();
    for (const said of ['It was deleted, or you may no longer read it.', '28 days', `trace-${status}`, 'travel-rules.md']) expect(panel.textContent).toContain(said);
    expect(made(route)).toHaveLength(1);
    isThere = true;
    await user.click(screen.getByRole('button', { name: 'Close' }));
    await user.click(await screen.findByRole('button', { name: 'Open the source' }));
    expect(await marked()).toBe('28 days');
    await user.click(screen.getByRole('button', { name: 'Close' }));
    expect(await screen.findByRole('button', { name: 'Open the source' })).toBeTruthy();
    document.body.replaceChildren();
  }
});

it.each<[string, () => Answer | Promise<Answer>, RegExp]>([
  ['the network is away', () => Promise.reject(new TypeError('away')), /The server does not answer/],
  ['the server fails', () => ({ status: 503, body: { code: 'unavailable', trace_id: 'trace-5' } }), /trace-5/],
  ['the document is still being read', () => ({ status: 409, body: { code: 'document_not_ready' } }), /not ready|being read/i],
])('says that %s, keeps what the answer had of it, and can be tried again', async (_, failure, said) => {
  let isThere = false;
  const { user } = opened({ [route]: () => isThere ? whole : failure() });
  const again = await screen.findByRole('button', { name: 'Try again' });
  const panel = screen.getByRole('complementary', { name: 'Source' });
  expect(panel.textContent).toMatch(said);
  expect(panel.textContent).toContain('28 days');
  await user.click(again);
  expect(panel.textContent).toMatch(said);
  isThere = true;
  await user.click(await screen.findByRole('button', { name: 'Try again' }));
  expect(await marked()).toBe('28 days');
});
