import { useEffect, useRef } from 'react';
import { isUnseen, runSeen } from '../../app/runNotices';

/**
 * An answer may be read with the messages before the live run was seen to end, and takes its place, or be there before
 * the page of a new conversation is: whoever sees it has seen the end, and need not be told of it elsewhere.
 */
export function useSeenAnswers(live: readonly string[], messages: readonly { role: string; status?: string; run_id?: string | null }[]): void {
  const followed = useRef(new Set<string>());
  const ids = live.join(' ');
  useEffect(() => {
    for (const id of ids.split(' ')) if (id !== '') followed.current.add(id);
    if (document.visibilityState !== 'visible') return;
    for (const { role, status, run_id: run } of messages) {
      if (role === 'assistant' && status !== 'question' && run && (followed.current.delete(run) || isUnseen(run))) runSeen(run);
    }
  }, [ids, messages]);
}
