import type { ReactNode } from 'react';
import { useTranslation } from 'react-i18next';
import styles from './Dashboard.module.css';

export interface Tile {
  name: string;
  value: ReactNode;
  note?: string | undefined;
}

/** Figures side by side. */
export function Tiles({ tiles, inner = false, busy = false }: { tiles: readonly (Tile | null)[]; inner?: boolean; busy?: boolean }) {
  return (
    <dl className={`${styles.tiles} ${inner ? styles.inner : ''}`} aria-busy={busy || undefined}>
      {tiles.filter((tile) => tile !== null).map((tile) => <div key={tile.name} className={styles.tile}><dt>{tile.name}</dt><dd>{tile.value}{tile.note ? <div className={styles.note}>{tile.note}</div> : null}</dd></div>)}
    </dl>
  );
}

/** The place of figures that are on their way: as many, as high, so that nothing moves when they come. */
export function TilesToCome({ names, inner = false, noted = [] }: { names: readonly string[]; inner?: boolean; noted?: readonly string[] }) {
  const { t } = useTranslation();
  return (
    <>
      <span className="sr-only" role="status">{t('state.loading')}</span>
      <Tiles inner={inner} busy tiles={names.map((name) => ({ name, value: '…', note: noted.includes(name) ? '\u00a0' : undefined }))} />
    </>
  );
}
