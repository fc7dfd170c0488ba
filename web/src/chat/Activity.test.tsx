import { screen } from '@testing-library/react';
import { beforeAll, expect, it, vi } from 'vitest';
import { Problem } from '../api/problem';
import { startLanguages } from '../i18n';
import { show, tidyWorld } from '../testing/world';
import { Activity } from './Activity';
import { ReviewCard } from './Decisions';
import { applyAll, emptyFold } from './fold';

tidyWorld();
beforeAll(() => startLanguages('ru'));

const at = (seq: number, type: string, more: Record<string, unknown> = {}) => ({ type, run_id: 'r', seq, agent: 'communicator', created_at: '2026-01-01T00:00:00Z', ...more });

it('tells what guards, timers and citations say in the language of the page, and marks the rest as English', async () => {
  const { fold } = applyAll(emptyFold('r'), [
    at(1, 'run.queued', { input: 'hello', team: 'solo' }), at(2, 'run.started', { attempt: 1 }),
    at(3, 'guard.hinted', { guard: 'calls', hint: 'You asked for 9 tool calls in one answer; only the first 8 were taken.' }),
    at(4, 'citation.dropped', { citation_id: 'c1', reason: 'quote_not_found' }),
    at(5, 'timer.started', { purpose: 'models', reason: 'The provider is away. The run waits and tries again by itself.', until: '2026-01-01T00:01:00Z', try: 1 }),
  ]);
  show(<Activity fold={fold} />);
  expect((await screen.findAllByRole('listitem')).map((row) => row.textContent)).toEqual([
    'Агент попросил в одном ответе вызовов: 9; взяты только первые 8.', 'Источник отброшен: таких слов в документе или на странице нет', 'The provider is away. Запуск ждёт и попробует снова сам.',
  ]);
  expect(screen.getByText('The provider is away.').lang).toBe('en');
});

it('says of a call in doubt what one has to decide, without the names of buttons that are not there', async () => {
  const reason = 'The worker was lost while http_request was running, so nobody knows whether it acted. Look, then say: done, repeat or cancel.';
  show(<ReviewCard runId="r" review={{ call: 1, callId: 'call_1', tool: 'http_request', reason, repeatAfter: '' }} />);
  expect(await screen.findByText('Исполнитель пропал, пока работал http_request, и неизвестно, подействовал ли вызов. Проверьте и решите.')).toBeTruthy();
});

it('shows what was done in what was given to others once it is opened, and why it could not be read', async () => {
  const { fold } = applyAll(emptyFold('r'), [
    at(1, 'run.queued'), at(2, 'run.started', { attempt: 1 }), at(3, 'child.started', { child_run_id: 'c', child_agent: 'researcher', task: 'Look up', task_id: 't1' }), at(4, 'child.started', { child_run_id: 'd', child_agent: 'painter', task: 'Draw', task_id: 't2' }),
  ]);
  const below = (seq: number, type: string, more: Record<string, unknown> = {}) => ({ ...at(seq, type, more), run_id: 'c', agent: 'researcher' });
  const child = applyAll(emptyFold('c'), [below(1, 'run.queued'), below(2, 'tool.started', { call: 1, tool: 'web_search', arguments: { query: 'trains' } }), below(3, 'child.started', { child_run_id: 'e', child_agent: 'helper', task: 'Help', task_id: 't3' })]).fold;
  const grandchild = applyAll(emptyFold('e'), [{ ...below(1, 'run.queued'), run_id: 'e' }, { ...below(2, 'tool.started', { call: 1, tool: 'calculator', arguments: {} }), run_id: 'e', agent: 'helper' }]).fold;
  const want = vi.fn();
  const failed = new Map([['d', new Problem(404, { code: 'run_not_found', detail: 'There is no such run.', trace_id: 'trace-1' })]]);
  const { user } = show(<Activity fold={fold} others={{ folds: new Map([['c', child], ['e', grandchild]]), failed, want }} />);
  const opener = (name: RegExp) => screen.findByRole('button', { name });
  expect((await opener(/researcher: Look up/)).textContent).toContain('думает'); // the last it did was to give work away
  expect(screen.queryByText('researcher: web_search')).toBeNull();
  await user.click(await opener(/researcher: Look up/));
  await user.click(await opener(/web_search/));
  expect(screen.getByText((_, element) => element?.tagName === 'PRE' && element.textContent.includes('"query": "trains"'))).toBeTruthy();
  await user.click(await opener(/helper: Help/));
  expect(await opener(/helper использует calculator/)).toBeTruthy();
  await user.click(await opener(/painter: Draw/));
  expect((await screen.findByRole('alert')).textContent).toContain('trace-1');
  expect(want.mock.calls.map(([id]) => id as string)).toEqual(['c', 'e', 'd']);
});

it('shows who handed over to whom and why, and which models did not answer', async () => {
  const { fold } = applyAll(emptyFold('r'), [
    at(1, 'run.queued'), at(2, 'run.started', { attempt: 1 }),
    at(3, 'handoff', { from: 'communicator', to: 'researcher', reason: 'needs sources' }),
    at(4, 'model.requested', { call: 1, purpose: 'answer', tier: 'cheap', agent: 'researcher' }),
    at(5, 'model.failed', { call: 1, error_class: 'timeout', error: 'No answer in time.', agent: 'researcher', will_retry: true }),
    at(6, 'run.started', { attempt: 2 }),
  ]);
  const { user } = show(<Activity fold={fold} />);
  const rows = await screen.findAllByRole('listitem');
  expect(rows[0]?.textContent).toBe('communicator передаёт работу researcherneeds sources');
  for (const row of screen.queryAllByRole('button', { expanded: false })) await user.click(row);
  expect(screen.getByText(/No answer in time|timeout/)).toBeTruthy();
});

it.each([
  ['Ждёт разрешения', [at(3, 'approval.requested', { approval_id: 'a', call: 1, tool: 'http_request' })]],
  ['Ждёт ответа', [at(3, 'input.requested', { call: 1, call_id: 'c1', question: 'Which?' })]],
  ['Пауза', [at(3, 'timer.started', { purpose: 'models', reason: 'No model answers.' })]],
  ['Работает communicator', [at(3, 'timer.started', { purpose: 'models', reason: 'No model answers.' }), at(4, 'timer.fired')]],
])('says %s at the head of a run that does', async (said, then) => {
  const { fold } = applyAll(emptyFold('r'), [at(1, 'run.queued'), at(2, 'model.requested', { message_id: 'm1' }), ...then]);
  show(<Activity fold={fold} />);
  expect((await screen.findByRole('button', { expanded: true })).textContent).toBe(said);
});

it('says of a run whose helper waits for a person that it waits', async () => {
  const { fold } = applyAll(emptyFold('r'), [at(1, 'run.queued'), at(2, 'child.started', { child_run_id: 'c', child_agent: 'multi_tool', task: 'Post it' })]);
  const child = applyAll(emptyFold('c'), [{ ...at(1, 'approval.requested', { approval_id: 'a', call: 1, tool: 'http_request' }), run_id: 'c' }]).fold;
  show(<Activity fold={fold} others={{ folds: new Map([['c', child]]), failed: new Map(), want: vi.fn() }} />);
  expect((await screen.findByRole('button', { expanded: true })).textContent).toBe('Ждёт разрешения');
});

it('tells a call that was refused from one that failed', async () => {
  const refused = (kind: string) => applyAll(emptyFold('r'), [at(1, 'run.queued'), at(2, 'tool.failed', { call: 1, tool: 'http_request', kind, result: 'It was not made.' })]).fold;
  show(<><Activity fold={refused('denied')} /><Activity fold={refused('timeout')} /></>);
  expect((await screen.findAllByRole('listitem')).map((row) => [row.textContent, row.dataset['state']])).toEqual([['http_request: отказано', 'done'], ['http_request не сработал у communicator', 'failed']]);
});
