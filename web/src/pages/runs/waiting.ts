import type { RunFold } from '../../chat/fold';
import type { Run } from './data';

/** More than anybody decides at once; the inbox has them all. */
const most = 20;
const onPeople: ReadonlySet<string> = new Set(['waiting_approval', 'waiting_input', 'needs_review']);

/** Runs below this one that wait for a person. */
export function waitingBelow(run: Run): Run[] {
  const found: Run[] = [];
  const look = (at: Run) => {
    for (const child of at.children ?? []) {
      if (found.length < most && onPeople.has(child.status)) found.push(child);
      look(child);
    }
  };
  look(run);
  return found;
}

export function asks(fold: RunFold): boolean {
  return fold.approvals.some((a) => a.state === 'pending') || fold.question !== null || fold.review !== null;
}
