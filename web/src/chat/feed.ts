import { useEffect } from 'react';
import { asProblem, type Problem } from '../api/problem';
import { soon } from '../app/soon';
import { isPiece, type RunEvent } from './events';
import { apply, emptyFold, isEnded, joined, type RunFold } from './fold';
import { follow, type Connection } from './follow';

export interface RunState {
  fold: RunFold;
  connection: Connection;
  error: Problem | null;
}

/** A page that nobody looks at lets go of its connection after this long: a browser has six for all its windows. What ends meanwhile is asked for by whoever tells of it. */
const unwatched = 20_000;

/**
 * A run as it goes: its log from the beginning, then live, folded. However many events come, whoever looks is told once per frame.
 */
export class RunFeed {
  #state: RunState;
  #listeners = new Set<() => void>();
  #abort: AbortController | null = null;
  #willTell = false;
  #users = 0;
  /** Nothing has come yet since the stream was opened. */
  #opened = false;
  /** No piece has. */
  #joins = false;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** `onStored` is told every stored event that was taken, of the run and as they come of those below it; `onOpen` hears of each opening of the stream, before anything comes of it. */
  constructor(readonly runId: string, readonly onStored?: (event: RunEvent) => void, readonly onOpen?: () => void) {
    this.#state = { fold: emptyFold(runId), connection: 'connecting', error: null };
  }

  get state(): RunState {
    return this.#state;
  }

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    if (this.#users++ === 0) {
      this.#start();
      this.#look();
      document.addEventListener('visibilitychange', this.#look);
    }
    return () => {
      this.#listeners.delete(listener);
      if (--this.#users > 0) return;
      document.removeEventListener('visibilitychange', this.#look);
      clearTimeout(this.#timer);
      this.#stop();
    };
  };

  readonly #look = (): void => {
    clearTimeout(this.#timer);
    if (document.hidden) this.#timer = setTimeout(() => { this.#stop(); }, unwatched);
    else if (!this.#abort) this.#start();
  };

  #start(): void {
    if (isEnded(this.#state.fold)) return;
    const abort = new AbortController();
    this.#abort = abort;
    follow(this.runId, {
      tree: true,
      signal: abort.signal,
      position: () => position(this.#state.fold),
      onEvent: (event) => this.#take(event),
      onConnection: (connection) => {
        if (connection === 'live') this.#opened = this.#joins = true;
        this.#set({ connection });
        if (connection === 'live') this.onOpen?.();
      },
    }).catch((error: unknown) => { this.#set({ error: asProblem(error) }); });
  }

  #stop(): void {
    this.#abort?.abort();
    this.#abort = null;
  }

  #take(event: RunEvent): boolean {
    if (event.run_id === this.runId) {
      const { fold, gap } = apply(this.#over(event), event);
      if (fold !== this.#state.fold) this.#set({ fold });
      if (!gap && !isPiece(event)) this.onStored?.(event);
      return !gap;
    }
    // Descendants come live only and without promises: whoever wants them has their logs, too.
    if (!isPiece(event)) this.onStored?.(event);
    return true;
  }

  /** What a stream begins with follows on where it was opened. If its number does not, what lay between was removed for good (retention): asking again would bring the same. */
  #over(event: RunEvent): RunFold {
    const { fold } = this.#state;
    if (isPiece(event)) {
      const joins = this.#joins;
      this.#opened = this.#joins = false;
      return joins ? joined(fold, event) : fold;
    }
    const first = this.#opened;
    this.#opened = false;
    return first && event.seq > fold.seq + 1 ? { ...fold, seq: event.seq - 1, n: 0 } : fold;
  }

  #set(change: Partial<RunState>): void {
    this.#state = { ...this.#state, ...change };
    if (this.#willTell) return;
    this.#willTell = true;
    soon(() => {
      this.#willTell = false;
      this.#listeners.forEach((l) => { l(); });
    });
  }
}

function position(fold: RunFold): string {
  return fold.n > 0 ? `${fold.seq}:${fold.n}` : `${fold.seq}`;
}

/** Calls once when the run has ended, also when it had before. */
export function useRunEnd(state: RunState, onEnd: () => void): void {
  const ended = isEnded(state.fold) || state.error !== null;
  useEffect(() => {
    if (ended) onEnd();
  }, [ended, onEnd]);
}
