import { useQueryClient } from '@tanstack/react-query';
import { Ban, KeyRound, MonitorSmartphone, MoreHorizontal, Pencil, Trash2, UserCheck, UserPlus, UsersRound } from 'lucide-react';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { api, data } from '../../../api/client';
import { usePages } from '../../../api/pages';
import { Problem } from '../../../api/problem';
import { problemLine } from '../../../api/problemText';
import type { SchemaUserAnswer } from '../../../api/schema';
import { useSession } from '../../../app/session';
import { useFormat } from '../../../i18n/format';
import { Button, IconButton } from '../../../ui/Button';
import { ConfirmDialog, Dialog } from '../../../ui/Dialog';
import { TextField } from '../../../ui/Field';
import { Badge, EmptyState } from '../../../ui/Layout';
import { Menu } from '../../../ui/Menu';
import { ErrorNotice } from '../../../ui/Notice';
import { Table } from '../../../ui/Table';
import { useToast } from '../../../ui/Toast';
import { Filters, Section, Stack } from '../Section';
import { AddUser, EditUser, SetPassword } from './UserForms';
import { UserApiKeys } from './UserApiKeys';
import { UserSessions } from './UserSessions';

type User = SchemaUserAnswer;
type Doing = { kind: 'add' } | { kind: 'edit' | 'password' | 'sessions' | 'disable' | 'delete'; user: User };

/** What `If-Match` has to say about the user as they are now. */
async function tagOf(id: string): Promise<Record<string, string>> {
  const { response } = await api.GET('/api/v1/users/{id}', { params: { path: { id } } });
  return { 'If-Match': response.headers.get('etag') ?? '' };
}

export default function UsersSection() {
  const { t } = useTranslation();
  const { can, user: self } = useSession();
  const cache = useQueryClient();
  const toast = useToast();
  const [name, setName] = useState('');
  const [doing, setDoing] = useState<Doing | null>(null);
  const [wanted, setWanted] = useState('');
  const users = usePages<User>(['users', { username: wanted }], (cursor) => data(api.GET('/api/v1/users', { params: { query: { limit: 50, ...(wanted && { username: wanted }), ...(cursor && { cursor }) } } })));
  const mayWrite = can('users:write');

  const close = () => { setDoing(null); };
  const said = async (text: string, id?: string) => {
    // What one may do oneself, and one's name, stand on every page.
    await Promise.all([['users'], ...(id === self.id ? [['me']] : [])].map((queryKey) => cache.invalidateQueries({ queryKey })));
    toast(text);
  };
  const done = async (text: string, id?: string) => {
    await said(text, id);
    close();
  };
  /** Whoever was deleted elsewhere goes out of the list, too. */
  const orGone = async (work: () => Promise<unknown>) => {
    try {
      await work();
    } catch (error) {
      if (error instanceof Problem && error.status === 404) await cache.invalidateQueries({ queryKey: ['users'] });
      throw error;
    }
  };
  const setDisabled = async (user: User, disabled: boolean) => {
    await orGone(async () => api.PATCH('/api/v1/users/{id}', { params: { path: { id: user.id } }, body: { disabled }, headers: await tagOf(user.id) }));
    await said(t(disabled ? 'admin.users.disabled' : 'admin.users.enabled', { name: user.username }));
  };
  const remove = async (user: User) => {
    await orGone(async () => api.DELETE('/api/v1/users/{id}', { params: { path: { id: user.id } }, headers: await tagOf(user.id) }));
    await said(t('admin.users.deleted', { name: user.username }));
  };
  const columns = useColumns(self.id, mayWrite ? setDoing : undefined, setDisabled);

  return (
    <Section
      title={t('admin.section.users')} intro={t('admin.users.intro')}
      actions={mayWrite ? <Button kind="primary" icon={<UserPlus size={16} aria-hidden />} onClick={() => { setDoing({ kind: 'add' }); }}>{t('admin.users.add')}</Button> : undefined}
    >
      <form onSubmit={(e) => { e.preventDefault(); setWanted(name.trim()); }}>
        <Filters label={t('admin.filter')}>
          <TextField label={t('admin.users.find')} value={name} spellCheck={false} autoCapitalize="none" autoComplete="off" onChange={(e) => { setName(e.target.value); if (e.target.value === '') setWanted(''); }} />
          <div><Button type="submit">{t('admin.search')}</Button></div>
        </Filters>
      </form>
      {users.error ? <ErrorNotice error={users.error} retry={users.retry} /> : null}
      {users.lost ? null : (
        <Table<User>
          caption={t('admin.section.users')} rows={users.rows} rowKey={(u) => u.id} loading={users.loading} more={users.more}
          empty={<EmptyState icon={<UsersRound size={32} />} title={t(wanted ? 'admin.users.noneFound' : 'admin.users.none')} />}
          columns={columns}
        />
      )}
      <Dialog open={doing?.kind === 'add'} onClose={close} title={t('admin.users.add')}><AddUser onDone={(u) => done(t('admin.users.added', { name: u }))} onCancel={close} /></Dialog>
      <Dialog open={doing?.kind === 'edit'} onClose={close} title={doing?.kind === 'edit' ? doing.user.username : ''}>
        {doing?.kind === 'edit' ? <EditUser id={doing.user.id} isSelf={doing.user.id === self.id} onDone={() => done(t('admin.users.changed', { name: doing.user.username }), doing.user.id)} onCancel={close} /> : null}
      </Dialog>
      <Dialog open={doing?.kind === 'password'} onClose={close} title={doing?.kind === 'password' ? t('admin.users.passwordOf', { name: doing.user.username }) : ''} description={t('admin.users.passwordText')}>
        {doing?.kind === 'password' ? <SetPassword user={doing.user} isSelf={doing.user.id === self.id} onDone={() => done(t('admin.users.passwordSet', { name: doing.user.username }))} onCancel={close} /> : null}
      </Dialog>
      <Dialog wide open={doing?.kind === 'sessions'} onClose={close} title={doing?.kind === 'sessions' ? t('admin.users.sessions.of', { name: doing.user.username }) : ''}>
        {doing?.kind === 'sessions' ? <><UserSessions user={doing.user} isSelf={doing.user.id === self.id} /><UserApiKeys user={doing.user} /></> : null}
      </Dialog>
      <ConfirmDialog
        open={doing?.kind === 'disable'} onClose={close} danger title={doing?.kind === 'disable' ? t('admin.users.disableTitle', { name: doing.user.username }) : ''} description={t('admin.users.disableText')}
        action={t('admin.users.disable')} onConfirm={async () => { if (doing?.kind === 'disable') await setDisabled(doing.user, true); }}
      />
      <ConfirmDialog
        open={doing?.kind === 'delete'} onClose={close} danger title={doing?.kind === 'delete' ? t('admin.users.deleteTitle', { name: doing.user.username }) : ''} description={t('admin.users.deleteText')}
        action={t('action.delete')} onConfirm={async () => { if (doing?.kind === 'delete') await remove(doing.user); }}
      />
    </Section>
  );
}

function useColumns(self: string, act: ((doing: Doing) => void) | undefined, setDisabled: (user: User, disabled: boolean) => Promise<void>) {
  const { t } = useTranslation();
  const format = useFormat();
  const toast = useToast();
  const enable = (user: User) => { setDisabled(user, false).catch((e: unknown) => { toast(problemLine(t, e), { tone: 'danger' }); }); };
  return [
    { key: 'name', header: t('admin.users.name'), cell: (u: User) => <Stack below={u.grants.join(', ')}>{u.username}{u.id === self ? ` (${t('admin.users.self')})` : ''}</Stack> },
    { key: 'role', header: t('admin.users.role'), cell: (u: User) => t(`admin.role.${u.role}`) },
    { key: 'state', header: t('admin.state'), cell: (u: User) => <Badge tone={u.disabled ? 'danger' : 'success'}>{t(u.disabled ? 'admin.users.isDisabled' : 'admin.users.isActive')}</Badge> },
    { key: 'seen', header: t('admin.users.lastLogin'), cell: (u: User) => u.last_login_at ? format.ago(u.last_login_at) : t('admin.never'), secondary: true },
    { key: 'made', header: t('admin.made'), cell: (u: User) => format.day(u.created_at), secondary: true },
    ...(act ? [{
      key: 'menu', header: t('admin.actions'), cell: (u: User) => (
        <Menu
          label={t('admin.actionsFor', { name: u.username })} trigger={<IconButton size="s" label={t('admin.actionsFor', { name: u.username })}><MoreHorizontal size={16} aria-hidden /></IconButton>}
          items={[
            { label: t('action.edit'), icon: <Pencil size={16} />, onSelect: () => { act({ kind: 'edit', user: u }); } },
            { label: t('admin.users.sessions.title'), icon: <MonitorSmartphone size={16} />, onSelect: () => { act({ kind: 'sessions', user: u }); } },
            { label: t('admin.users.setPassword'), icon: <KeyRound size={16} />, onSelect: () => { act({ kind: 'password', user: u }); } },
            u.disabled
              ? { label: t('admin.users.enable'), icon: <UserCheck size={16} />, onSelect: () => { enable(u); } }
              : { label: t('admin.users.disable'), icon: <Ban size={16} />, disabled: u.id === self, onSelect: () => { act({ kind: 'disable', user: u }); } },
            null,
            { label: t('action.delete'), icon: <Trash2 size={16} />, danger: true, disabled: u.id === self, onSelect: () => { act({ kind: 'delete', user: u }); } },
          ]}
        />
      ),
    }] : []),
  ];
}
