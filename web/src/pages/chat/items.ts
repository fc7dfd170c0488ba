import { isPlaced } from '../../chat/tree';
import type { Message, Run } from './data';

export type Item =
  | { kind: 'message'; key: string; message: Message; run: Run | undefined }
  | { kind: 'live'; key: string; runId: string; question?: Message }
  | { kind: 'waiting'; key: string };

export const over: ReadonlySet<string> = new Set(['completed', 'failed', 'cancelled']);

/**
 * What is shown of it, and which of that is the run that works (-1: none). Each run that is followed holds a connection, of which a browser has six for all its windows: what only waits behind another one is followed when its turn comes.
 * A message that has its place in the tree has begun: its run is followed whatever stands before it. An answer in between says that nothing before it works any more.
 */
export function turnsOf(items: readonly Item[], isOver: (run: string) => boolean): { shown: Item[]; working: number } {
  const shown: Item[] = [];
  let working = -1;
  for (const item of items) {
    if (item.kind === 'message' && item.message.role === 'assistant') working = -1;
    if (item.kind === 'live' && item.question?.status !== 'cancelled' && !isOver(item.runId)) {
      if (working >= 0 && (item.question?.status ?? 'queued') === 'queued') {
        if (!item.question) shown.push({ kind: 'waiting', key: item.key }); // else its message says that it waits
        continue;
      }
      working = shown.length;
    }
    shown.push(item);
  }
  return { shown, working };
}

/**
 * The messages of the branch, and after a question whose answer is not there yet the run that works on it. What waits its turn has no place in the tree yet: it stands behind all of its branch.
 * What was stopped while it waited never gets one: it stands before what was said after it.
 */
export function itemsOf(path: readonly Message[], all: readonly Message[], runs: ReadonlyMap<string, Run> | undefined, started: readonly string[]): Item[] {
  const answered = new Set(all.filter((m) => m.role === 'assistant' && m.status !== 'question').map((m) => m.run_id));
  const items: Item[] = [];
  const shown = new Set<string>();
  const runOf = (message: Message) => message.run_id ? runs?.get(message.run_id) : undefined;
  const isStopped = (message: Message) => message.status === 'cancelled' || over.has(runOf(message)?.status ?? ''); // servers of before do not write it at the message
  const add = (message: Message) => {
    items.push({ kind: 'message', key: message.id, message, run: runOf(message) });
    const run = message.run_id;
    if (message.role === 'user' && run && !answered.has(run)) {
      // Once, behind the last of what was said to it: it may have asked something.
      if (shown.has(run)) items.splice(items.findIndex((i) => i.kind === 'live' && i.runId === run), 1);
      shown.add(run);
      items.push({ kind: 'live', key: `run-${run}`, runId: run, question: message });
    }
  };
  const waiting = waitingOf(path, all);
  const begun = new Set<string>();
  for (const message of path) {
    if (message.role === 'assistant' && message.status === 'question' && message.run_id && !answered.has(message.run_id)) continue; // the live run shows it, with a place for the answer
    const begins = message.role === 'user' && message.run_id && !begun.has(message.run_id); // else it answers what the run asked
    if (begins) begun.add(message.run_id ?? '');
    while (begins && waiting[0] && waiting[0].created_at < message.created_at && isStopped(waiting[0])) add(waiting.shift() as Message);
    add(message);
  }
  waiting.forEach(add);
  // So new that its message has not been read yet.
  for (const run of started) {
    const known = runs?.get(run);
    if (!shown.has(run) && !answered.has(run) && (!known || !over.has(known.status)) && !all.some((m) => m.run_id === run)) items.push({ kind: 'live', key: `run-${run}`, runId: run });
  }
  return items;
}

/** What waits, or was stopped while it did, behind the branch that is shown, in the order of its turns: of another branch there are messages that are not shown. */
function waitingOf(path: readonly Message[], all: readonly Message[]): Message[] {
  const waiting = all.filter((m) => !isPlaced(m)).sort((a, b) => a.created_at.localeCompare(b.created_at) || a.id.localeCompare(b.id));
  if (waiting.length === 0) return waiting;
  const onPath = new Set(path.map((m) => m.id));
  const elsewhere = new Set(all.filter((m) => isPlaced(m) && !onPath.has(m.id)).map((m) => m.branch_id));
  return waiting.filter((m) => !elsewhere.has(m.branch_id));
}
