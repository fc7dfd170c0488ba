import type { ReactNode } from 'react';
import styles from './Layout.module.css';

/** What the tab, the history and the windows list call it, and what a screen reader says first: no two addresses the same. React moves it to the head. */
export function TabTitle({ of }: { of: string }) {
  return <title>{`${of} – Root-MAS`}</title>;
}

/** A page: its name, what one can do on it, its content. `tab`: what tells it apart in the browser where its name alone does not. */
export function Page({ title, tab = title, intro, actions, children, wide = false }: { title: string; tab?: string; intro?: ReactNode; actions?: ReactNode; children: ReactNode; wide?: boolean }) {
  return (
    <div className={`${styles.page} ${wide ? styles.wide : ''}`}>
      <TabTitle of={tab} />
      <header className={styles.head}>
        <div>
          <h1 dir="auto" tabIndex={-1} data-page-title>{title}</h1>
          {intro ? <p className={styles.intro}>{intro}</p> : null}
        </div>
        {actions ? <div className={styles.actions}>{actions}</div> : null}
      </header>
      {children}
    </div>
  );
}

export function Card({ title, actions, children }: { title?: string; actions?: ReactNode; children: ReactNode }) {
  return (
    <section className={styles.card}>
      {title || actions ? <header className={styles.cardHead}>{title ? <h2>{title}</h2> : <span />}{actions}</header> : null}
      {children}
    </section>
  );
}

/** Nothing here yet: says what would be, and how it comes. */
export function EmptyState({ icon, title, children, action }: { icon?: ReactNode; title: string; children?: ReactNode; action?: ReactNode }) {
  return (
    <div className={styles.empty}>
      {icon ? <div className={styles.emptyIcon} aria-hidden>{icon}</div> : null}
      <h2>{title}</h2>
      {children ? <div className={styles.intro}>{children}</div> : null}
      {action}
    </div>
  );
}

export function Badge({ tone = 'neutral', children }: { tone?: 'neutral' | 'info' | 'success' | 'warning' | 'danger' | 'accent'; children: ReactNode }) {
  return <span className={`${styles.badge} ${styles[`badge-${tone}`] ?? ''}`}>{children}</span>;
}

export function Loading({ label }: { label: string }) {
  return <div className={styles.loading} role="status"><span className={styles.dots} aria-hidden><i /><i /><i /></span><span className="sr-only">{label}</span></div>;
}

/** Names and values, as a list of what a thing is. */
export function Facts({ items }: { items: readonly (readonly [string, ReactNode] | null)[] }) {
  return <dl className={styles.facts}>{items.filter((i) => i !== null).map(([name, value]) => <div key={name}><dt>{name}</dt><dd>{value}</dd></div>)}</dl>;
}
