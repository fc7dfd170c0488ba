import { send } from '../api/client';
import { parseExact } from '../api/exact';
import { Problem } from '../api/problem';
import { isFinal, type RunEvent } from './events';

/** Cuts a server-sent event stream into its events (WHATWG HTML, 9.2). Chunks may end anywhere. */
export function createSseParser(onEvent: (event: { id: string; type: string; data: string }) => void): (chunk: string) => void {
  let rest = '';
  let id = '';
  let type = '';
  let data: string[] = [];
  return (chunk) => {
    rest += chunk;
    for (let end = rest.indexOf('\n'); end >= 0; end = rest.indexOf('\n')) {
      const line = rest.slice(0, end).replace(/\r$/, '');
      rest = rest.slice(end + 1);
      if (line === '') {
        if (data.length > 0) onEvent({ id, type, data: data.join('\n') });
        [id, type, data] = ['', '', []];
      } else if (!line.startsWith(':')) {
        const colon = line.indexOf(':');
        const name = colon < 0 ? line : line.slice(0, colon);
        const value = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '');
        if (name === 'data') data.push(value);
        else if (name === 'id') id = value;
        else if (name === 'event') type = value;
      }
    }
  };
}

export type Connection = 'connecting' | 'live' | 'lost';

interface FollowOptions {
  /** Where the reader stands: `seq` or `seq:n`. Asked again before each attempt, so that after a gap it may be set back; and to see whether a stream brought anything. */
  position: () => string;
  /** False: something before this event is missing. The stream is opened again where the reader stands. */
  onEvent: (event: RunEvent) => boolean;
  onConnection?: (state: Connection) => void;
  signal: AbortSignal;
  tree?: boolean;
}

/**
 * Follows a run to its end, over lost networks and server restarts: whenever the stream breaks it comes back and goes on where the reader stands. Ends quietly at the run's final event or when told to;
 * throws only what trying again cannot change (the run is gone, or not ours).
 */
export async function follow(runId: string, { position, onEvent, onConnection, signal, tree = false }: FollowOptions): Promise<void> {
  for (let failures = 0; !signal.aborted; failures++) {
    onConnection?.(failures === 0 ? 'connecting' : 'lost');
    try {
      const [from, before] = [position(), failures];
      const ended = await attach(runId, from, tree, signal, (event) => {
        const follows = onEvent(event);
        // A stream that ends in a gap and has brought nothing is a failed attempt: asked again, it may well bring the same.
        failures = follows || position() !== from ? 0 : before;
        return follows;
      }, () => onConnection?.('live'));
      if (ended) return;
    } catch (error) {
      if (signal.aborted) return;
      const problem = error instanceof Problem ? error : Problem.unreachable(error);
      if (problem.status === 404 || problem.status === 403 || problem.status === 400) throw problem;
    }
    await pause(failures, signal);
  }
}

/** The server says something every 15 s, if only that it is there. After this long the line is dead, whatever the browser believes. */
const silence = 40_000;

/** Ends an attempt that hears nothing any more: a pulled cable closes no connection. */
function watch(signal: AbortSignal): { signal: AbortSignal; heard: () => void; done: () => void } {
  const dead = new AbortController();
  const end = () => { dead.abort(); };
  let timer = setTimeout(end, silence);
  addEventListener('offline', end);
  return {
    signal: AbortSignal.any([signal, dead.signal]),
    heard: () => {
      clearTimeout(timer);
      timer = setTimeout(end, silence);
    },
    done: () => {
      clearTimeout(timer);
      removeEventListener('offline', end);
    },
  };
}

/** True: the run has ended, nothing more will come. */
async function attach(runId: string, after: string, tree: boolean, signal: AbortSignal, onEvent: (event: RunEvent) => boolean, onOpen: () => void): Promise<boolean> {
  const line = watch(signal);
  try {
    return await read(runId, after, tree, line, onEvent, onOpen);
  } finally {
    line.done();
  }
}

async function read(runId: string, after: string, tree: boolean, line: ReturnType<typeof watch>, onEvent: (event: RunEvent) => boolean, onOpen: () => void): Promise<boolean> {
  const headers: Record<string, string> = { accept: 'text/event-stream' };
  if (after !== '0') headers['last-event-id'] = after;
  const response = await send(`/api/v1/runs/${encodeURIComponent(runId)}/events${tree ? '?tree=1' : ''}`, { headers, signal: line.signal });
  if (response.status === 204 || !response.body) return true;
  onOpen();
  let final = false;
  let gap = false;
  const parse = createSseParser(({ type, data }) => {
    if (type === 'error') return; // the stream failed, not the run: come back
    if (gap) return;
    const event = parseExact(data) as RunEvent;
    gap = !onEvent(event);
    final ||= !gap && isFinal(event) && event.run_id === runId;
  });
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  for (let piece = await reader.read(); !piece.done && !gap; piece = await reader.read()) {
    line.heard();
    parse(piece.value);
  }
  if (gap) void reader.cancel();
  return final;
}

/** At once after a stream that had brought something, then longer and longer, up to ten seconds; and at once when the network is back. */
export async function pause(failures: number, signal: AbortSignal): Promise<void> {
  const wait = failures === 0 ? 100 : Math.min(10_000, 500 * 2 ** Math.min(failures, 5)) * (0.75 + Math.random() / 2);
  await new Promise<void>((resolve) => {
    const done = () => {
      clearTimeout(timer);
      removeEventListener('online', done);
      signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, wait);
    addEventListener('online', done);
    signal.addEventListener('abort', done);
  });
}
