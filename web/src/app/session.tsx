import { useQuery, useQueryClient } from '@tanstack/react-query';
import { createContext, use, useCallback, useEffect, useMemo, useState, type ReactNode } from 'react';
import { api, data, onSessionEnded } from '../api/client';
import { Problem } from '../api/problem';
import type { SchemaMeAnswer, SchemaSignedInUser } from '../api/schema';
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

type State = { kind: 'loading' } | { kind: 'failed'; error: unknown; retry: () => void } | { kind: 'out'; setup: boolean } | { kind: 'in' };

interface Props {
  children: ReactNode;
  /** Shown instead while nobody is signed in. */
  otherwise: (state: Exclude<State, { kind: 'in' }>, signedIn: () => void) => ReactNode;
}

export function SessionProvider({ children, otherwise }: Props) {
  const cache = useQueryClient();
  const [ended, setEnded] = useState(false);
  const me = useQuery({ queryKey: ['me'], queryFn: () => data(api.GET('/api/v1/auth/me')), retry: false, staleTime: 60_000 });
  const who = me.data;
  const problem = me.error;
  const isOut = problem instanceof Problem && problem.status === 401;
  // Nobody is signed in: either there is somebody who could, or the first administrator is to be made.
  const setup = useQuery({ queryKey: ['setup'], enabled: isOut, queryFn: () => data(api.GET('/api/v1/auth/setup')) });

  useEffect(() => onSessionEnded(() => { setEnded(true); }), []);

  const signedIn = useCallback(() => {
    setEnded(false);
    void cache.invalidateQueries();
  }, [cache]);

  const signOut = useCallback(async () => {
    await api.POST('/api/v1/auth/logout').catch(() => undefined); // ended already
    forgetDrafts();
    cache.clear();
    location.assign('/');
  }, [cache]);

  const session = useMemo<Session | null>(
    () => who ? { me: who, user: who.user, ended, can: (p) => who.permissions.includes(p) || who.permissions.includes('*'), signOut, signedInAgain: signedIn } : null,
    [who, ended, signOut, signedIn],
  );
  if (session) return <Context value={session}>{children}</Context>;
  if (me.isPending || (isOut && setup.isPending)) return otherwise({ kind: 'loading' }, signedIn);
  if (isOut) return otherwise({ kind: 'out', setup: setup.data?.open === true }, signedIn);
  return otherwise({ kind: 'failed', error: problem, retry: () => void me.refetch() }, signedIn);
}
