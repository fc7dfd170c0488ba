import { useMutation, useQueryClient } from '@tanstack/react-query';
import { Archive, ShieldCheck } from 'lucide-react';
import { useTranslation } from 'react-i18next';
import { api, data } from '../../api/client';
import { usePages } from '../../api/pages';
import { useSameRequest } from '../../api/sameRequest';
import type { SchemaBackupList, SchemaBackupView } from '../../api/schema';
import { texts } from '../../api/texts';
import { useSession } from '../../app/session';
import { useFormat } from '../../i18n/format';
import { Button } from '../../ui/Button';
import { Badge, EmptyState } from '../../ui/Layout';
import { ErrorNotice, Notice } from '../../ui/Notice';
import { Said } from '../../ui/Said';
import { Table } from '../../ui/Table';
import { useToast } from '../../ui/Toast';
import { Section, Stack } from './Section';

/** Archives and what their last check found. A restore needs a stopped server and is done from the command line. */
export default function BackupsSection() {
  const { t } = useTranslation();
  const { can } = useSession();
  const format = useFormat();
  const toast = useToast();
  const cache = useQueryClient();
  const list = usePages<SchemaBackupView, SchemaBackupList>(['backups'], (cursor) => data(api.GET('/api/v1/backups', { params: { query: { limit: 50, ...(cursor && { cursor }) } } })));
  const refresh = () => cache.invalidateQueries({ queryKey: ['backups'] });
  const same = useSameRequest();
  const make = useMutation({
    // Once another one is in the list, whoever asks wants one more.
    mutationFn: () => same.send(list.rows[0]?.id ?? '', (key) => data(api.POST('/api/v1/backups', { body: { verify: true }, headers: { 'Idempotency-Key': key } }))),
    onSuccess: () => { toast(t('admin.backups.made')); },
    onSettled: refresh,
  });
  const verify = useMutation({
    mutationFn: (id: string) => data(api.POST('/api/v1/backups/{id}/verify', { params: { path: { id } } })),
    onSuccess: (found) => { toast(t(found.valid ? 'admin.backups.isValid' : 'admin.backups.isDamaged'), found.valid ? {} : { tone: 'danger' }); },
    onSettled: refresh,
  });
  const mayWrite = can('backups:write');
  // The same of each: said once, of the one that would be restored.
  const newest = list.rows.find((b) => b.own);
  const error = make.error ?? verify.error;
  return (
    <Section
      title={t('admin.section.backups')} intro={t('admin.backups.intro')}
      actions={mayWrite ? <Button kind="primary" icon={<Archive size={16} aria-hidden />} busy={make.isPending} disabled={verify.isPending} onClick={() => { make.mutate(); }}>{t('admin.backups.make')}</Button> : undefined}
    >
      {make.isPending ? <Notice>{t('admin.backups.making')}</Notice> : null}
      {error ? <ErrorNotice error={error} /> : null}
      {texts(list.first?.warnings).map((w) => <Notice key={w} tone="warning"><Said text={w} /></Notice>)}
      {newest?.has_keys === false ? <Notice tone="warning" title={t('admin.backups.withoutKeys')}>{t('admin.backups.withoutKeysText')}</Notice> : null}
      {list.error ? <ErrorNotice error={list.error} retry={list.retry} /> : null}
      {list.lost ? null : (
        <Table<SchemaBackupView>
          caption={t('admin.section.backups')} rows={list.rows} rowKey={(b) => b.id} loading={list.loading} more={list.more}
          empty={<EmptyState icon={<Archive size={32} />} title={t('admin.backups.none')}>{t('admin.backups.noneText')}</EmptyState>}
          columns={[
            { key: 'made', header: t('admin.made'), cell: (b) => <Stack below={b.id}>{format.moment(b.created_at)}</Stack> },
            { key: 'state', header: t('admin.state'), cell: (b) => <Stack below={b.problems.length > 0 ? <Said text={b.problems.join(' ')} /> : undefined}><Checked backup={b} />{b.has_keys === false ? <> <Badge tone="warning">{t('admin.backups.withoutKeys')}</Badge></> : null}</Stack> },
            { key: 'size', header: t('admin.backups.size'), numeric: true, cell: (b) => b.size === null || b.size === undefined ? '' : format.bytes(Number(b.size)), secondary: true },
            { key: 'places', header: t('admin.backups.places'), cell: (b) => b.places.join(', '), secondary: true },
            ...(mayWrite ? [{
              key: 'act', header: t('admin.actions'), cell: (b: SchemaBackupView) => (
                <Button size="s" kind="ghost" icon={<ShieldCheck size={14} aria-hidden />} busy={verify.isPending && verify.variables === b.id} disabled={verify.isPending || make.isPending} aria-label={t('admin.backups.verifyOf', { id: b.id })} onClick={() => { verify.mutate(b.id); }}>{t('admin.backups.verify')}</Button>
              ),
            }] : []),
          ]}
        />
      )}
    </Section>
  );
}

function Checked({ backup }: { backup: SchemaBackupView }) {
  const { t } = useTranslation();
  const format = useFormat();
  if (backup.valid === true) return <Badge tone="success">{backup.verified_at ? t('admin.backups.verified', { when: format.ago(backup.verified_at) }) : t('admin.backups.valid')}</Badge>;
  return backup.valid === false ? <Badge tone="danger">{t('admin.backups.damaged')}</Badge> : <Badge>{t('admin.backups.unchecked')}</Badge>;
}
