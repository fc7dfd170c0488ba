import { useEffect, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { Link, useNavigate } from 'react-router';
import { Dialog } from '../ui/Dialog';
import { globalAction, onShowShortcuts, shortcuts, shortcutsAreOn } from './shortcuts';
import styles from './Shortcuts.module.css';

export function ShortcutList() {
  const { t } = useTranslation();
  return (
    <dl className={styles.list}>
      {shortcuts.map(({ keys, action }) => (
        <div key={action}>
          <dt>{t(`profile.shortcuts.${action}`)}</dt>
          <dd>{keys.split('+').map((key) => <kbd key={key}>{key}</kbd>)}</dd>
        </div>
      ))}
    </dl>
  );
}

/** The shortcuts that work on every page, and `?` that lists them. */
export function Shortcuts() {
  const { t } = useTranslation();
  const navigate = useNavigate();
  const [open, setOpen] = useState(false);

  useEffect(() => onShowShortcuts(() => { setOpen(true); }), []);
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      const action = event.defaultPrevented ? undefined : globalAction(event);
      if (action === undefined) return;
      event.preventDefault();
      if (action === 'shortcuts') setOpen(true);
      else void navigate('/');
    };
    addEventListener('keydown', onKey);
    return () => { removeEventListener('keydown', onKey); };
  }, [navigate]);

  return (
    <Dialog
      open={open} onClose={() => { setOpen(false); }} title={t('profile.shortcuts.title')}
      description={<>{shortcutsAreOn() ? null : <>{t('profile.shortcuts.areOff')} </>}<Link to="/profile" onClick={() => { setOpen(false); }}>{t('profile.shortcuts.switch')}</Link></>}
    >
      <ShortcutList />
    </Dialog>
  );
}
