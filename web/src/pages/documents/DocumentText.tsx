import { useQuery } from '@tanstack/react-query';
import { useLayoutEffect, useRef, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { Problem } from '../../api/problem';
import type { Source, Stretch } from '../../chat/citations';
import { Button } from '../../ui/Button';
import { Loading } from '../../ui/Layout';
import { ErrorNotice, Notice, ReadNotice, TraceId } from '../../ui/Notice';
import { readPlace, readText } from './data';
import styles from './DocumentText.module.css';

/** So much more of the text for each press of the button. */
const step = 8_000;

/** A document's text at a place: the cited words marked and in view, more of it on demand. What it says is text from outside, and is shown as it stands. */
export function DocumentText({ source, label }: { source: Source; label: string }) {
  const { t } = useTranslation();
  const place = useQuery({ queryKey: ['document-text', source], queryFn: ({ signal }) => readPlace(source, signal), staleTime: 60_000 });
  const [more, setMore] = useState<Stretch | null>(null);
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>(null);
  const mark = useRef<HTMLElement>(null);
  const there = place.data !== undefined;
  useLayoutEffect(() => {
    if (there) mark.current?.scrollIntoView({ block: 'center', behavior: 'instant' });
  }, [there]);

  if (place.isPending) return <Loading label={t('state.loading')} />;
  // What is being read stays when a later look fails; only what is gone, or not for this reader any more, is gone.
  if (place.isLoadingError || isGone(place.error)) return <Unreadable error={place.error} source={source} retry={() => void place.refetch()} />;
  const { characters, cited, sought } = place.data;
  const shown = more ?? place.data;
  const end = shown.start + shown.text.length;
  const fetchMore = async (before: boolean) => {
    setBusy(true);
    setError(null);
    try {
      const start = before ? Math.max(0, shown.start - step) : end;
      const piece = await readText(source.documentId, start, before ? shown.start : end + step);
      setMore(before ? { start: piece.start, text: piece.text + shown.text } : { start: shown.start, text: shown.text + piece.text });
    } catch (e) {
      setError(e);
    } finally {
      setBusy(false);
    }
  };
  const shift = place.data.start - shown.start;
  const [from, to] = cited ? [cited.from + shift, cited.to + shift] : [0, 0];
  return (
    <div className={styles.view}>
      {source.excerpt && !cited ? <Notice tone="warning" title={t(sought ? 'documents.changed' : 'documents.notSought')}><Excerpt text={source.excerpt} /></Notice> : null}
      <ReadNotice of={place} />
      {error ? <ErrorNotice error={error} /> : null}
      <div className={styles.text} role="region" aria-label={label} tabIndex={0}>
        {shown.start > 0 ? <Button size="s" busy={busy} onClick={() => void fetchMore(true)}>{t('documents.before')}</Button> : null}
        <div className={styles.plain}>{shown.text.slice(0, from)}{cited ? <mark ref={mark}>{shown.text.slice(from, to)}</mark> : null}{shown.text.slice(to)}</div>
        {end < characters ? <Button size="s" busy={busy} onClick={() => void fetchMore(false)}>{t('documents.after')}</Button> : null}
      </div>
    </div>
  );
}

function isGone(error: unknown): boolean {
  return error instanceof Problem && (error.status === 404 || error.status === 403);
}

/** Why there is no text, and what the answer had of it. */
function Unreadable({ error, source, retry }: { error: unknown; source: Source; retry: () => void }) {
  const { t } = useTranslation();
  const excerpt = source.excerpt ? <Excerpt text={source.excerpt} /> : null;
  if (error instanceof Problem && error.status === 409) return <Notice tone="warning" title={t('documents.notReady')} action={<Button size="s" onClick={retry}>{t('action.retry')}</Button>}><div>{t('documents.notReadyText')}</div>{excerpt}</Notice>;
  if (isGone(error)) return <Notice tone="warning" title={t('documents.goneTitle')}><div>{t('documents.goneText')}</div><TraceId of={error} />{excerpt}</Notice>;
  return <div><ErrorNotice error={error} retry={retry} />{excerpt}</div>;
}

function Excerpt({ text }: { text: string }) {
  const { t } = useTranslation();
  return <figure className={styles.excerpt}><figcaption>{t('documents.excerpt')}</figcaption><blockquote>{text}</blockquote></figure>;
}
