import type { SchemaRunView } from '../api/schema';
import { isOver } from '../pages/runs/data';
import { waitingBelow } from '../pages/runs/waiting';

type Run = SchemaRunView;

/** asks: for an answer, or for a word on a call in doubt. */
const standings = ['working', 'asks', 'approval'] as const;
type Standing = (typeof standings)[number];

export interface News {
  run: Run;
  what: 'ended' | 'asks' | 'approval';
}

/** What was found of runs, by id; null: it is not there any more. */
export type Found = ReadonlyMap<string, Run | null>;

/** Runs whose end somebody waits for, and what was last known of them. */
export class AwaitedRuns {
  #known = new Map<string, Standing>();
  /** What an older list still calls unfinished is not waited for again. */
  readonly #over = new Set<string>();
  #hasMet = false;

  get ids(): string[] {
    return [...this.#known.keys()];
  }

  /** Ids, each with what is known: all that other windows need in order to go on from here. */
  get list(): [string, string][] {
    return [...this.#known];
  }

  /** Whose turn it is to be looked at, `most` of them: who works first, and a quarter of the places for those who wait for somebody, which may take days. */
  next(most: number): string[] {
    const [working, waiting] = [true, false].map((works) => this.list.filter(([, standing]) => (standing === 'working') === works).map(([id]) => id)) as [string[], string[]];
    const first = working.slice(0, Math.max(most - waiting.length, Math.ceil(most * 3 / 4)));
    return [...first, ...waiting.slice(0, most - first.length)];
  }

  /** It was begun in this browser. */
  add(id: string): void {
    if (!this.#known.has(id) && !this.#over.has(id)) this.#known.set(id, 'working');
  }

  /** Somebody saw its end. */
  close(id: string): void {
    this.#known.delete(id);
    this.#over.add(id);
  }

  /** Goes on from the list of another window. */
  restore(list: readonly unknown[]): void {
    this.#hasMet = true;
    this.#known = new Map(list.flatMap((entry): [string, Standing][] => {
      if (!Array.isArray(entry) || typeof entry[0] !== 'string') return [];
      const standing = standings.find((s) => s === entry[1]);
      return standing ? [[entry[0], standing]] : [];
    }));
  }

  /** Runs that have not ended, wherever they were begun. Of those that were there at the first look, that they wait is not news. True: some are new. */
  meet(unfinished: readonly Run[]): boolean {
    const fresh = unfinished.filter((run) => !this.#known.has(run.id) && !this.#over.has(run.id));
    for (const run of fresh) this.#known.set(run.id, this.#hasMet ? 'working' : standingOf(run));
    this.#hasMet = true;
    return fresh.length > 0;
  }

  /** What has happened since the last look. */
  take(found: Found): News[] {
    const news: News[] = [];
    for (const [id, run] of found) {
      const before = this.#known.get(id);
      if (before === undefined) continue;
      const standing = run && !isOver(run.status) ? standingOf(run) : null;
      this.#known.delete(id);
      if (standing) this.#known.set(id, standing); // behind those that were not looked at now
      else this.#over.add(id);
      if (!run) continue;
      if (!standing) news.push({ run, what: 'ended' });
      else if (standing !== 'working' && standing !== before) news.push({ run, what: standing });
    }
    return news;
  }
}

function standingOf(run: Run): Standing {
  const waiting = [run, ...waitingBelow(run)].map((r) => r.status);
  return waiting.includes('waiting_approval') ? 'approval' : waiting.includes('waiting_input') || waiting.includes('needs_review') ? 'asks' : 'working';
}
