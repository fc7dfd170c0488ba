import { useInfiniteQuery } from '@tanstack/react-query';
import { Fragment } from 'react';
import { useTranslation } from 'react-i18next';
import { Link } from 'react-router';
import { api, data } from '../../api/client';
import { Problem } from '../../api/problem';
import { useFormat } from '../../i18n/format';
import { Button } from '../../ui/Button';
import { Loading } from '../../ui/Layout';
import { ErrorNotice } from '../../ui/Notice';
import { useSettled } from '../../ui/settled';
import { useDeleted } from './deletions';
import styles from './ConversationList.module.css';

const shortest = 2;

/** Messages that have the words, whatever their conversation is called: each leads to its place there. */
export function MessageHits({ search, archived, onChosen }: { search: string; archived: boolean; onChosen: () => void }) {
  const { t } = useTranslation();
  const format = useFormat();
  const words = useSettled(search.trim());
  const deleted = useDeleted();
  const found = useInfiniteQuery({
    queryKey: ['found', { words, archived }],
    enabled: words.length >= shortest,
    initialPageParam: '',
    // With the signal a search that nobody waits for any more ends, here and on the server.
    queryFn: ({ pageParam, signal }) => data(api.GET('/api/v1/messages', { params: { query: { search: words, archived, limit: 20, ...(pageParam && { cursor: pageParam }) } }, signal })),
    getNextPageParam: (page) => page.next_cursor ?? undefined,
    // Who searches faster than the server allows waits a moment longer, and need not be told.
    retry: (count, error) => error instanceof Problem && (error.status === 429 ? count < 5 : error.isUnreachable && count < 3),
    retryDelay: (count, error) => (error instanceof Problem && error.retryAfter ? error.retryAfter : 2 ** count) * 1000,
  });
  if (words.length < shortest) return null;
  const hits = (found.data?.pages.flatMap((page) => page.items) ?? []).filter((hit) => !deleted.has(hit.conversation_id));
  return (
    <section aria-label={t('chat.inMessages')}>
      <h2 className={styles.folder}>{t('chat.inMessages')}</h2>
      {found.isPending ? <Loading label={t('state.loading')} /> : null}
      {found.isError ? <ErrorNotice error={found.error} retry={() => void found.refetch()} /> : null}
      <ul>
        {hits.map((hit) => (
          <li key={hit.message_id} className={styles.hit}>
            <Link to={`/c/${hit.conversation_id}#m-${hit.message_id}`} onClick={onChosen}>
              <span className={styles.hitTitle}><bdi>{hit.title || t('chat.untitled')}</bdi> · {format.ago(hit.created_at)}</span>
              <span dir="auto" className={styles.hitLine}><Marked text={hit.excerpt} words={words} /></span>
            </Link>
          </li>
        ))}
      </ul>
      {found.isSuccess && hits.length === 0 ? <p className={styles.none}>{t(found.hasNextPage ? 'chat.noneInNewest' : 'chat.noneInMessages')}</p> : null}
      {found.hasNextPage ? <Button size="s" kind="ghost" busy={found.isFetchingNextPage} onClick={() => void found.fetchNextPage()}>{t('chat.searchFurther')}</Button> : null}
    </section>
  );
}

/** The text with what was looked for marked, as the server compares: without regard to case. */
function Marked({ text, words }: { text: string; words: string }) {
  const parts = words.split(/\s+/).map((word) => word.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'));
  return text.split(new RegExp(`(${parts.join('|')})`, 'giu')).map((part, i) => i % 2 === 1 ? <mark key={i}>{part}</mark> : <Fragment key={i}>{part}</Fragment>);
}
