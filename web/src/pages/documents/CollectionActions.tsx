import { useQuery, useQueryClient } from '@tanstack/react-query';
import { MoreHorizontal, Pencil, Trash2, UsersRound, X } from 'lucide-react';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { api, data, versioned } from '../../api/client';
import { allOf } from '../../api/pages';
import { Problem } from '../../api/problem';
import { useSameRequest } from '../../api/sameRequest';
import type { SchemaUserAnswer } from '../../api/schema';
import { useSession } from '../../app/session';
import { IconButton } from '../../ui/Button';
import { ConfirmDialog, Dialog } from '../../ui/Dialog';
import { Checkbox, Select, TextArea, TextField } from '../../ui/Field';
import { Form } from '../../ui/Form';
import { Badge, Loading } from '../../ui/Layout';
import { Menu } from '../../ui/Menu';
import { ErrorNotice, ReadNotice } from '../../ui/Notice';
import { useToast } from '../../ui/Toast';
import type { Collection } from './data';
import styles from './DocumentsPage.module.css';

function useRefresh() {
  const cache = useQueryClient();
  return () => Promise.all([cache.invalidateQueries({ queryKey: ['collections'] }), cache.invalidateQueries({ queryKey: ['documents'] })]);
}

const read = (id: string) => versioned(api.GET('/api/v1/collections/{id}', { params: { path: { id } } }));

export function NewCollection({ open, onClose, onMade }: { open: boolean; onClose: () => void; onMade: (id: string) => void }) {
  const { t } = useTranslation();
  const refresh = useRefresh();
  const toast = useToast();
  const same = useSameRequest();
  return (
    <Dialog open={open} onClose={onClose} title={t('documents.newCollection')}>
      <CollectionForm
        submit={t('documents.create')} onCancel={onClose}
        onSubmit={async (name, description) => {
          const body = { name, description };
          const made = await same.send(JSON.stringify(body), (key) => data(api.POST('/api/v1/collections', { body, headers: { 'Idempotency-Key': key } })));
          await refresh();
          onMade(made.id);
          onClose();
          toast(t('documents.created'));
        }}
      />
    </Dialog>
  );
}

/** Saves over what was there when it was opened, and asks if that has been changed meanwhile. */
function EditCollection({ id, onDone, onCancel }: { id: string; onDone: () => Promise<void>; onCancel: () => void }) {
  const { t } = useTranslation();
  const collection = useQuery({ queryKey: ['collection', id], gcTime: 0, staleTime: 'static', queryFn: () => versioned(api.GET('/api/v1/collections/{id}', { params: { path: { id } } })) });
  if (collection.isPending) return <Loading label={t('state.loading')} />;
  if (collection.isLoadingError) return <ReadNotice of={collection} />;
  const { value, etag } = collection.data;
  const save = async (name: string, description: string, match: string) => {
    await api.PATCH('/api/v1/collections/{id}', { params: { path: { id } }, body: { name, description }, headers: { 'If-Match': match } });
    await onDone();
  };
  return (
    <>
      <ReadNotice of={collection} />
      <CollectionForm
        key={etag} submit={t('action.save')} name={value.name} description={value.description} onCancel={onCancel} onSubmit={(name, description) => save(name, description, etag)}
        onReload={() => void collection.refetch()} onOverwrite={async (name, description) => { await save(name, description, (await read(id)).etag); }}
      />
    </>
  );
}

interface CollectionFormProps {
  submit: string;
  name?: string;
  description?: string;
  onSubmit: (name: string, description: string) => Promise<void>;
  onReload?: () => void;
  onOverwrite?: (name: string, description: string) => Promise<void>;
  onCancel: () => void;
}

function CollectionForm({ submit, name: before = '', description: described = '', onSubmit, onReload, onOverwrite, onCancel }: CollectionFormProps) {
  const { t } = useTranslation();
  const [name, setName] = useState(before);
  const [description, setDescription] = useState(described);
  return (
    <Form
      submit={submit} onCancel={onCancel} fields={['name', 'description']} onSubmit={() => onSubmit(name.trim(), description.trim())}
      {...(onReload && { onReload })} {...(onOverwrite && { onOverwrite: () => onOverwrite(name.trim(), description.trim()) })}
    >
      {(errors) => (
        <>
          <TextField label={t('documents.name')} required maxLength={100} value={name} onChange={(e) => { setName(e.target.value); }} errors={errors('name')} />
          <TextArea label={t('documents.description')} maxLength={1000} value={description} onChange={(e) => { setDescription(e.target.value); }} errors={errors('description')} />
        </>
      )}
    </Form>
  );
}

/** What its owner can do with a collection; everybody else is told that it is somebody else's. */
export function CollectionActions({ collection, onGone }: { collection: Collection; onGone: () => void }) {
  const { t } = useTranslation();
  const { user } = useSession();
  const refresh = useRefresh();
  const toast = useToast();
  const [doing, setDoing] = useState<'edit' | 'share' | 'delete' | null>(null);
  const close = () => { setDoing(null); };
  const { id, name } = collection;
  if (collection.owner_id !== user.id) return <Badge tone="info">{t('documents.shared')}</Badge>;
  return (
    <>
      <Menu
        trigger={<IconButton label={t('documents.actionsFor', { name })}><MoreHorizontal size={18} aria-hidden /></IconButton>}
        items={[
          { label: t('documents.edit', { name }), icon: <Pencil size={15} />, onSelect: () => { setDoing('edit'); } },
          { label: t('documents.share', { name }), icon: <UsersRound size={15} />, onSelect: () => { setDoing('share'); } },
          { label: t('documents.remove', { name }), icon: <Trash2 size={15} />, danger: true, onSelect: () => { setDoing('delete'); } },
        ]}
      />
      <Dialog open={doing === 'edit'} onClose={close} title={t('documents.edit', { name })}>
        <EditCollection
          id={id} onCancel={close}
          onDone={async () => {
            await refresh();
            close();
            toast(t('documents.saved'));
          }}
        />
      </Dialog>
      <Dialog open={doing === 'share'} onClose={close} title={t('documents.share', { name })}><Members id={id} /></Dialog>
      <ConfirmDialog
        open={doing === 'delete'} onClose={close} danger title={t('documents.deleteTitle', { name })} description={t('documents.deleteCollectionText', { count: Number(collection.documents) })} action={t('action.delete')}
        onConfirm={async () => {
          const { etag } = await read(id);
          await api.DELETE('/api/v1/collections/{id}', { params: { path: { id } }, headers: { 'If-Match': etag } });
          onGone();
          await refresh();
          toast(t('documents.deleted', { name }));
        }}
      />
    </>
  );
}

/** Who else reaches a collection. What everybody gets, an administrator decides. */
function Members({ id }: { id: string }) {
  const { t } = useTranslation();
  const { can, user: self } = useSession();
  const cache = useQueryClient();
  const [who, setWho] = useState('');
  const [mayWrite, setMayWrite] = useState(false);
  const [error, setError] = useState<unknown>(null);
  const knowsUsers = can('users:read');
  const collection = useQuery({ queryKey: ['collections', id], queryFn: () => data(api.GET('/api/v1/collections/{id}', { params: { path: { id } } })) });
  // Administrators choose from a list; everybody else knows the name of whom they let in.
  const users = useQuery({ queryKey: ['users', 'all'], enabled: knowsUsers, queryFn: () => allOf<SchemaUserAnswer>((cursor) => data(api.GET('/api/v1/users', { params: { query: { limit: 200, ...(cursor && { cursor }) } } }))) });
  const refresh = () => cache.invalidateQueries({ queryKey: ['collections', id] });
  if (collection.isLoadingError) return <ReadNotice of={collection} />;
  if (collection.isPending) return <Loading label={t('state.loading')} />;
  const { members } = collection.data;
  const nameOf = (m: (typeof members)[number]) => m.user_id === '*' ? t('documents.everybody') : m.username ?? m.user_id;
  const putOut = async (user: string) => {
    setError(null);
    try {
      await api.DELETE('/api/v1/collections/{id}/members/{user_id}', { params: { path: { id, user_id: user } } });
      await refresh();
    } catch (e) {
      setError(e);
    }
  };
  return (
    <>
      <ReadNotice of={collection} />
      {members.length === 0 ? <p>{t('documents.noMembers')}</p> : (
        <ul className={styles.members} aria-label={t('documents.members')}>
          {members.map((m) => (
            <li key={m.user_id}>
              <span>{nameOf(m)} <Badge>{t(m.may_write ? 'documents.writes' : 'documents.reads')}</Badge></span>
              <IconButton size="s" label={t('documents.putOut', { name: nameOf(m) })} onClick={() => void putOut(m.user_id)}><X size={15} aria-hidden /></IconButton>
            </li>
          ))}
        </ul>
      )}
      {error ? <ErrorNotice error={error} /> : null}
      <Form
        submit={t('documents.letIn')} fields={['user_id']}
        onSubmit={async () => {
          if (who.trim() === '') throw new Problem(422, { errors: { user_id: [t('documents.userMissing')] } });
          await api.PUT('/api/v1/collections/{id}/members/{user_id}', { params: { path: { id, user_id: who.trim() }, query: knowsUsers ? {} : { by_name: true } }, body: { may_write: mayWrite } });
          setWho('');
          await refresh();
        }}
      >
        {(errors) => (
          <>
            {knowsUsers ? (
              <Select
                label={t('documents.members')} required value={who} onChange={(e) => { setWho(e.target.value); }} errors={errors('user_id')}
                options={[{ value: '', label: '' }, { value: '*', label: t('documents.everybody') }, ...(users.data ?? []).filter((u) => u.id !== self.id).map((u) => ({ value: u.id, label: u.username }))]}
              />
            ) : <TextField label={t('documents.user')} hint={t('documents.userHint')} required autoComplete="off" autoCapitalize="none" spellCheck={false} value={who} onChange={(e) => { setWho(e.target.value); }} errors={errors('user_id')} />}
            <Checkbox label={t('documents.mayWrite')} checked={mayWrite} onChange={(e) => { setMayWrite(e.target.checked); }} />
          </>
        )}
      </Form>
    </>
  );
}
