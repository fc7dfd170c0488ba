import type { ReactNode } from 'react';
import styles from './Section.module.css';

/** One part of the administration: its name, what it is for, what one can do. */
export function Section({ title, intro, actions, children }: { title: string; intro?: ReactNode; actions?: ReactNode; children: ReactNode }) {
  return (
    <section className={styles.section}>
      <header className={styles.head}>
        <div>
          <h2>{title}</h2>
          {intro ? <p className={styles.intro}>{intro}</p> : null}
        </div>
        {actions ? <div className={styles.actions}>{actions}</div> : null}
      </header>
      {children}
    </section>
  );
}

/** Filters above a list: side by side, one below the other where it is narrow. */
export function Filters({ children, label }: { children: ReactNode; label: string }) {
  return <div className={styles.filters} role="group" aria-label={label}>{children}</div>;
}

/** Two lines in a table's cell. */
export function Stack({ children, below }: { children: ReactNode; below?: ReactNode }) {
  return <div className={styles.stack}><div>{children}</div>{below ? <div className={styles.below}>{below}</div> : null}</div>;
}

export function CheckList({ label, children }: { label: string; children: ReactNode }) {
  return <fieldset className={styles.checks}><legend>{label}</legend><div>{children}</div></fieldset>;
}

export function Code({ children }: { children: string }) {
  return <pre className={styles.code} tabIndex={0}>{children}</pre>;
}
