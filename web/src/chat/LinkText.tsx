import type { ReactNode } from 'react';
import styles from './Markdown.module.css';

/** Where a link leads: the host, of a mail address the whole of it. Null: nowhere that a link may lead to. */
export function hostOf(href: string | null | undefined): string | null {
  try {
    const url = new URL(href ?? '');
    return url.protocol === 'https:' || url.protocol === 'http:' || url.protocol === 'mailto:' ? url.host || url.pathname : null;
  } catch {
    return null;
  }
}

/** A link's words, and where it leads. Each stands for itself: no character in the words turns the host around. */
export function LinkText({ host, children }: { host: string; children: ReactNode }) {
  return <><bdi>{children}</bdi><bdi dir="ltr" className={styles.host}> ({host})</bdi></>;
}
