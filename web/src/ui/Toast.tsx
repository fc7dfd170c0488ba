import { Toast as Radix } from 'radix-ui';
import { X } from 'lucide-react';
import { createContext, use, useCallback, useMemo, useState, type ReactNode } from 'react';
import { useTranslation } from 'react-i18next';
import styles from './Toast.module.css';

interface ToastItem {
  id: number;
  text: string;
  tone: 'neutral' | 'danger';
  action?: { label: string; run: () => void };
  /** Left alone until its time was over: what could have been undone is final. */
  onExpire?: () => void;
}

type Show = (text: string, options?: Partial<Pick<ToastItem, 'tone' | 'action' | 'onExpire'>>) => void;
const Context = createContext<Show>(() => undefined);

/** Says that something happened, and offers to undo it. Nothing is said here alone that one must not miss. */
export function useToast(): Show {
  return use(Context);
}

export function ToastProvider({ children }: { children: ReactNode }) {
  const { t } = useTranslation();
  const [items, setItems] = useState<readonly ToastItem[]>([]);
  const remove = useCallback((id: number) => setItems((all) => all.filter((i) => i.id !== id)), []);
  const show = useCallback<Show>((text, options) => {
    setItems((all) => [...all.slice(-3), { id: Date.now() + Math.random(), text, tone: 'neutral', ...options }]);
  }, []);
  return (
    <Radix.Provider label={t('toast.label')} duration={7_000} swipeDirection="right">
      <Context value={useMemo(() => show, [show])}>{children}</Context>
      {items.map((item) => (
        <Radix.Root
          key={item.id} className={`${styles.toast} ${item.tone === 'danger' ? styles.danger : ''}`}
          onOpenChange={(open) => {
            if (!open) {
              item.onExpire?.();
              remove(item.id);
            }
          }}
        >
          <Radix.Description className={styles.text}>{item.text}</Radix.Description>
          {item.action ? (
            <Radix.Action
              altText={item.action.label} className={styles.action}
              onClick={(event) => {
                event.preventDefault();
                item.action?.run();
                remove(item.id);
              }}
            >
              {item.action.label}
            </Radix.Action>
          ) : null}
          <Radix.Close className={styles.close} aria-label={t('action.close')}><X size={14} aria-hidden /></Radix.Close>
        </Radix.Root>
      ))}
      <Radix.Viewport className={styles.viewport} />
    </Radix.Provider>
  );
}
