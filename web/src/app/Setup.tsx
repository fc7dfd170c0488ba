import { useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { api } from '../api/client';
import { Problem } from '../api/problem';
import { Button } from '../ui/Button';
import { TextField } from '../ui/Field';
import { Form } from '../ui/Form';
import { ErrorNotice } from '../ui/Notice';
import { Gate } from './SignIn';

/** The first run: whoever can read the server's data directory becomes the first administrator. */
export function SetupPage({ onDone }: { onDone: () => void }) {
  const { t } = useTranslation();
  const [token, setToken] = useState('');
  const [username, setUsername] = useState('admin');
  const [password, setPassword] = useState('');
  const [again, setAgain] = useState('');
  const cache = useQueryClient();
  const [late, setLate] = useState<Problem | null>(null);
  const differs = again !== '' && again !== password;
  // Somebody was quicker: there is a name to sign in with.
  if (late) return <Gate title={t('signIn.title')} intro={t('signIn.intro')}><ErrorNotice error={late} /><Button kind="primary" onClick={() => void cache.invalidateQueries({ queryKey: ['setup'] })}>{t('signIn.submit')}</Button></Gate>;
  return (
    <Gate title={t('setup.title')} intro={t('setup.intro')}>
      <Form
        submit={t('setup.submit')} fields={['setup_token', 'username', 'password']}
        onSubmit={async () => {
          if (password !== again) {
            setAgain(again === '' ? ' ' : again);
            return;
          }
          try {
            await api.POST('/api/v1/auth/setup', { body: { setup_token: token.trim(), username, password } });
          } catch (error) {
            if (!(error instanceof Problem && error.code === 'setup_done')) throw error;
            setLate(error);
            return;
          }
          onDone();
        }}
      >
        {(errors) => (
          <>
            <TextField label={t('setup.token')} hint={t('setup.tokenHint')} name="setup_token" autoComplete="off" spellCheck={false} required autoFocus value={token} onChange={(e) => { setToken(e.target.value); }} errors={errors('setup_token')} />
            <TextField label={t('signIn.username')} name="username" autoComplete="username" autoCapitalize="none" spellCheck={false} required value={username} onChange={(e) => { setUsername(e.target.value); }} errors={errors('username')} />
            <TextField label={t('setup.newPassword')} hint={t('setup.passwordHint')} name="password" type="password" autoComplete="new-password" required value={password} onChange={(e) => { setPassword(e.target.value); }} errors={errors('password')} />
            <TextField label={t('setup.again')} name="password-again" type="password" autoComplete="new-password" required value={again} onChange={(e) => { setAgain(e.target.value); }} errors={differs ? [t('setup.differs')] : undefined} />
          </>
        )}
      </Form>
    </Gate>
  );
}
