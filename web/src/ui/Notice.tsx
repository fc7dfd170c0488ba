import { CircleAlert, CircleCheck, Info, TriangleAlert } from 'lucide-react';
import { Fragment, type ReactNode } from 'react';
import { useTranslation } from 'react-i18next';
import { asProblem } from '../api/problem';
import { problemText } from '../api/problemText';
import { Button } from './Button';
import { Said } from './Said';
import styles from './Notice.module.css';

type Tone = 'info' | 'success' | 'warning' | 'danger';
const icons = { info: Info, success: CircleCheck, warning: TriangleAlert, danger: CircleAlert };

export function Notice({ tone = 'info', title, children, action }: { tone?: Tone; title?: string; children?: ReactNode; action?: ReactNode }) {
  const Icon = icons[tone];
  return (
    <div className={`${styles.notice} ${styles[tone]}`} role={tone === 'danger' ? 'alert' : 'status'}>
      <Icon size={18} aria-hidden className={styles.icon} />
      <div className={styles.body}>
        {title ? <strong>{title}</strong> : null}
        {children}
      </div>
      {action}
    </div>
  );
}

/** What went wrong and what to do, in the language of the page, and the trace id to quote. `withFields` false: what is wrong with single fields is said elsewhere. `ofRead`: something could not be seen; else it was done, perhaps, and nobody tries it again by themselves. */
export function ErrorNotice({ error, retry, withFields = true, ofRead = retry !== undefined }: { error: unknown; retry?: () => void; withFields?: boolean; ofRead?: boolean }) {
  const { t } = useTranslation();
  const problem = asProblem(error);
  const { text, facts } = problemText(t, problem, ofRead);
  return (
    <Notice tone="danger" title={problem.isSilent ? t('error.unreachable') : t('error.failed')} action={retry ? <Button size="s" onClick={retry}>{t('action.retry')}</Button> : undefined}>
      <div>{text}</div>
      {facts === null ? null : <div>{t('error.server')}: <span lang="en">{facts}</span></div>}
      {problem.isUnexpected ? <div className={styles.trace}>{t('error.trace')} <code>{problem.message.slice(0, 300)}</code></div> : null}
      {withFields ? Object.entries(problem.errors).map(([field, messages]) => <div key={field}><code>{field}</code> {messages.map((message) => <Fragment key={message}><Said text={message} /> </Fragment>)}</div>) : null}
      <TraceId of={problem} />
    </Notice>
  );
}

/** What to quote of what the server refused; where a page says in its own words what is wrong. */
export function TraceId({ of }: { of: unknown }) {
  const { t } = useTranslation();
  const { traceId } = asProblem(of);
  return traceId ? <div className={styles.trace}>{t('error.trace')} <code>{traceId}</code></div> : null;
}

/** That something could not be read: alone while there is nothing to show, above what was read before otherwise, so that a look in the background takes nothing away that somebody works with. */
export function ReadNotice({ of }: { of: { error: unknown; refetch: () => unknown } }) {
  return of.error ? <ErrorNotice error={of.error} retry={() => { of.refetch(); }} /> : null;
}
