import { act, screen } from '@testing-library/react';
import i18next from 'i18next';
import { afterEach, expect, it } from 'vitest';
import type { RunEvent } from '../../chat/events';
import { setLanguage } from '../../i18n';
import { show, tidyWorld } from '../../testing/world';
import { SpanDetail } from './SpanDetail';
import { spansOf } from './spans';

tidyWorld();
afterEach(() => setLanguage('en'));

const at = (seq: number, type: string, more: Record<string, unknown> = {}): RunEvent => ({ type, run_id: 'r', seq, agent: 'communicator', created_at: '2026-01-01T00:00:00Z', ...more });

it('says in the language of the page why a call is in doubt, and shows what was not said by the server as it is', async () => {
  const reason = 'The worker was lost while http_request was running, so nobody knows whether it acted. Look, then say: done, repeat or cancel.';
  const { root } = spansOf([at(1, 'run.queued'), at(2, 'run.needs_review', { call: 1, tool: 'http_request', reason }), at(3, 'input.requested', { call: 2, question: 'must not be empty' })]);
  const [review, question] = root?.children ?? [];
  if (!review || !question) throw new Error('no steps');
  const detail = (span: typeof review) => <SpanDetail span={span} root="r" now={0} redacted={false} onEvents={() => undefined} />;
  show(<>{detail(review)}{detail(question)}</>);
  expect(await screen.findByText(i18next.t('said.lostWhileRunning', { tool: 'http_request' }))).toBeTruthy();
  await act(() => setLanguage('ru'));
  expect(await screen.findByText(i18next.t('said.lostWhileRunning', { tool: 'http_request' }))).toBeTruthy();
  expect(screen.queryByText(reason)).toBeNull();
  expect(screen.getByText('must not be empty')).toBeTruthy();
});

it('says in the language of the page what somebody said of a call in doubt, and what came of it in their words', async () => {
  const { root } = spansOf([
    at(1, 'run.queued'),
    at(2, 'run.needs_review', { call: 1, tool: 'http_request', reason: '' }), at(3, 'review.resolved', { call: 1, outcome: 'done', result: 'paid: twice' }),
    at(4, 'run.needs_review', { call: 2, tool: 'http_request', reason: '' }), at(5, 'review.resolved', { call: 2, outcome: 'repeat' }),
  ]);
  await act(() => setLanguage('ru'));
  show(<>{(root?.children ?? []).map((span) => <SpanDetail key={span.id} span={span} root="r" now={0} redacted={false} onEvents={() => undefined} />)}</>);
  expect(await screen.findByText('Сработал: paid: twice')).toBeTruthy();
  expect(screen.getByText('Повторить')).toBeTruthy();
});
