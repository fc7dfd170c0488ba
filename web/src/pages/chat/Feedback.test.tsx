import { useQuery, useQueryClient } from '@tanstack/react-query';
import { screen, waitFor } from '@testing-library/react';
import { expect, it } from 'vitest';
import { show, tidyWorld, type Server } from '../../testing/world';
import type { Message } from './data';
import { Feedback } from './Feedback';
import { MessageHits } from './MessageHits';

tidyWorld();

const message: Message = { id: 'm1', branch_id: 'b', role: 'assistant', content: 'An answer', status: 'complete', tainted: false, citations: [], created_at: '2026-01-01T00:00:00Z' };
const kept = (score: number, reason: string | null = null) => ({ message_id: 'm1', score, reason, updated_at: '2026-01-01T00:00:00Z' });

/** The message as the conversation's page has it: read from the cache. */
function Row({ first }: { first: Message }) {
  const cache = useQueryClient();
  const all = useQuery({ queryKey: ['messages', 'c1'], queryFn: () => cache.getQueryData<Message[]>(['messages', 'c1']) ?? [first], initialData: [first], staleTime: Infinity });
  return all.data.map((m) => <Feedback key={m.id} message={m} />);
}

const pressed = async (name: string) => (await screen.findByRole('button', { name })).getAttribute('aria-pressed');
const route = 'POST /api/v1/messages/m1/feedback';
const answers = (server: Server[string]): Server => ({ [route]: server });

it('shows what was said before, with its reason', async () => {
  const { user } = show(<Row first={{ ...message, feedback: kept(-1, 'No source') }} />);
  expect([await pressed('Good answer'), await pressed('Bad answer')]).toEqual(['false', 'true']);
  await user.click(screen.getByRole('button', { name: 'Bad answer' }));
  expect(screen.getByLabelText<HTMLTextAreaElement>('Reason (optional)').value).toBe('No source');
});

it('keeps what is said where the conversation is read from', async () => {
  const { user, made } = show(<Row first={message} />, answers({ body: kept(1) }));
  expect(await pressed('Good answer')).toBe('false');
  await user.click(screen.getByRole('button', { name: 'Good answer' }));
  expect(await screen.findByRole('button', { name: 'Good answer', pressed: true })).toBeTruthy();
  expect(made(route).map((c) => c.body)).toEqual([{ score: 1 }]);
});

it('is given while messages are searched for', async () => {
  const { user } = show(<><Row first={message} /><MessageHits search="answer" archived={false} onChosen={() => undefined} /></>, { ...answers({ body: kept(1) }), 'GET /api/v1/messages': { body: { items: [], next_cursor: null } } });
  expect(await screen.findByText('No message has these words.')).toBeTruthy();
  await user.click(screen.getByRole('button', { name: 'Good answer' }));
  expect(await screen.findByRole('button', { name: 'Good answer', pressed: true })).toBeTruthy();
  expect(screen.queryByText(/That did not work/)).toBeNull();
});

it('takes back what the server refused, and says so', async () => {
  const { user } = show(<Row first={{ ...message, feedback: kept(-1) }} />, answers({ status: 429, body: { title: 'Too fast', trace_id: 'trace-7' } }));
  await user.click(await screen.findByRole('button', { name: 'Good answer' }));
  expect(await screen.findByText('That did not work. Too fast When you ask for help, quote: trace-7')).toBeTruthy();
  expect([await pressed('Good answer'), await pressed('Bad answer')]).toEqual(['false', 'true']);
});

it('asks for the reason of a thumb up when it is pressed again', async () => {
  const { user, made } = show(<Row first={{ ...message, feedback: kept(1) }} />, answers({ body: kept(1, 'Named its sources') }));
  await user.click(await screen.findByRole('button', { name: 'Good answer' }));
  expect(await screen.findByRole('dialog', { name: 'What was good about it?' })).toBeTruthy();
  await user.type(screen.getByLabelText('Reason (optional)'), 'Named its sources');
  await user.click(screen.getByRole('button', { name: 'Send' }));
  await waitFor(() => { expect(screen.queryByRole('dialog')).toBeNull(); });
  expect(made(route).map((c) => c.body)).toEqual([{ score: 1, reason: 'Named its sources' }]);
});

it('takes a pressed thumb back, and offers that only there', async () => {
  const { user, made } = show(<Row first={{ ...message, feedback: kept(-1, 'No source') }} />, { 'DELETE /api/v1/messages/m1/feedback': { status: 204 } });
  await user.click(await screen.findByRole('button', { name: 'Bad answer' }));
  await user.click(screen.getByRole('button', { name: 'Take the rating back' }));
  await waitFor(() => { expect(screen.queryByRole('dialog')).toBeNull(); });
  expect(made('DELETE /api/v1/messages/m1/feedback')).toHaveLength(1);
  expect([await pressed('Good answer'), await pressed('Bad answer')]).toEqual(['false', 'false']);
  await user.click(screen.getByRole('button', { name: 'Bad answer' }));
  expect(screen.queryByRole('button', { name: 'Take the rating back' })).toBeNull();
});
