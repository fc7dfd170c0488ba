import { Copy, LogOut } from 'lucide-react';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { Link } from 'react-router';
import { notificationsAreOn, setNotifications } from '../../app/notifications';
import { LanguageAndTheme } from '../../app/Preferences';
import { useSession } from '../../app/session';
import { ShortcutList } from '../../app/Shortcuts';
import { setShortcuts, shortcutsAreOn } from '../../app/shortcuts';
import { Button, IconButton } from '../../ui/Button';
import { useCopy } from '../../ui/clipboard';
import { Checkbox } from '../../ui/Field';
import { Card, Facts, Page } from '../../ui/Layout';
import { Notice } from '../../ui/Notice';
import { useToast } from '../../ui/Toast';
import { SetPassword } from '../admin/users/UserForms';
import { ApiKeys } from './ApiKeys';
import { MyData } from './MyData';
import { Sessions } from './Sessions';
import styles from './ProfilePage.module.css';

/** What is one's own: how the app looks and behaves, how one gets in, and one's data. */
export default function ProfilePage() {
  const { t } = useTranslation();
  const { user, me, can, signOut } = useSession();
  const toast = useToast();
  const limit = (value: number | string | null | undefined) => value === null || value === undefined ? t('profile.usual') : String(value);
  return (
    <Page title={t('nav.profile')} actions={<Button icon={<LogOut size={16} aria-hidden />} onClick={() => void signOut()}>{t('signIn.out')}</Button>}>
      <Card title={user.username}>
        <Facts items={[[t('profile.name'), <Copied key="name" text={user.username} label={t('profile.copyName')} />], [t('profile.id'), <Copied key="id" text={user.id} label={t('profile.copyId')} />], [t('admin.users.role'), t(`admin.role.${user.role}`)], [t('profile.runsAtOnce'), limit(me.limits.runs)], [t('profile.requests'), limit(me.limits.requests)]]} />
      </Card>
      <Card title={t('profile.appearance')}><LanguageAndTheme /></Card>
      <Card title={t('profile.notifications.title')}><Notifications /></Card>
      <Card title={t('profile.shortcuts.title')}><ShortcutSwitch /></Card>
      <Card title={t('profile.password.title')}>
        <p>{t('profile.password.text')}</p>
        <SetPassword user={user} isSelf onDone={() => { toast(t('profile.password.done')); }} />
      </Card>
      <Sessions />
      <ApiKeys />
      {can('memory:read') ? <Card title={t('memory.title')} actions={<Link to="/profile/memory">{t('memory.see')}</Link>}><p>{t('memory.intro')}</p></Card> : null}
      <MyData />
    </Page>
  );
}

/** What one tells others, so that they can let one in. */
function Copied({ text, label }: { text: string; label: string }) {
  const { t } = useTranslation();
  const toast = useToast();
  const copy = useCopy();
  return (
    <span className={styles.copied}>
      <code>{text}</code>
      <IconButton size="s" label={label} onClick={() => void copy(text).then((could) => { if (could) toast(t('action.copied')); })}><Copy size={15} aria-hidden /></IconButton>
    </span>
  );
}

function Notifications() {
  const { t } = useTranslation();
  const user = useSession().user.id;
  const [on, setOn] = useState(() => notificationsAreOn(user));
  const [refused, setRefused] = useState(false);
  const change = async (wanted: boolean) => {
    const allowed = await setNotifications(user, wanted);
    setOn(wanted && allowed);
    setRefused(!allowed);
  };
  return (
    <>
      <Checkbox label={t('profile.notifications.on')} hint={t('profile.notifications.hint')} checked={on} onChange={(e) => void change(e.target.checked)} />
      {refused ? <Notice tone="warning">{t('profile.notifications.refused')}</Notice> : null}
    </>
  );
}

function ShortcutSwitch() {
  const { t } = useTranslation();
  const [on, setOn] = useState(shortcutsAreOn);
  return (
    <>
      <Checkbox label={t('profile.shortcuts.on')} hint={t('profile.shortcuts.hint')} checked={on} onChange={(e) => { setShortcuts(e.target.checked); setOn(e.target.checked); }} />
      <ShortcutList />
    </>
  );
}
