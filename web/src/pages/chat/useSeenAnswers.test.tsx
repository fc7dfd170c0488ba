import { renderHook } from '@testing-library/react';
import { afterEach, expect, test, vi } from 'vitest';
import { isUnseen, runSeen } from '../../app/runNotices';
import { useSeenAnswers } from './useSeenAnswers';

vi.mock('../../app/runNotices', () => ({ runSeen: vi.fn(), isUnseen: vi.fn(() => false) }));

const question = { role: 'user', status: 'complete', run_id: 'run-1' };
const asked = { role: 'assistant', status: 'question', run_id: 'run-1' };
const answer = { role: 'assistant', status: 'complete', run_id: 'run-1' };

afterEach(() => {
  vi.restoreAllMocks();
  vi.mocked(runSeen).mockClear();
});

test('an answer that takes the place of its live run is one whose end was seen, once', () => {
  const { rerender } = renderHook(({ live, messages }) => { useSeenAnswers(live, messages); }, { initialProps: { live: ['run-1'], messages: [question, asked] } });
  expect(runSeen).not.toHaveBeenCalled();
  rerender({ live: [], messages: [question, asked, answer] });
  expect(vi.mocked(runSeen).mock.calls).toEqual([['run-1']]);
  rerender({ live: [], messages: [question, asked, answer] });
  expect(runSeen).toHaveBeenCalledTimes(1);
});

test('an answer that is there before the page of its conversation is seen, too', () => {
  vi.mocked(isUnseen).mockReturnValueOnce(true);
  renderHook(() => { useSeenAnswers([], [question, answer]); });
  expect(vi.mocked(runSeen).mock.calls).toEqual([['run-1']]);
});

test('answers of before are nothing new', () => {
  renderHook(() => { useSeenAnswers([], [question, answer]); });
  expect(runSeen).not.toHaveBeenCalled();
});

test('what comes to a hidden window is not seen', () => {
  vi.spyOn(document, 'visibilityState', 'get').mockReturnValue('hidden');
  const { rerender } = renderHook(({ live, messages }) => { useSeenAnswers(live, messages); }, { initialProps: { live: ['run-1'], messages: [question] } });
  rerender({ live: [], messages: [question, answer] });
  expect(runSeen).not.toHaveBeenCalled();
});
