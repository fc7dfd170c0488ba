import { useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { api, data } from '../../../api/client';
import { usePages } from '../../../api/pages';
import { Problem } from '../../../api/problem';
import type { SchemaApiKeyAnswer } from '../../../api/schema';
import { texts } from '../../../api/texts';
import { useFormat } from '../../../i18n/format';
import { Button } from '../../../ui/Button';
import { ConfirmDialog } from '../../../ui/Dialog';
import { EmptyState } from '../../../ui/Layout';
import { ErrorNotice } from '../../../ui/Notice';
import { Table } from '../../../ui/Table';
import { useToast } from '../../../ui/Toast';
import { Stack } from '../Section';

type ApiKey = SchemaApiKeyAnswer;

/** With which keys programs act as a user, and the way to revoke one. */
export function UserApiKeys({ user }: { user: { id: string; username: string } }) {
  const { t } = useTranslation();
  const format = useFormat();
  const toast = useToast();
  const cache = useQueryClient();
  const [revokes, setRevokes] = useState<ApiKey | null>(null);
  const queryKey = ['users', user.id, 'api-keys'];
  const keys = usePages<ApiKey>(queryKey, (cursor) => data(api.GET('/api/v1/users/{id}/api-keys', { params: { path: { id: user.id }, query: { limit: 50, ...(cursor && { cursor }) } } })));
  const revoke = async () => {
    if (!revokes) return;
    try {
      await api.DELETE('/api/v1/users/{id}/api-keys/{key}', { params: { path: { id: user.id, key: revokes.id } } });
    } catch (error) {
      if (!(error instanceof Problem) || error.code !== 'api_key_not_found') throw error; // revoked already
    }
    await cache.invalidateQueries({ queryKey });
    toast(t('profile.keys.revoked'));
  };
  return (
    <>
      {keys.error ? <ErrorNotice error={keys.error} retry={keys.retry} /> : null}
      {keys.lost ? null : (
        <Table<ApiKey>
          caption={t('admin.users.keys.of', { name: user.username })} rows={keys.rows} rowKey={(k) => k.id} loading={keys.loading} more={keys.more}
          empty={<EmptyState title={t('admin.users.keys.none', { name: user.username })} />}
          columns={[
            { key: 'name', header: t('admin.users.keys.key'), cell: (k) => <Stack below={`${k.hint}…`}>{k.name}</Stack> },
            { key: 'scopes', header: t('profile.keys.scopes'), cell: (k) => texts(k.scopes).join(', ') || t('admin.users.keys.all'), secondary: true },
            { key: 'ends', header: t('profile.keys.ends'), cell: (k) => k.expires_at ? format.day(k.expires_at) : t('admin.never') },
            { key: 'used', header: t('profile.lastUsed'), cell: (k) => k.last_used_at ? format.ago(k.last_used_at) : t('admin.never'), secondary: true },
            { key: 'act', header: t('admin.actions'), cell: (k) => <Button size="s" kind="ghost" aria-label={t('profile.keys.revokeOf', { name: k.name })} onClick={() => { setRevokes(k); }}>{t('profile.keys.revoke')}</Button> },
          ]}
        />
      )}
      <ConfirmDialog open={revokes !== null} onClose={() => { setRevokes(null); }} danger title={t('profile.keys.revokeTitle', { name: revokes?.name ?? '' })} description={t('profile.keys.revokeText')} action={t('profile.keys.revoke')} onConfirm={revoke} />
    </>
  );
}
