import type { ReactNode } from 'react';
import { useTranslation } from 'react-i18next';
import { Button } from './Button';
import styles from './Table.module.css';

export interface Column<T> {
  key: string;
  header: string;
  cell: (row: T) => ReactNode;
  /** Figures stand to the right, in digits of equal width. */
  numeric?: boolean;
  /** Not on narrow screens; `'wide'`: on wide ones only. */
  secondary?: boolean | 'wide';
}

interface TableProps<T> {
  /** What the rows are, for assistive technology. */
  caption: string;
  columns: readonly Column<T>[];
  rows: readonly T[];
  rowKey: (row: T) => string;
  empty?: ReactNode;
  loading?: boolean;
  /** There is more to fetch. */
  more?: { load: () => void; busy: boolean } | undefined;
}

/** The one table: scrolls inside itself, never the page; on narrow screens the first columns stay and the secondary ones go. */
export function Table<T>({ caption, columns, rows, rowKey, empty, loading = false, more }: TableProps<T>) {
  const { t } = useTranslation();
  const toMore = more ? <div className={styles.more}><Button size="s" busy={more.busy} onClick={more.load}>{t('action.more')}</Button></div> : null;
  if (!loading && rows.length === 0 && empty) return <>{empty}{toMore}</>;
  return (
    <div className={styles.frame} role="region" aria-label={caption} tabIndex={0}>
      <table className={styles.table} aria-busy={loading || undefined}>
        <caption className="sr-only">{caption}</caption>
        <thead>
          <tr>{columns.map((c) => <th key={c.key} scope="col" className={classes(c)}>{c.header}</th>)}</tr>
        </thead>
        <tbody>
          {loading && rows.length === 0
            ? Array.from({ length: 4 }, (_, i) => <tr key={i}>{columns.map((c) => <td key={c.key} className={classes(c)}><span className={styles.bone} /></td>)}</tr>)
            : rows.map((row) => <tr key={rowKey(row)}>{columns.map((c) => <td key={c.key} className={classes(c)}>{c.cell(row)}</td>)}</tr>)}
        </tbody>
      </table>
      {toMore}
    </div>
  );
}

function classes<T>(column: Column<T>): string {
  return [column.numeric ? styles.numeric : '', column.secondary ? styles.secondary : '', column.secondary === 'wide' ? styles.wide : ''].join(' ');
}
