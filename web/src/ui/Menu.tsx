import { DropdownMenu as Radix } from 'radix-ui';
import type { ReactElement, ReactNode } from 'react';
import styles from './Menu.module.css';

export interface MenuItem {
  label: string;
  icon?: ReactNode;
  danger?: boolean;
  disabled?: boolean;
  onSelect: () => void;
}

/** `null` between items is a line. */
export function Menu({ trigger, items, label }: { trigger: ReactElement; items: readonly (MenuItem | null)[]; label?: string }) {
  return (
    <Radix.Root>
      <Radix.Trigger asChild>{trigger}</Radix.Trigger>
      <Radix.Portal>
        <Radix.Content className={styles.menu} sideOffset={4} collisionPadding={8} align="end" aria-label={label}>
          {items.map((item, i) => item === null
            ? <Radix.Separator key={`line-${i}`} className={styles.line} />
            : (
              <Radix.Item key={item.label} className={`${styles.item} ${item.danger ? styles.danger : ''}`} disabled={item.disabled === true} onSelect={item.onSelect}>
                <span className={styles.icon} aria-hidden>{item.icon}</span>
                {item.label}
              </Radix.Item>
            ))}
        </Radix.Content>
      </Radix.Portal>
    </Radix.Root>
  );
}
