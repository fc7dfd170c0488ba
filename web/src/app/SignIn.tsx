import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { api } from '../api/client';
import { asProblem } from '../api/problem';
import { Button } from '../ui/Button';
import { TextField } from '../ui/Field';
import { Form } from '../ui/Form';
import { Dialog } from '../ui/Dialog';
import { TabTitle } from '../ui/Layout';
import { ErrorNotice, Notice } from '../ui/Notice';
import { LanguageAndTheme } from './Preferences';
import styles from './SignIn.module.css';

/** Name and password, with what password managers look for. */
function Credentials({ onDone, username: known }: { onDone: () => void; username?: string }) {
  const { t } = useTranslation();
  const [username, setUsername] = useState(known ?? '');
  const [password, setPassword] = useState('');
  return (
    <Form
      submit={t('signIn.submit')} fields={['username', 'password']}
      onSubmit={async () => {
        await api.POST('/api/v1/auth/login', { body: { username, password } });
        setPassword('');
        onDone();
      }}
    >
      {(errors) => (
        <>
          <TextField label={t('signIn.username')} name="username" autoComplete="username" autoCapitalize="none" spellCheck={false} required autoFocus={known === undefined} readOnly={known !== undefined} value={username} onChange={(e) => { setUsername(e.target.value); }} errors={errors('username')} />
          <TextField label={t('signIn.password')} name="password" type="password" autoComplete="current-password" required value={password} onChange={(e) => { setPassword(e.target.value); }} errors={errors('password')} />
        </>
      )}
    </Form>
  );
}

export function SignInPage({ onDone }: { onDone: () => void }) {
  const { t } = useTranslation();
  return (
    <Gate title={t('signIn.title')} intro={t('signIn.intro')}>
      <Credentials onDone={onDone} />
    </Gate>
  );
}

/** The session ended while somebody worked: nothing on the page is lost, unless they sign out, which takes their drafts along and is therefore asked for twice. */
export function SignInAgain({ open, username, onDone, onLeave }: { open: boolean; username: string; onDone: () => void; onLeave: () => void }) {
  const { t } = useTranslation();
  const [leaving, setLeaving] = useState(false);
  return (
    <Dialog
      open={open} title={t('signIn.againTitle')} description={t('signIn.againText')}
      footer={leaving ? undefined : <Button kind="ghost" onClick={() => { setLeaving(true); }}>{t('signIn.out')}</Button>}
    >
      <Credentials onDone={() => { setLeaving(false); onDone(); }} username={username} />
      {leaving ? (
        <Notice
          tone="warning" title={t('signIn.leaveTitle')}
          action={<><Button size="s" kind="ghost" autoFocus onClick={() => { setLeaving(false); }}>{t('action.cancel')}</Button><Button size="s" kind="danger" onClick={onLeave}>{t('signIn.leave')}</Button></>}
        >
          {t('signIn.leaveText')}
        </Notice>
      ) : null}
    </Dialog>
  );
}

/** The sign-out did not reach the server. `error` null: nothing of the kind. */
export function StillSignedIn({ error, onRetry, onClose }: { error: unknown; onRetry: () => void; onClose: () => void }) {
  const { t } = useTranslation();
  return (
    <Dialog open={error !== null} onClose={onClose} title={t('signIn.stillTitle')} description={t('signIn.stillText')}>
      {error === null ? null
        : asProblem(error).isSilent ? <Notice tone="danger" title={t('error.unreachable')} action={<Button size="s" onClick={onRetry}>{t('action.retry')}</Button>} />
          : <ErrorNotice error={error} retry={onRetry} />}
    </Dialog>
  );
}

/** It is not known who is here: no answer, or one that says no more. */
export function NoAnswerPage({ error, retry }: { error: unknown; retry: () => void }) {
  const { t } = useTranslation();
  return (
    <Gate title={t('error.unreachable')} intro={t('error.unreachableHint')}>
      {asProblem(error).isSilent ? <Button onClick={retry}>{t('action.retry')}</Button> : <ErrorNotice error={error} retry={retry} />}
    </Gate>
  );
}

/** What stands alone in the middle: sign-in and first run. */
export function Gate({ title, intro, children }: { title: string; intro: string; children: React.ReactNode }) {
  return (
    <main className={styles.gate}>
      <TabTitle of={title} />
      <div className={styles.box}>
        <img src="/icon.svg" width={40} height={40} alt="" />
        <div>
          <h1>{title}</h1>
          <p className={styles.intro}>{intro}</p>
        </div>
        {children}
      </div>
      <LanguageAndTheme />
    </main>
  );
}
