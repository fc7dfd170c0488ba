import { screen, waitFor } from '@testing-library/react';
import { useState } from 'react';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { forgetDrafts, read } from '../../app/storage';
import { ada, show, tidyWorld, type Answer } from '../../testing/world';
import { useConversations } from './data';
import { Thread } from './Thread';

tidyWorld();
beforeEach(() => {
  vi.stubGlobal('matchMedia', () => ({ matches: false, addEventListener: () => undefined, removeEventListener: () => undefined }));
  Element.prototype.scrollTo ??= () => undefined; // jsdom has none
});
afterEach(() => { forgetDrafts(); });

function Chat({ onCreated }: { onCreated: (id: string) => void }) {
  const [away, setAway] = useState(false);
  useConversations(false);
  return <><button type="button" onClick={() => { setAway(true); }}>Elsewhere</button>{away ? null : <Thread conversationId={undefined} onCreated={onCreated} />}</>;
}

it('does not call back whoever went elsewhere while a conversation began, and the list has it', async () => {
  const onCreated = vi.fn();
  let begin: (answer: Answer) => void = () => undefined;
  const { user, made } = show(<Chat onCreated={onCreated} />, {
    'GET /api/v1/conversations': { body: { items: [], next_cursor: null } }, 'GET /api/v1/teams': { body: { items: [] } }, 'GET /api/v1/documents/limits': { body: { max_file_bytes: 1000, kinds: [] } },
    'GET /api/v1/models': { body: { offline: true, notes: [], providers: [], tiers: [], embedding: null, items: [] } },
    'POST /api/v1/conversations': () => new Promise<Answer>((resolve) => { begin = resolve; }),
    'POST /api/v1/conversations/c1/runs': { status: 202, body: { run_id: 'r1', conversation_id: 'c1' } },
  });
  await user.type(await screen.findByLabelText('Message'), 'Hello{Enter}');
  await waitFor(() => { expect(made('POST /api/v1/conversations')).toHaveLength(1); });
  await user.click(screen.getByRole('button', { name: 'Elsewhere' }));
  const before = made('GET /api/v1/conversations').length;
  begin({ status: 201, body: { id: 'c1' } });
  await waitFor(() => { expect(made('GET /api/v1/conversations').length).toBeGreaterThan(before); });
  await waitFor(() => { expect(read('draft', 'new', ada.id)).toBeNull(); });
  expect(made('POST /api/v1/conversations/c1/runs')).toHaveLength(1);
  expect(onCreated).not.toHaveBeenCalled();
});
