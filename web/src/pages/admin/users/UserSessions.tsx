import { useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { api, data } from '../../../api/client';
import { usePages } from '../../../api/pages';
import { Problem } from '../../../api/problem';
import type { SchemaSessionAnswer } from '../../../api/schema';
import { useFormat } from '../../../i18n/format';
import { Button } from '../../../ui/Button';
import { ConfirmDialog } from '../../../ui/Dialog';
import { Badge, EmptyState } from '../../../ui/Layout';
import { ErrorNotice } from '../../../ui/Notice';
import { Table } from '../../../ui/Table';
import { useToast } from '../../../ui/Toast';
import { Stack } from '../Section';

type Session = SchemaSessionAnswer;

/** Where a user is signed in, and the way to end one session or all of them. */
export function UserSessions({ user, isSelf }: { user: { id: string; username: string }; isSelf: boolean }) {
  const { t } = useTranslation();
  const format = useFormat();
  const toast = useToast();
  const cache = useQueryClient();
  const [asks, setAsks] = useState<Session | 'all' | null>(null);
  const list = usePages<Session>(['users', user.id, 'sessions'], (cursor) => data(api.GET('/api/v1/users/{id}/sessions', { params: { path: { id: user.id }, query: { limit: 50, ...(cursor && { cursor }) } } })));
  const one = asks !== null && asks !== 'all' ? asks : null;
  const end = async () => {
    try {
      if (one) await api.DELETE('/api/v1/users/{id}/sessions/{session}', { params: { path: { id: user.id, session: one.id } } });
      else await api.DELETE('/api/v1/users/{id}/sessions', { params: { path: { id: user.id } } });
    } catch (error) {
      if (!(error instanceof Problem) || error.code !== 'session_not_found') throw error; // over already
    }
    await cache.invalidateQueries({ queryKey: ['users', user.id, 'sessions'] });
    toast(t(one ? 'profile.sessions.ended' : 'admin.users.sessions.allEnded', { name: user.username }));
  };
  return (
    <>
      {list.error ? <ErrorNotice error={list.error} retry={list.retry} /> : null}
      {list.lost ? null : (
        <Table<Session>
          caption={t('admin.users.sessions.of', { name: user.username })} rows={list.rows} rowKey={(s) => s.id} loading={list.loading} more={list.more}
          empty={<EmptyState title={t('admin.users.sessions.none', { name: user.username })} />}
          columns={[
            { key: 'device', header: t('admin.users.sessions.device'), cell: (s) => <Stack below={s.label}>{t(`profile.sessions.kind.${s.kind}`)} {s.is_current ? <Badge tone="success">{t('profile.sessions.current')}</Badge> : null}</Stack> },
            { key: 'address', header: t('admin.users.sessions.address'), cell: (s) => s.address ?? '–' },
            { key: 'used', header: t('profile.lastUsed'), cell: (s) => format.ago(s.last_used_at) },
            { key: 'made', header: t('profile.sessions.begun'), cell: (s) => format.moment(s.created_at), secondary: true },
            { key: 'act', header: t('admin.actions'), cell: (s) => s.is_current ? null : <Button size="s" kind="ghost" aria-label={t('profile.sessions.endOf', { when: format.moment(s.created_at) })} onClick={() => { setAsks(s); }}>{t('profile.sessions.end')}</Button> },
          ]}
        />
      )}
      {list.rows.some((s) => !s.is_current) ? <div><Button kind="danger" onClick={() => { setAsks('all'); }}>{t(isSelf ? 'profile.sessions.endOthers' : 'admin.users.sessions.endAll')}</Button></div> : null}
      <ConfirmDialog
        open={asks !== null} onClose={() => { setAsks(null); }} danger onConfirm={end}
        title={one ? t('admin.users.sessions.endTitle') : t('admin.users.sessions.endAllTitle', { name: user.username })} description={t('admin.users.sessions.endText')}
        action={one ? t('profile.sessions.end') : t(isSelf ? 'profile.sessions.endOthers' : 'admin.users.sessions.endAll')}
      />
    </>
  );
}
