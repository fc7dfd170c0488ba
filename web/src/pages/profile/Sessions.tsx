import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { api, data } from '../../api/client';
import { allOf, usePages } from '../../api/pages';
import { Problem } from '../../api/problem';
import type { SchemaSessionAnswer } from '../../api/schema';
import { useFormat } from '../../i18n/format';
import { Button } from '../../ui/Button';
import { ConfirmDialog } from '../../ui/Dialog';
import { Badge, Card } from '../../ui/Layout';
import { ErrorNotice } from '../../ui/Notice';
import { Table } from '../../ui/Table';
import { useToast } from '../../ui/Toast';
import { Stack } from '../admin/Section';

async function end(id: string): Promise<void> {
  try {
    await api.DELETE('/api/v1/auth/sessions/{id}', { params: { path: { id } } });
  } catch (error) {
    if (!(error instanceof Problem) || error.status !== 404) throw error; // over already
  }
}

const sessions = (cursor: string | undefined) => data(api.GET('/api/v1/auth/sessions', { params: { query: { limit: 50, ...(cursor && { cursor }) } } }));

/** Where one is signed in, and the way to end what one does not know. */
export function Sessions() {
  const { t } = useTranslation();
  const format = useFormat();
  const toast = useToast();
  const cache = useQueryClient();
  const [asks, setAsks] = useState(false);
  const list = usePages<SchemaSessionAnswer>(['sessions'], sessions);
  const refresh = () => cache.invalidateQueries({ queryKey: ['sessions'] });
  const one = useMutation({ mutationFn: end, onSuccess: () => { toast(t('profile.sessions.ended')); }, onSettled: refresh });
  const others = async () => {
    const all = await allOf(sessions);
    for (const session of all) if (!session.is_current) await end(session.id);
    await refresh();
    toast(t('profile.sessions.othersEnded'));
  };
  return (
    <Card title={t('profile.sessions.title')} actions={list.rows.some((s) => !s.is_current) ? <Button size="s" onClick={() => { setAsks(true); }}>{t('profile.sessions.endOthers')}</Button> : undefined}>
      {one.error ? <ErrorNotice error={one.error} /> : null}
      {list.error ? <ErrorNotice error={list.error} retry={list.retry} /> : null}
      {list.lost ? null : (
        <Table<SchemaSessionAnswer>
          caption={t('profile.sessions.title')} rows={list.rows} rowKey={(s) => s.id} loading={list.loading} more={list.more}
          columns={[
            { key: 'what', header: t('profile.sessions.what'), cell: (s) => <Stack below={[s.label, s.address].filter(Boolean).join(' · ')}>{t(`profile.sessions.kind.${s.kind}`)} {s.is_current ? <Badge tone="success">{t('profile.sessions.current')}</Badge> : null}</Stack> },
            { key: 'used', header: t('profile.lastUsed'), cell: (s) => format.ago(s.last_used_at) },
            { key: 'made', header: t('profile.sessions.begun'), cell: (s) => format.moment(s.created_at), secondary: true },
            { key: 'act', header: t('admin.actions'), cell: (s) => s.is_current ? null : <Button size="s" kind="ghost" busy={one.isPending && one.variables === s.id} aria-label={t('profile.sessions.endOf', { when: format.moment(s.created_at) })} onClick={() => { one.mutate(s.id); }}>{t('profile.sessions.end')}</Button> },
          ]}
        />
      )}
      <ConfirmDialog open={asks} onClose={() => { setAsks(false); }} danger title={t('profile.sessions.endOthers')} description={t('profile.sessions.endOthersText')} action={t('profile.sessions.endOthers')} onConfirm={others} />
    </Card>
  );
}
