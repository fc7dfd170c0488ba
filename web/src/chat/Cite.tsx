import { createContext, use, useMemo, type ReactNode } from 'react';
import { useTranslation } from 'react-i18next';
import { sourceOf, type Numbered } from './citations';
import { hostOf } from './LinkText';
import styles from './Markdown.module.css';
import { useOpenSource } from './opening';

const Known = createContext<ReadonlyMap<string, Numbered>>(new Map());

/** The sources that marks in here may stand for. */
export function CitedText({ sources, children }: { sources: readonly Numbered[]; children: ReactNode }) {
  return <Known value={useMemo(() => new Map(sources.map((s) => [s.citation.id, s])), [sources])}>{children}</Known>;
}

/** A mark in an answer: the number of its source, which opens it. A mark that stands for nothing that is known stays the text that it is. */
export function Mark({ id, words }: { id: string; words: string }) {
  const { t } = useTranslation();
  const open = useOpenSource();
  const known = use(Known).get(id);
  if (!known) return words;
  const { number, citation } = known;
  const source = sourceOf(citation);
  const name = t('chat.sourceNumber', { number, title: nameOf(citation.title, citation.url, t('documents.gone')) });
  const label = citation.page === null ? name : `${name}, ${t('chat.page', { page: citation.page })}`;
  if (source && open) return <button type="button" className={styles.mark} aria-label={label} title={citation.title ?? undefined} aria-haspopup="dialog" data-cite={id} onClick={() => { open(source); }}>{number}</button>;
  const address = webAddress(citation.url);
  const host = hostOf(address);
  if (!address || !host) return <span className={styles.mark} title={citation.title ?? undefined}>{number}</span>;
  return <a className={styles.mark} href={address} aria-label={`${label} (${host})`} title={address} target="_blank" rel="noopener noreferrer nofollow ugc">{number}<bdi dir="ltr" className={styles.host}>{host}</bdi></a>;
}

export function nameOf(title: string | null, url: string | null, otherwise: string): string {
  return title ?? url ?? otherwise;
}

export function webAddress(url: string | null): string | null {
  return url !== null && /^https?:\/\//i.test(url) ? url : null;
}
