import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useEffect, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { api, data, versioned } from '../../../api/client';
import { Problem } from '../../../api/problem';
import { useSameRequest } from '../../../api/sameRequest';
import type { SchemaUserAnswer, SchemaUserChangeRequest } from '../../../api/schema';
import { Checkbox, Select, TextArea, TextField } from '../../../ui/Field';
import { Form } from '../../../ui/Form';
import { Loading } from '../../../ui/Layout';
import { ReadNotice } from '../../../ui/Notice';
import { roles } from '../roles';
import { changedLimits, isMoney, limitNames, namesOf, textsOf, wrongLimits, type LimitTexts } from './limits';

function useRoleOptions() {
  const { t } = useTranslation();
  return roles.map((value) => ({ value, label: t(`admin.role.${value}`) }));
}

export function AddUser({ onDone, onCancel }: { onDone: (name: string) => Promise<void>; onCancel: () => void }) {
  const { t } = useTranslation();
  const [username, setUsername] = useState('');
  const [password, setPassword] = useState('');
  const [role, setRole] = useState('user');
  const same = useSameRequest();
  const options = useRoleOptions();
  return (
    <Form
      submit={t('admin.users.add')} onCancel={onCancel} fields={['username', 'password', 'role']}
      onSubmit={async () => {
        const body = { username: username.trim(), password, role };
        await same.send(JSON.stringify(body), (key) => api.POST('/api/v1/users', { body, headers: { 'Idempotency-Key': key } }));
        await onDone(username.trim());
      }}
    >
      {(errors) => (
        <>
          <TextField label={t('admin.users.name')} name="username" autoComplete="off" autoCapitalize="none" spellCheck={false} required value={username} onChange={(e) => { setUsername(e.target.value); }} errors={errors('username')} />
          <TextField label={t('admin.users.firstPassword')} hint={t('admin.users.firstPasswordHint')} name="password" type="password" autoComplete="new-password" required value={password} onChange={(e) => { setPassword(e.target.value); }} errors={errors('password')} />
          <Select label={t('admin.users.role')} hint={t(`admin.roleHint.${role}`)} value={role} onChange={(e) => { setRole(e.target.value); }} options={options} errors={errors('role')} />
        </>
      )}
    </Form>
  );
}

interface EditProps {
  id: string;
  isSelf: boolean;
  onDone: () => Promise<void>;
  onCancel: () => void;
}

export function EditUser(props: EditProps) {
  const { t } = useTranslation();
  const cache = useQueryClient();
  const user = useQuery({ queryKey: ['user', props.id], gcTime: 0, staleTime: 'static', queryFn: () => versioned(api.GET('/api/v1/users/{id}', { params: { path: { id: props.id } } })) });
  const { error } = user;
  // Deleted elsewhere: the list behind the dialog has to know.
  useEffect(() => {
    if (error instanceof Problem && error.status === 404) void cache.invalidateQueries({ queryKey: ['users'] });
  }, [cache, error]);
  if (user.isLoadingError) return <ReadNotice of={user} />;
  if (user.isPending) return <Loading label={t('state.loading')} />;
  return <><ReadNotice of={user} /><EditForm key={user.data.etag} {...props} user={user.data.value} etag={user.data.etag} reload={() => void user.refetch()} /></>;
}

function EditForm({ user, etag, isSelf, reload, onDone, onCancel }: EditProps & { user: SchemaUserAnswer; etag: string; reload: () => void }) {
  const { t } = useTranslation();
  const [role, setRole] = useState(user.role);
  const [username, setUsername] = useState(user.username);
  const [limits, setLimits] = useState<LimitTexts>(() => textsOf(user.limits));
  const [content, setContent] = useState(user.grants.includes('content:read'));
  const [actsFor, setActsFor] = useState(user.acts_for.join('\n'));
  const options = useRoleOptions();
  const limitsToSend = changedLimits(limits, user.limits);
  const wrong = limitsToSend ? wrongLimits(limits) : [];
  const change: SchemaUserChangeRequest = {
    username: username.trim(), role, ...(limitsToSend && { limits: limitsToSend }), grants: content ? ['content:read'] : [], ...(role === 'agent' && { acts_for: namesOf(actsFor) }),
  };
  const save = async (match: string) => {
    if (wrong.length > 0) throw new Problem(400, { errors: Object.fromEntries(wrong.map((name) => [`limits.${name}`, [t(isMoney(name) ? 'admin.users.wrongAmount' : 'admin.users.wrongLimit')]])) });
    await api.PATCH('/api/v1/users/{id}', { params: { path: { id: user.id } }, body: change, headers: { 'If-Match': match } });
    await onDone();
  };
  return (
    <Form
      submit={t('action.save')} onCancel={onCancel} fields={['username', 'role', 'grants', 'acts_for', ...limitNames.map((name) => `limits.${name}`)]}
      onSubmit={() => save(etag)} onReload={reload}
      onOverwrite={async () => {
        const now = await versioned(api.GET('/api/v1/users/{id}', { params: { path: { id: user.id } } }));
        await save(now.etag);
      }}
    >
      {(errors) => (
        <>
          <TextField label={t('admin.users.name')} autoComplete="off" autoCapitalize="none" spellCheck={false} value={username} onChange={(e) => { setUsername(e.target.value); }} errors={errors('username')} />
          <Select label={t('admin.users.role')} hint={isSelf ? t('admin.users.ownRole') : t(`admin.roleHint.${role}`)} disabled={isSelf} value={role} onChange={(e) => { setRole(e.target.value); }} options={options} errors={errors('role')} />
          {role === 'agent' ? <TextArea label={t('admin.users.actsFor')} hint={t('admin.users.actsForHint')} rows={3} spellCheck={false} value={actsFor} onChange={(e) => { setActsFor(e.target.value); }} errors={errors('acts_for')} /> : null}
          <Checkbox label={t('admin.users.content')} hint={t('admin.users.contentHint')} checked={content} onChange={(e) => { setContent(e.target.checked); }} />
          {limitNames.map((name) => (
            <TextField key={name} label={t(`admin.limit.${name}`)} inputMode={isMoney(name) ? 'decimal' : 'numeric'} placeholder={t('admin.users.usualLimit')} value={limits[name]} onChange={(e) => { setLimits({ ...limits, [name]: e.target.value }); }} errors={errors(`limits.${name}`)} />
          ))}
        </>
      )}
    </Form>
  );
}

/** Somebody else's password; one's own asks for the present one. */
export function SetPassword({ user, isSelf, onDone, onCancel }: { user: { id: string; username: string }; isSelf: boolean; onDone: () => void | Promise<void>; onCancel?: () => void }) {
  const { t } = useTranslation();
  const [old, setOld] = useState('');
  const [password, setPassword] = useState('');
  return (
    <Form
      submit={t('admin.users.setPassword')} {...(onCancel && { onCancel })} fields={['password', 'old_password']}
      onSubmit={async () => {
        await data(api.POST('/api/v1/users/{id}/password', { params: { path: { id: user.id } }, body: { password, ...(isSelf && { old_password: old }) } }));
        setOld('');
        setPassword('');
        await onDone();
      }}
    >
      {(errors) => (
        <>
          <input type="text" name="username" autoComplete="username" value={user.username} readOnly hidden />
          {isSelf ? <TextField label={t('admin.users.oldPassword')} name="old" type="password" autoComplete="current-password" required value={old} onChange={(e) => { setOld(e.target.value); }} errors={errors('old_password')} /> : null}
          <TextField label={t('setup.newPassword')} hint={t('setup.passwordHint')} name="new" type="password" autoComplete="new-password" required value={password} onChange={(e) => { setPassword(e.target.value); }} errors={errors('password')} />
        </>
      )}
    </Form>
  );
}
