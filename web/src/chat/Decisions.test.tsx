import { act, screen, waitFor } from '@testing-library/react';
import { useEffect, useState } from 'react';
import { afterEach, expect, it, vi } from 'vitest';
import { parseExact } from '../api/exact';
import { show, tidyWorld, type Answer } from '../testing/world';
import { ApprovalCard, QuestionCard, ReviewCard, type PendingApproval } from './Decisions';

tidyWorld();
afterEach(() => { vi.useRealTimers(); });

const approval = (id: string): PendingApproval => ({ id, runId: 'r1', agent: 'multi_tool', tool: `tool_${id}`, arguments: {}, hash: 'h', approver: 'owner', reason: '', origin: '', expiresAt: '2026-01-01T00:00:00Z' });
const three = ['a', 'b', 'c'];
const removing = new EventTarget();

function Inbox({ ids }: { ids: readonly string[] }) {
  const [left, setLeft] = useState(ids);
  useEffect(() => {
    const remove = (event: Event) => { setLeft((now) => now.filter((id) => id !== event.type)); };
    for (const id of ids) removing.addEventListener(id, remove);
    return () => { for (const id of ids) removing.removeEventListener(id, remove); };
  }, [ids]);
  return <main><h1 tabIndex={-1} data-page-title>Approvals</h1><div>{left.map((id) => <ApprovalCard key={id} approval={approval(id)} />)}</div><button type="button">After</button></main>;
}

const focused = () => document.activeElement?.getAttribute('aria-label') ?? document.activeElement?.textContent;
const gone = (id: string) => act(async () => { removing.dispatchEvent(new Event(id)); await Promise.resolve(); });

it('passes the focus of a card that goes away to the next one, the one before, and at last to the page', async () => {
  const { user } = show(<Inbox ids={three} />);
  await user.click((await screen.findAllByLabelText('Reason (optional)'))[1] ?? document.body);
  await gone('b');
  expect(focused()).toBe('May tool_c run?');
  await gone('c');
  expect(focused()).toBe('May tool_a run?');
  await gone('a');
  expect(focused()).toBe('Approvals');
});

it('takes the focus from nobody when a card goes away that does not have it', async () => {
  const { user } = show(<Inbox ids={three} />);
  await user.click(await screen.findByRole('button', { name: 'After' }));
  await gone('a');
  expect(focused()).toBe('After');
});

it('keeps the focus on what was pressed, decides once, and can be pressed again after a refusal', async () => {
  let answer: (given: Answer) => void = () => undefined;
  const { user, made } = show(<ApprovalCard approval={approval('a')} />, { 'POST /api/v1/approvals/a': () => new Promise<Answer>((resolve) => { answer = resolve; }) });
  const approve = await screen.findByRole<HTMLButtonElement>('button', { name: 'Approve' });
  await user.click(approve);
  await waitFor(() => { expect(approve.getAttribute('aria-disabled')).toBe('true'); });
  expect([approve.disabled, document.activeElement === approve]).toEqual([false, true]); // a browser takes the focus from what is disabled
  await user.keyboard('{Enter}');
  expect(screen.getByRole<HTMLButtonElement>('button', { name: 'Deny' }).disabled).toBe(true);
  await act(async () => { answer({ status: 503, body: { code: 'unavailable', trace_id: 't-1' } }); await Promise.resolve(); });
  expect(await screen.findByText('t-1')).toBeTruthy();
  expect(made('POST /api/v1/approvals/a')).toHaveLength(1);
  await user.keyboard('{Enter}');
  await waitFor(() => { expect(made('POST /api/v1/approvals/a')).toHaveLength(2); });
  await act(async () => { answer({ status: 200, body: {} }); await Promise.resolve(); });
  await user.keyboard('{Enter}'); // what was decided goes away in a moment
  expect(made('POST /api/v1/approvals/a')).toHaveLength(2);
});

it('offers nothing more, and says why, once it is told that its time is over', async () => {
  const { user } = show(<ApprovalCard approval={approval('a')} />, { 'POST /api/v1/approvals/a': { status: 409, body: { code: 'approval_expired' } } });
  await user.click(await screen.findByRole('button', { name: 'Deny' }));
  expect(await screen.findByText('The time for this decision is over. The call was not made.')).toBeTruthy();
  expect([screen.queryByRole('button', { name: 'Approve' }), screen.queryByRole('button', { name: 'Deny' })]).toEqual([null, null]);
  expect(focused()).toBe('May tool_a run?');
});

it('shows the very numbers that would run, and characters that hide or turn others by their numbers', async () => {
  show(<ApprovalCard approval={{ ...approval('a'), arguments: parseExact('{"account":9007199254740993,"to":"ann\u202Egpj.exe","url":"https://ex\u200Bample.org"}') }} />);
  const call = await screen.findByText(/9007199254740993/);
  expect(call.textContent).toBe('{\n  "account": 9007199254740993,\n  "to": "ann\\u202egpj.exe",\n  "url": "https://ex\\u200bample.org"\n}');
});

it('answers a question once, with the option that keeps the focus', async () => {
  const { user, made } = show(<QuestionCard runId="r1" question={{ call: 1, callId: 'q', question: 'Which?', options: ['Red', 'Blue'], expiresAt: '' }} />, { 'POST /api/v1/runs/r1/input': { status: 202, body: {} } });
  const red = await screen.findByRole<HTMLButtonElement>('button', { name: 'Red' });
  await user.click(red);
  await user.keyboard('{Enter}');
  expect([red.disabled, document.activeElement === red]).toEqual([false, true]);
  expect(screen.getByRole<HTMLButtonElement>('button', { name: 'Blue' }).disabled).toBe(true);
  expect(made('POST /api/v1/runs/r1/input').map(({ body }) => (body as { text: string }).text)).toEqual(['Red']);
});

it('repeats a call in doubt only after its time, and after a question', async () => {
  vi.useFakeTimers();
  const review = { call: 1, callId: 'q', tool: 'http_request', reason: 'Nobody knows.', repeatAfter: new Date(Date.now() + 60_000).toISOString() };
  const { user, made } = show(<ReviewCard runId="r1" review={review} />, { 'POST /api/v1/runs/r1/resolve': { status: 202, body: {} } });
  await act(() => vi.advanceTimersByTimeAsync(1_000));
  const repeat = screen.getByRole<HTMLButtonElement>('button', { name: 'Repeat it' });
  expect(repeat.disabled).toBe(true);
  expect(document.getElementById(repeat.getAttribute('aria-describedby') ?? '')?.textContent).toMatch(/^It can be repeated from /);
  await act(() => vi.advanceTimersByTimeAsync(60_000));
  expect(repeat.disabled).toBe(false);
  vi.useRealTimers();
  await user.click(repeat);
  expect(await screen.findByRole('dialog', { name: 'Repeat http_request?' })).toBeTruthy();
  expect(made('POST /api/v1/runs/r1/resolve')).toHaveLength(0);
  const [confirm] = screen.getAllByRole('button', { name: 'Repeat it' });
  await user.click(confirm ?? document.body);
  await waitFor(() => { expect(made('POST /api/v1/runs/r1/resolve').map(({ body }) => body)).toEqual([{ call_id: 'q', outcome: 'repeat' }]); });
});
