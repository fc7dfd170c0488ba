import { screen } from '@testing-library/react';
import { beforeAll, expect, it } from 'vitest';
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
