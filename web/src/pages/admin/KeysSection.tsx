import { useQueryClient } from '@tanstack/react-query';
import { KeyRound, RotateCw } from 'lucide-react';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { api, data } from '../../api/client';
import { usePages } from '../../api/pages';
import type { SchemaSigningKeyAnswer } from '../../api/schema';
import { useSession } from '../../app/session';
import { useFormat } from '../../i18n/format';
import { Button } from '../../ui/Button';
import { ConfirmDialog } from '../../ui/Dialog';
import { Checkbox } from '../../ui/Field';
import { Badge, EmptyState } from '../../ui/Layout';
import { ErrorNotice } from '../../ui/Notice';
import { Table } from '../../ui/Table';
import { useToast } from '../../ui/Toast';
import { Section } from './Section';

/** The keys that sign access tokens. They never leave the server; here one sees their ages and makes a new one. */
export default function KeysSection() {
  const { t } = useTranslation();
  const { can } = useSession();
  const format = useFormat();
  const toast = useToast();
  const cache = useQueryClient();
  const [asks, setAsks] = useState(false);
  const [voidOld, setVoidOld] = useState(false);
  const keys = usePages<SchemaSigningKeyAnswer>(['signing-keys'], (cursor) => data(api.GET('/api/v1/auth/keys', { params: { query: { ...(cursor && { cursor }) } } })));
  const rotate = async () => {
    await api.POST('/api/v1/auth/keys/rotate', { params: { query: { void_old: voidOld } } });
    await cache.invalidateQueries({ queryKey: ['signing-keys'] });
    toast(t('admin.keys.rotated'));
  };
  return (
    <Section
      title={t('admin.section.keys')} intro={t('admin.keys.intro')}
      actions={can('keys:write') ? <Button icon={<RotateCw size={16} aria-hidden />} onClick={() => { setVoidOld(false); setAsks(true); }}>{t('admin.keys.rotate')}</Button> : undefined}
    >
      {keys.error ? <ErrorNotice error={keys.error} retry={keys.retry} /> : null}
      {keys.lost ? null : (
        <Table<SchemaSigningKeyAnswer>
          caption={t('admin.section.keys')} rows={keys.rows} rowKey={(k) => k.kid} loading={keys.loading}
          empty={<EmptyState icon={<KeyRound size={32} />} title={t('admin.keys.given')}>{t('admin.keys.givenText')}</EmptyState>}
          columns={[
            { key: 'kid', header: t('admin.keys.kid'), cell: (k) => <code>{k.kid}</code> },
            { key: 'state', header: t('admin.state'), cell: (k) => k.verify_until ? <Badge>{t('admin.keys.verifies', { until: format.moment(k.verify_until) })}</Badge> : <Badge tone="success">{t('admin.keys.signs')}</Badge> },
            { key: 'made', header: t('admin.made'), cell: (k) => format.moment(k.created_at), secondary: true },
          ]}
        />
      )}
      <ConfirmDialog open={asks} onClose={() => { setAsks(false); }} title={t('admin.keys.rotateTitle')} description={t('admin.keys.rotateText')} action={t('admin.keys.rotate')} danger={voidOld} onConfirm={rotate}>
        <Checkbox label={t('admin.keys.voidOld')} hint={t('admin.keys.voidOldHint')} checked={voidOld} onChange={(e) => { setVoidOld(e.target.checked); }} />
      </ConfirmDialog>
    </Section>
  );
}
