import { useQuery, useQueryClient } from '@tanstack/react-query';
import type { TFunction } from 'i18next';
import { useEffect } from 'react';
import { useTranslation } from 'react-i18next';
import { api, data } from '../api/client';
import { Problem } from '../api/problem';
import type { SchemaRunView } from '../api/schema';
import { isOver } from '../pages/runs/data';
import { AwaitedRuns, type Found, type News } from './awaitedRuns';
import { notify, useNotificationsAreOn } from './notifications';
import { useSession } from './session';
import { unseen } from './windows';

/** Where windows of one browser tell each other which runs are waited for: ids and what is known of them, nothing else. */
const channelName = 'rootmas:awaited';
const awaited = new AwaitedRuns();
const channel = typeof BroadcastChannel === 'undefined' ? null : new BroadcastChannel(channelName);
/** At most so many are looked at in one go; the others in their turn. */
const mostAtOnce = 20;

/** Begun in this window, and not seen to end. */
const begun = new Set<string>();

/** A run was begun in this window. Whichever window tells will tell of its end, also when it ends before anybody has read a list. */
export function runBegan(id: string): void {
  begun.add(id);
  channel?.postMessage(id);
}

/** Whoever saw its end in this window need not be told of it when they have gone elsewhere, where the next look at the server would find it. */
export function runSeen(id: string): void {
  begun.delete(id);
  channel?.postMessage({ seen: id });
}

/** Whether its end would be told of to whoever began it here. */
export function isUnseen(id: string): boolean {
  return begun.has(id);
}

function seenIn(said: unknown): string | null {
  return typeof said === 'object' && said !== null && 'seen' in said && typeof said.seen === 'string' ? said.seen : null;
}

async function find(ids: readonly string[]): Promise<Found> {
  const one = async (id: string): Promise<SchemaRunView | null> => {
    try {
      return await data(api.GET('/api/v1/runs/{id}', { params: { path: { id }, query: { tree: 1 } } }));
    } catch (error) {
      if (error instanceof Problem && error.status === 404) return null;
      throw error;
    }
  };
  return new Map(await Promise.all(ids.map(async (id) => [id, await one(id)] as const)));
}

/** Tells of one's own runs that end or wait for somebody, whatever page is open; one window of the browser does (`tells`), and only of what no window shows. */
export function useRunNotices(tells: boolean): void {
  const { t } = useTranslation();
  const { can, user: { id: user } } = useSession();
  const cache = useQueryClient();
  const on = useNotificationsAreOn(user);
  const enabled = on && tells && can('chat:read');
  const decides = can('approvals:decide');
  const background = { enabled, refetchIntervalInBackground: true };

  const newest = useQuery({ queryKey: ['runs', 'newest'], queryFn: () => data(api.GET('/api/v1/runs', { params: { query: { limit: mostAtOnce } } })), refetchInterval: 30_000, ...background });
  useEffect(() => {
    if (newest.data && awaited.meet(newest.data.items.filter((run) => !isOver(run.status)))) void cache.invalidateQueries({ queryKey: ['runs', 'awaited'] });
  }, [newest.data, cache]);

  const { data: found, dataUpdatedAt } = useQuery({ queryKey: ['runs', 'awaited'], queryFn: () => find(awaited.next(mostAtOnce)), refetchInterval: () => awaited.ids.length > 0 ? 5_000 : false, structuralSharing: false, ...background });
  useEffect(() => {
    if (!found) return;
    for (const news of awaited.take(found)) {
      // Whoever may decide is told of the call by the inbox, whosever run it is of.
      if (news.what === 'approval' && decides) void cache.invalidateQueries({ queryKey: ['approvals', 'badge'] });
      else void tell(user, news, t);
    }
    channel?.postMessage(awaited.list);
  }, [found, dataUpdatedAt, decides, cache, t, user]);

  useEffect(() => {
    if (!on || typeof BroadcastChannel === 'undefined') return undefined;
    const heard = new BroadcastChannel(channelName);
    heard.addEventListener('message', ({ data: said }: MessageEvent<unknown>) => {
      const seen = seenIn(said);
      if (typeof said === 'string') {
        awaited.add(said);
        if (tells) void cache.invalidateQueries({ queryKey: ['runs', 'awaited'] });
      } else if (seen !== null) {
        awaited.close(seen);
      } else if (!tells && Array.isArray(said)) {
        awaited.restore(said); // whoever tells next goes on from here
      }
    });
    return () => { heard.close(); };
  }, [on, tells, cache]);
}

async function tell(user: string, { run, what }: News, t: TFunction): Promise<void> {
  const shows = [`run ${run.root_run_id}`, ...run.conversation_id ? [`conversation ${run.conversation_id}`] : []];
  if ((await unseen(shows)).length < shows.length) return;
  const title = what !== 'ended' ? t('notify.waiting') : run.status === 'completed' ? t('notify.finished') : run.status === 'failed' ? t('notify.failed') : t('notify.stopped');
  notify(user, `${what} ${run.id}`, title, run.title ?? '', run.conversation_id ? `/c/${run.conversation_id}` : `/runs/${run.id}`);
}
