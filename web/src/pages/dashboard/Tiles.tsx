import type { ReactNode } from 'react';
import styles from './Dashboard.module.css';

export interface Tile {
  name: string;
  value: ReactNode;
  note?: string | undefined;
}

/** Figures side by side. */
export function Tiles({ tiles, inner = false }: { tiles: readonly (Tile | null)[]; inner?: boolean }) {
  return (
    <dl className={`${styles.tiles} ${inner ? styles.inner : ''}`}>
      {tiles.filter((tile) => tile !== null).map((tile) => <div key={tile.name} className={styles.tile}><dt>{tile.name}</dt><dd>{tile.value}{tile.note ? <div className={styles.note}>{tile.note}</div> : null}</dd></div>)}
    </dl>
  );
}
