import { useCallback, useEffect, useReducer, useState } from 'react';
import { pause, type Connection } from '../../chat/follow';
import { arrived, nothing, show, type ActivityState } from './activity';

type Action = { frame: unknown } | { arrived: number } | { clear: true };

function reduce(state: ActivityState, action: Action): ActivityState {
  if ('frame' in action) return show(state, action.frame);
  return 'arrived' in action ? arrived(state, action.arrived) : nothing;
}

/**
 * The visualisation socket, over lost networks and server restarts: with the session cookie of this page, every run of one's own that is at work or begins, or with `only` that one, each from its beginning.
 * What ended meanwhile is not shown again; the list of recent flows has it.
 */
export function useLiveActivity(only: string | null, paused: boolean) {
  const [state, dispatch] = useReducer(reduce, nothing);
  const [connection, setConnection] = useState<Connection>('connecting');
  useEffect(() => {
    if (paused) return undefined;
    const stop = new AbortController();
    void keepOpen(only, stop.signal, (frame) => { dispatch({ frame }); }, (now) => {
      if (now === 'live') dispatch({ clear: true });
      setConnection(now);
    });
    return () => { stop.abort(); };
  }, [only, paused]);
  // The same in each rendering: a light that is on its way would begin anew with each new one, and never arrive while the team is busy.
  const onArrived = useCallback((id: number) => { dispatch({ arrived: id }); }, []);
  return { state, connection, onArrived };
}

async function keepOpen(only: string | null, signal: AbortSignal, onFrame: (frame: unknown) => void, onConnection: (state: Connection) => void): Promise<void> {
  for (let failures = 0; !signal.aborted; failures++) {
    onConnection(failures === 0 ? 'connecting' : 'lost');
    await once(only, signal, onFrame, () => {
      failures = 0;
      onConnection('live');
    });
    if (!signal.aborted) await pause(failures + 1, signal);
  }
}

/** So often the server is asked whether it is there: unlike a stream of a run, this socket says nothing by itself while nobody works. */
const every = 15_000;
/** Not answered after this long, the line is dead, whatever the browser believes: a pulled cable closes no connection. 40 s of silence in all. */
const patience = 25_000;

/** One connection, from its opening to its end. */
async function once(only: string | null, signal: AbortSignal, onFrame: (frame: unknown) => void, onOpen: () => void): Promise<void> {
  const socket = new WebSocket(`${location.origin.replace(/^http/, 'ws')}/ws/visualization${only === null ? '?working=true' : ''}`);
  await new Promise<void>((resolve) => {
    let deadline: ReturnType<typeof setTimeout> | undefined;
    const heard = () => {
      clearTimeout(deadline);
      deadline = undefined;
    };
    const asking = setInterval(() => {
      if (socket.readyState === WebSocket.OPEN) socket.send(JSON.stringify({ type: 'ping' }));
      deadline ??= setTimeout(end, patience);
    }, every);
    // Does not wait for the browser to be told of the end: over a dead line nobody tells it.
    const end = () => {
      clearInterval(asking);
      heard();
      signal.removeEventListener('abort', end);
      removeEventListener('offline', end);
      socket.onopen = socket.onmessage = socket.onclose = null;
      socket.close();
      resolve();
    };
    signal.addEventListener('abort', end);
    addEventListener('offline', end);
    socket.onopen = () => {
      heard();
      onOpen();
      if (only !== null) socket.send(JSON.stringify({ type: 'subscribe', flow_id: only }));
    };
    socket.onmessage = (message: MessageEvent<unknown>) => {
      heard();
      const frame = parse(message.data);
      if (frame !== undefined) onFrame(frame);
    };
    socket.onclose = end;
  });
}

function parse(data: unknown): unknown {
  try {
    return typeof data === 'string' ? JSON.parse(data) as unknown : undefined;
  } catch {
    return undefined;
  }
}
