import { Dialog as Radix } from 'radix-ui';
import { X } from 'lucide-react';
import { createContext, use, useCallback, useEffect, useState, type ReactNode } from 'react';
import { useTranslation } from 'react-i18next';
import { Button, IconButton } from './Button';
import { firstField, useFocusBack } from './focus';
import { ErrorNotice } from './Notice';
import { useUnsaved } from './unsaved';
import styles from './Dialog.module.css';

/** To what one came for; on the closing cross its hint would open, and take the first Escape. */
function focusFirst(event: Event): void {
  event.preventDefault();
  if (!(event.currentTarget instanceof HTMLElement)) return;
  (firstField(event.currentTarget) ?? event.currentTarget).focus();
}

interface Held {
  hold: (busy: boolean) => void;
  soil: (dirty: boolean) => void;
  leave: (close: () => void) => void;
}

const Holding = createContext<Held>({ hold: () => undefined, soil: () => undefined, leave: (close) => { close(); } });

/**
 * While something that was asked for in a dialog is on its way, the dialog stays: what comes of it then finds the dialog that it belongs to, and no other.
 * What was typed in it and is not saved (`dirty`) is not closed away unasked; gives what closes it after that question.
 */
export function useHoldsDialog(busy: boolean, dirty: boolean): (close: () => void) => void {
  const { hold, soil, leave } = use(Holding);
  useEffect(() => {
    if (!busy) return;
    hold(true);
    return () => { hold(false); };
  }, [hold, busy]);
  useEffect(() => {
    if (!dirty) return;
    soil(true);
    return () => { soil(false); };
  }, [soil, dirty]);
  return leave;
}

interface DialogProps {
  open: boolean;
  /** Missing: neither Escape nor a click beside it closes the dialog, and there is no cross. What it asks has to be answered. */
  onClose?: () => void;
  title: string;
  description?: ReactNode;
  children?: ReactNode;
  footer?: ReactNode;
  wide?: boolean;
  /** It cannot be closed now. A form in it says so by itself. */
  busy?: boolean;
}

export function Dialog({ open, onClose, busy = false, ...rest }: DialogProps) {
  const [held, setHeld] = useState(false);
  const [dirty, setDirty] = useState(false);
  const [leaving, setLeaving] = useState<(() => void) | null>(null);
  const stays = busy || held;
  // Saved, or gone with the form: then there is nothing left to ask about.
  const soil = useCallback((now: boolean) => { setDirty(now); setLeaving(null); }, []);
  const leave = (close: () => void) => {
    if (dirty) setLeaving(() => close);
    else close();
  };
  useUnsaved(dirty && !stays && onClose !== undefined); // on its way to the server it is not to be lost, and what comes of it may lead on
  return (
    <>
      <Radix.Root open={open} onOpenChange={(now) => { if (!now && !stays && onClose) leave(onClose); }}>
        <Radix.Portal>
          <Radix.Overlay className={styles.overlay} onMouseDown={(event) => { if (dirty) event.preventDefault(); /* the focus stays where one types */ }} />
          <Holding value={{ hold: setHeld, soil, leave }}><Content {...rest} closes={onClose !== undefined} stays={stays} dirty={dirty} /></Holding>
        </Radix.Portal>
      </Radix.Root>
      {leaving ? <Discard onStay={() => { setLeaving(null); }} onDiscard={() => { setLeaving(null); leaving(); }} /> : null}
    </>
  );
}

/** Asks before what was typed and is not saved goes away. */
export function Discard({ onStay, onDiscard }: { onStay: () => void; onDiscard: () => void }) {
  const { t } = useTranslation();
  return (
    <Dialog
      open onClose={onStay} title={t('unsaved.title')} description={t('unsaved.text')}
      footer={<><Button onClick={onStay}>{t('unsaved.stay')}</Button><Button kind="danger" onClick={onDiscard}>{t('unsaved.discard')}</Button></>}
    />
  );
}

interface ContentProps extends Omit<DialogProps, 'open' | 'onClose' | 'busy'> {
  closes: boolean;
  stays: boolean;
  dirty: boolean;
}

function Content({ title, description, children, footer, wide = false, closes, stays, dirty }: ContentProps) {
  const { t } = useTranslation();
  const focusBack = useFocusBack();
  return (
    <Radix.Content className={`${styles.dialog} ${wide ? styles.wide : ''}`} onOpenAutoFocus={focusFirst} onCloseAutoFocus={focusBack} onInteractOutside={(event) => { if (dirty) event.preventDefault(); }} {...(description === undefined && { 'aria-describedby': undefined })}>
      <header className={styles.head}>
        <Radix.Title asChild><h2>{title}</h2></Radix.Title>
        {closes ? <Radix.Close asChild><IconButton label={t('action.close')} size="s" disabled={stays}><X size={16} aria-hidden /></IconButton></Radix.Close> : null}
      </header>
      {description === undefined ? null : <Radix.Description asChild><div className={styles.text}>{description}</div></Radix.Description>}
      {children}
      {footer ? <footer className={styles.foot}>{footer}</footer> : null}
    </Radix.Content>
  );
}

interface ConfirmProps {
  open: boolean;
  onClose: () => void;
  title: string;
  description: ReactNode;
  action: string;
  danger?: boolean;
  /** The dialog stays, with the reason, when it fails. */
  onConfirm: () => Promise<unknown>;
  children?: ReactNode;
}

/** Asks before what cannot be taken back. */
export function ConfirmDialog({ open, onClose, title, description, action, danger = false, onConfirm, children }: ConfirmProps) {
  const { t } = useTranslation();
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>(null);
  // Opened again, it is another question: what went wrong before is not about it.
  const [was, setWas] = useState(open);
  if (open !== was) {
    setWas(open);
    setError(null);
  }
  const confirm = async () => {
    setBusy(true);
    setError(null);
    try {
      await onConfirm();
      onClose();
    } catch (e) {
      setError(e);
    } finally {
      setBusy(false);
    }
  };
  return (
    <Dialog
      open={open} onClose={onClose} busy={busy} title={title} description={description}
      footer={<><Button kind="ghost" disabled={busy} onClick={onClose}>{t('action.cancel')}</Button><Button kind={danger ? 'danger' : 'primary'} busy={busy} onClick={() => void confirm()}>{action}</Button></>}
    >
      {children}
      {error ? <ErrorNotice error={error} /> : null}
    </Dialog>
  );
}
