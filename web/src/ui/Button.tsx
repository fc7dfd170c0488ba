import type { ComponentProps, MouseEvent, ReactNode } from 'react';
import { Tooltip } from './Tooltip';
import styles from './Button.module.css';

type Kind = 'primary' | 'secondary' | 'ghost' | 'danger';

interface ButtonProps extends Omit<ComponentProps<'button'>, 'children'> {
  kind?: Kind;
  size?: 's' | 'm';
  icon?: ReactNode;
  /** Shows that it works, and takes no second click. It keeps the focus: what is `disabled` loses it to nobody. */
  busy?: boolean;
  children: ReactNode;
}

const idle = { onClick: (event: MouseEvent) => { event.preventDefault(); }, onPointerDown: undefined, onKeyDown: undefined };

export function Button({ kind = 'secondary', size = 'm', icon, busy = false, children, className, disabled, type = 'button', ...rest }: ButtonProps) {
  return (
    <button {...rest} {...(busy && idle)} type={type} aria-busy={busy || undefined} aria-disabled={busy || undefined} disabled={disabled === true && !busy} className={[styles.button, styles[kind], styles[size], className].filter(Boolean).join(' ')}>
      {busy ? <span className={styles.spinner} aria-hidden /> : icon}
      <span>{children}</span>
    </button>
  );
}

interface IconButtonProps extends Omit<ComponentProps<'button'>, 'children' | 'aria-label'> {
  /** What it does: its name for everybody, shown on hover and focus. */
  label: string;
  /** More that is worth knowing before one presses it; shown with its name. */
  hint?: string;
  children: ReactNode;
  size?: 's' | 'm';
  pressed?: boolean;
}

export function IconButton({ label, hint, children, size = 'm', pressed, className, type = 'button', ...rest }: IconButtonProps) {
  return (
    <Tooltip text={hint ? `${label}. ${hint}` : label}>
      <button {...rest} type={type} aria-label={label} aria-pressed={pressed} className={[styles.button, styles.icon, styles[size], className].filter(Boolean).join(' ')}>
        {children}
      </button>
    </Tooltip>
  );
}
