import { useQuery, useQueryClient } from '@tanstack/react-query';
import { createContext, use, useCallback, useEffect, useMemo, useRef, useState, type ReactNode } from 'react';
import { api, data, onSessionEnded } from '../api/client';
import { Problem } from '../api/problem';
import type { SchemaMeAnswer, SchemaSignedInUser } from '../api/schema';
import { useSettleToasts } from '../ui/Toast';
import { closeNotices } from './notifications';
import { StillSignedIn } from './SignIn';
import { forgetDrafts } from './storage';

interface Session {
  me: SchemaMeAnswer;
  user: SchemaSignedInUser;
  /** The session ended while the page was open. What is on the screen stays; a dialog asks for the password again. */
  ended: boolean;
  can: (permission: string) => boolean;
  signOut: () => Promise<void>;
  signedInAgain: () => void;
}

const Context = createContext<Session | null>(null);

export function useSession(): Session {
  const session = use(Context);
  if (!session) throw new Error('useSession is for pages behind the sign-in.');
  return session;
}

/** Where windows of one browser tell each other that whoever used them leaves (`settling`: there is a moment left to finish) and has left; nothing else is said there. */
const leaving = 'rootmas:signed-out';
const settling = 'settling';

type State = { kind: 'loading' } | { kind: 'failed'; error: unknown; retry: () => void } | { kind: 'out'; setup: boolean } | { kind: 'in' };

interface Props {
  children: ReactNode;
  /** Shown instead while nobody is signed in. */
  otherwise: (state: Exclude<State, { kind: 'in' }>, signedIn: () => void) => ReactNode;
}

/** Nobody is signed in. */
const isRefused = (error: unknown) => error instanceof Problem && error.status === 401;

/** With nothing of whoever was here. */
function beginAnew(): void {
  void closeNotices().then(() => { location.assign('/'); });
}

export function SessionProvider({ children, otherwise }: Props) {
  const cache = useQueryClient();
  const [endedAt, setEndedAt] = useState<number | null>(null);
  const [left, setLeft] = useState(false);
  const [stuck, setStuck] = useState<unknown>(null);
  const others = useRef<BroadcastChannel | null>(null);
  const settle = useSettleToasts();
  // Without knowing who is here there is no page: it is asked until the server says.
  const me = useQuery({ queryKey: ['me'], enabled: !left, queryFn: () => data(api.GET('/api/v1/auth/me')), retry: (_, error) => !isRefused(error), retryDelay: (count) => Math.min(10_000, 500 * 2 ** count), staleTime: 60_000 });
  const who = me.data;
  const problem = me.failureReason;
  const isOut = isRefused(problem);
  // Nobody is signed in: either there is somebody who could, or the first administrator is to be made.
  const setup = useQuery({ queryKey: ['setup'], enabled: isOut, queryFn: () => data(api.GET('/api/v1/auth/setup')) });

  useEffect(() => onSessionEnded(() => { setEndedAt(Date.now()); }), []);
  // The cookie is one for all windows: when another one signed in again, this one finds out by looking who is here.
  const ended = endedAt !== null && me.dataUpdatedAt <= endedAt;
  useEffect(() => {
    if (endedAt !== null && !ended) void cache.invalidateQueries({ predicate: ({ queryKey }) => queryKey[0] !== 'me' }); // what was refused meanwhile
  }, [endedAt, ended, cache]);

  // What a window shows and remembers is one person's. If another window signed somebody else in, it begins anew with nothing of the former, who never writes under the other's name.
  const [owner, setOwner] = useState<string | null>(null);
  if (who && owner === null) setOwner(who.user.id);
  const isAnother = who !== undefined && owner !== null && who.user.id !== owner;
  useEffect(() => {
    if (!isAnother) return;
    forgetDrafts(owner);
    cache.removeQueries({ predicate: ({ queryKey }) => queryKey[0] !== 'me' });
    beginAnew();
  }, [isAnother, owner, cache]);

  const signedIn = useCallback(() => {
    setEndedAt(null);
    // Other windows look, too, who is here now.
    void cache.invalidateQueries({ queryKey: ['me'] });
    void cache.invalidateQueries({ predicate: ({ queryKey }) => queryKey[0] !== 'me' });
  }, [cache]);

  const leave = useCallback(() => {
    setLeft(true);
    forgetDrafts();
    cache.clear();
    beginAnew();
  }, [cache]);

  const isIn = who !== undefined;
  useEffect(() => {
    if (!isIn || typeof BroadcastChannel === 'undefined') return;
    const channel = new BroadcastChannel(leaving);
    channel.addEventListener('message', ({ data: said }: MessageEvent<unknown>) => {
      if (said === settling) void settle();
      else leave();
    });
    others.current = channel;
    return () => {
      others.current = null;
      channel.close();
    };
  }, [isIn, leave, settle]);

  const signOut = useCallback(async () => {
    setStuck(null);
    // What was deleted and could still be undone is deleted now: afterwards nobody here may.
    others.current?.postMessage(settling);
    await settle();
    try {
      await api.POST('/api/v1/auth/logout');
    } catch (error) {
      // The cookie is still good: whoever reloads the page would be in. Only what has ended already needs no end.
      if (!(error instanceof Problem) || error.status !== 401) {
        setStuck(error);
        return;
      }
    }
    others.current?.postMessage(null);
    leave();
  }, [leave, settle]);

  const session = useMemo<Session | null>(
    () => who ? { me: who, user: who.user, ended, can: (p) => who.permissions.includes(p) || who.permissions.includes('*'), signOut, signedInAgain: signedIn } : null,
    [who, ended, signOut, signedIn],
  );
  if (left || isAnother) return otherwise({ kind: 'loading' }, signedIn);
  if (who) {
    return (
      <Context value={session}>
        {children}
        <StillSignedIn error={stuck} onRetry={() => void signOut()} onClose={() => { setStuck(null); }} />
      </Context>
    );
  }
  if (!problem || (isOut && setup.isPending)) return otherwise({ kind: 'loading' }, signedIn);
  if (isOut) return otherwise({ kind: 'out', setup: setup.data?.open === true }, signedIn);
  return otherwise({ kind: 'failed', error: problem, retry: () => void cache.resetQueries({ queryKey: ['me'] }) }, signedIn);
}
