import { Fragment, useEffect, useLayoutEffect, useRef, useState, type FormEvent, type ReactNode } from 'react';
import { useTranslation } from 'react-i18next';
import { Problem } from '../api/problem';
import { Button } from './Button';
import { Dialog, useHoldsDialog } from './Dialog';
import { firstField, goOn } from './focus';
import { ErrorNotice } from './Notice';
import { Said } from './Said';
import styles from './Form.module.css';

interface FormProps {
  /** Gives `false` if nothing was sent. */
  onSubmit: () => Promise<unknown>;
  submit: string;
  onCancel?: () => void;
  /** Fields that show their own errors; what the server says of any other field, or of one that is not drawn at the moment, stands above the buttons. */
  fields: readonly string[];
  /** Shown when somebody else changed it meanwhile: what to do about it. What cannot be read is said by the form, unless that is said elsewhere already. Gives `true` if what was typed made way for what is there now. */
  onReload?: () => unknown;
  onOverwrite?: () => Promise<unknown>;
  children: (errors: (field: string) => readonly ReactNode[] | undefined, busy: boolean) => ReactNode;
}

const errorsIn = (error: unknown) => error instanceof Problem ? error.errors : {};

/** The one form: sends once, shows each refusal at its field, asks when somebody else was quicker (412), and in a dialog before what was typed is lost. */
export function Form({ onSubmit, submit, onCancel, fields, onReload, onOverwrite, children }: FormProps) {
  const { t } = useTranslation();
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>(null);
  const [conflict, setConflict] = useState(false);
  const form = useRef<HTMLFormElement>(null);
  const [dirty, setDirty] = useState(false);
  /** Refused fields that are not on the page. */
  const [hidden, setHidden] = useState<readonly string[]>([]);
  const leave = useHoldsDialog(busy, dirty);

  // A long form: the first refused field may be out of sight. With the refusal, not a moment after it: what is typed meanwhile would go elsewhere.
  useLayoutEffect(() => {
    if (!error) return;
    const drawn = [...form.current?.querySelectorAll<HTMLElement>('[data-refused]') ?? []].map((e) => e.dataset['refused']);
    setHidden(Object.keys(errorsIn(error)).filter((field) => !drawn.includes(field)));
    goOn(form.current?.querySelector<HTMLElement>('[aria-invalid]'), form.current?.closest('[role=dialog]') ?? form.current);
  }, [error]);
  // What it shows had to be read first: its dialog has the focus until it is there.
  useEffect(() => {
    const dialog = form.current?.closest('[role=dialog]');
    if (dialog && dialog === document.activeElement) firstField(dialog)?.focus();
  }, []);

  const run = async (work: () => Promise<unknown>) => {
    setBusy(true);
    setError(null);
    setHidden([]);
    try {
      if (await work() !== false) setDirty(false);
    } catch (e) {
      if (e instanceof Problem && e.status === 412 && (onReload ?? onOverwrite)) setConflict(true);
      else setError(e);
    } finally {
      setBusy(false);
    }
  };

  const byField = errorsIn(error);
  const errorsOf = (field: string) => byField[field]?.map((message) => <span key={message} data-refused={field}><Said text={message} /></span>);
  const elsewhere = Object.entries(byField).filter(([field]) => !fields.includes(field) || hidden.includes(field));
  const isAtFields = Object.keys(byField).length > 0 && elsewhere.length === 0;
  return (
    <form
      ref={form} className={styles.form} noValidate onChange={() => { setDirty(true); }}
      onSubmit={(event: FormEvent) => {
        event.preventDefault();
        if (!busy) void run(onSubmit);
      }}
    >
      {children(errorsOf, busy)}
      {elsewhere.map(([field, messages]) => <div key={field} className={styles.other} role="alert"><code>{field}</code> {messages.map((message) => <Fragment key={message}><Said text={message} /> </Fragment>)}</div>)}
      {error && !isAtFields ? <ErrorNotice error={error} withFields={false} /> : null}
      <div className={styles.foot}>
        {onCancel ? <Button kind="ghost" disabled={busy} onClick={() => { leave(onCancel); }}>{t('action.cancel')}</Button> : null}
        <Button kind="primary" type="submit" busy={busy}>{submit}</Button>
      </div>
      <Dialog
        open={conflict} onClose={() => { setConflict(false); }} title={t('conflict.title')} description={t('conflict.text')}
        footer={(
          <>
            {onReload ? <Button onClick={() => { setConflict(false); void run(async () => await onReload() === true); }}>{t('conflict.reload')}</Button> : null}
            {onOverwrite ? <Button kind="danger" onClick={() => { setConflict(false); void run(onOverwrite); }}>{t('conflict.overwrite')}</Button> : null}
          </>
        )}
      />
    </form>
  );
}
