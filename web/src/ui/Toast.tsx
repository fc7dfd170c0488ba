import { Toast as Radix } from 'radix-ui';
import { X } from 'lucide-react';
import { createContext, use, useCallback, useEffect, useMemo, useRef, useState, type ReactNode } from 'react';
import { useTranslation } from 'react-i18next';
import { problemNote } from '../api/problemText';
import styles from './Toast.module.css';

interface ToastItem {
  id: number;
  text: string;
  tone: 'neutral' | 'danger';
  action?: { label: string; run: () => void };
  /** Left alone until its time was over: what could have been undone is final. The promise ends when that is done. */
  onExpire?: () => unknown;
}

/** Gives what takes it away again, as if it had been undone. */
type Show = (text: string, options?: Partial<Pick<ToastItem, 'tone' | 'action' | 'onExpire'>>) => () => void;
const Context = createContext<Show>(() => () => undefined);
const Settling = createContext<() => Promise<void>>(() => Promise.resolve());

/** Says that something happened, and offers to undo it. Nothing is said here alone that one must not miss. */
export function useToast(): Show {
  return use(Context);
}

/** Makes everything final that could still be undone, and ends when that is done, or has failed and said so: for whoever is about to lose the right to do it. */
export function useSettleToasts(): () => Promise<void> {
  return use(Settling);
}

/** Says of what was clicked and failed why, and what to quote. */
export function useFailureToast(): (error: unknown) => void {
  const { t } = useTranslation();
  const toast = useToast();
  return useCallback((error) => { toast(problemNote(t, error), { tone: 'danger' }); }, [t, toast]);
}

export function ToastProvider({ children }: { children: ReactNode }) {
  const { t } = useTranslation();
  const [items, setItems] = useState<readonly ToastItem[]>([]);
  const current = useRef<readonly ToastItem[]>([]);
  const set = useCallback((next: readonly ToastItem[]) => {
    current.current = next;
    setItems(next);
  }, []);
  /** Once and for all: whoever takes it away first says whether it was undone. */
  const take = useCallback((id: number) => {
    const item = current.current.find((i) => i.id === id);
    set(current.current.filter((i) => i.id !== id));
    return item;
  }, [set]);
  const show = useCallback<Show>((text, options) => {
    const shown = current.current;
    const id = Date.now() + Math.random();
    set([...shown.slice(-3), { id, text, tone: 'neutral', ...options }]);
    shown.slice(0, -3).forEach((dropped) => { dropped.onExpire?.(); });
    return () => { take(id); };
  }, [set, take]);
  const settle = useCallback(async () => {
    const shown = current.current;
    set([]);
    await Promise.allSettled(shown.map((item) => item.onExpire?.()));
  }, [set]);
  // Whoever leaves the page does not undo any more.
  useEffect(() => {
    const leave = () => void settle();
    addEventListener('pagehide', leave);
    return () => { removeEventListener('pagehide', leave); };
  }, [settle]);
  return (
    <Radix.Provider label={t('toast.label')} duration={7_000} swipeDirection="right">
      <Settling value={settle}><Context value={useMemo(() => show, [show])}>{children}</Context></Settling>
      {items.map((item) => (
        <Radix.Root
          key={item.id} className={`${styles.toast} ${item.tone === 'danger' ? styles.danger : ''}`}
          onOpenChange={(open) => {
            if (!open) take(item.id)?.onExpire?.();
          }}
        >
          <Radix.Description className={styles.text}>{item.text}</Radix.Description>
          {item.action ? (
            <Radix.Action
              altText={item.action.label} className={styles.action}
              onClick={(event) => {
                event.preventDefault();
                take(item.id)?.action?.run();
              }}
            >
              {item.action.label}
            </Radix.Action>
          ) : null}
          <Radix.Close className={styles.close} aria-label={t('action.close')}><X size={14} aria-hidden /></Radix.Close>
        </Radix.Root>
      ))}
      <Radix.Viewport className={styles.viewport} label={t('toast.region')} />
    </Radix.Provider>
  );
}
