import { ScrollText } from 'lucide-react';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { api, data } from '../../api/client';
import { usePages } from '../../api/pages';
import type { SchemaAuditView } from '../../api/schema';
import { useFormat } from '../../i18n/format';
import { Button } from '../../ui/Button';
import { Dialog } from '../../ui/Dialog';
import { Select, TextField } from '../../ui/Field';
import { Badge, EmptyState, Facts } from '../../ui/Layout';
import { ErrorNotice } from '../../ui/Notice';
import { Table } from '../../ui/Table';
import { noFilter, queryOf, type AuditFilter } from './audit';
import { Code, Filters, Section, Stack } from './Section';

const tones = { done: 'success', denied: 'warning', failed: 'danger' } as const;

function Outcome({ outcome }: { outcome: string }) {
  const { t } = useTranslation();
  const known = outcome === 'done' || outcome === 'denied' || outcome === 'failed' ? outcome : undefined;
  return <Badge tone={known ? tones[known] : 'neutral'}>{known ? t(`admin.audit.outcome.${known}`) : outcome}</Badge>;
}

/** Who did what to what; nothing here can be changed or removed. */
export default function AuditSection() {
  const { t } = useTranslation();
  const format = useFormat();
  const [typed, setTyped] = useState<AuditFilter>(noFilter);
  const [filter, setFilter] = useState<AuditFilter>(noFilter);
  const [shown, setShown] = useState<SchemaAuditView | null>(null);
  const rows = usePages<SchemaAuditView>(['audit', filter], (cursor) => data(api.GET('/api/v1/audit', { params: { query: { limit: 50, ...queryOf(filter), ...(cursor && { cursor }) } } })));
  const set = (change: Partial<AuditFilter>) => { setTyped({ ...typed, ...change }); };
  return (
    <Section title={t('admin.section.audit')} intro={t('admin.audit.intro')}>
      <form onSubmit={(e) => { e.preventDefault(); setFilter(typed); }}>
        <Filters label={t('admin.filter')}>
          <TextField label={t('admin.audit.actor')} value={typed.actor} spellCheck={false} autoCapitalize="none" onChange={(e) => { set({ actor: e.target.value }); }} />
          <TextField label={t('admin.audit.action')} placeholder="auth." value={typed.action} spellCheck={false} autoCapitalize="none" onChange={(e) => { set({ action: e.target.value }); }} />
          <TextField label={t('admin.audit.target')} value={typed.target} spellCheck={false} autoCapitalize="none" onChange={(e) => { set({ target: e.target.value }); }} />
          <Select label={t('admin.audit.result')} value={typed.outcome} onChange={(e) => { set({ outcome: e.target.value }); }} options={[{ value: '', label: t('admin.any') }, ...(['done', 'denied', 'failed'] as const).map((value) => ({ value, label: t(`admin.audit.outcome.${value}`) }))]} />
          <TextField label={t('admin.audit.from')} type="datetime-local" value={typed.from} onChange={(e) => { set({ from: e.target.value }); }} />
          <TextField label={t('admin.audit.to')} type="datetime-local" value={typed.to} onChange={(e) => { set({ to: e.target.value }); }} />
          <div>
            <Button type="submit">{t('admin.show')}</Button>{' '}
            <Button kind="ghost" onClick={() => { setTyped(noFilter); setFilter(noFilter); }}>{t('admin.clear')}</Button>
          </div>
        </Filters>
      </form>
      {rows.error ? <ErrorNotice error={rows.error} retry={rows.retry} /> : null}
      {rows.lost ? null : (
        <Table<SchemaAuditView>
          caption={t('admin.section.audit')} rows={rows.rows} rowKey={(r) => r.id} loading={rows.loading} more={rows.more}
          empty={<EmptyState icon={<ScrollText size={32} />} title={t('admin.audit.none')} />}
          columns={[
            { key: 'at', header: t('admin.when'), cell: (r) => <time dateTime={r.at}>{format.exact(r.at)}</time> },
            { key: 'action', header: t('admin.audit.what'), cell: (r) => <Stack below={[r.target_kind, r.target_id].filter(Boolean).join(' ')}><code>{r.action}</code></Stack> },
            { key: 'actor', header: t('admin.audit.who'), cell: (r) => r.actor_name ?? r.actor_id ?? t('admin.audit.server') },
            { key: 'outcome', header: t('admin.audit.result'), cell: (r) => <Outcome outcome={r.outcome} />, secondary: true },
            { key: 'address', header: t('admin.audit.address'), cell: (r) => r.address ?? '', secondary: true },
            { key: 'more', header: t('admin.details'), cell: (r) => <Button size="s" kind="ghost" aria-label={t('admin.audit.detailsOf', { id: r.id })} onClick={() => { setShown(r); }}>{t('admin.details')}</Button> },
          ]}
        />
      )}
      <Dialog open={shown !== null} onClose={() => { setShown(null); }} title={shown?.action ?? ''} wide>{shown ? <Entry entry={shown} /> : null}</Dialog>
    </Section>
  );
}

function Entry({ entry }: { entry: SchemaAuditView }) {
  const { t } = useTranslation();
  const format = useFormat();
  const fact = (name: string, value: string | null | undefined) => value ? ([name, value] as const) : null;
  return (
    <>
      <Facts
        items={[
          [t('admin.when'), format.exact(entry.at)], fact(t('admin.audit.who'), [entry.actor_name, entry.actor_id].filter(Boolean).join(' · ')), fact(t('admin.audit.target'), [entry.target_kind, entry.target_id].filter(Boolean).join(' ')),
          [t('admin.audit.result'), <Outcome key="o" outcome={entry.outcome} />], fact(t('admin.audit.credential'), entry.credential ? t(`admin.audit.credentials.${entry.credential}`, { defaultValue: entry.credential }) : ''), fact(t('admin.audit.address'), entry.address), fact(t('admin.audit.request'), entry.request_id), [t('admin.audit.number'), entry.id],
        ]}
      />
      {entry.before ? <><h3>{t('admin.audit.before')}</h3><Code>{JSON.stringify(entry.before, null, 2)}</Code></> : null}
      {entry.after ? <><h3>{t('admin.audit.after')}</h3><Code>{JSON.stringify(entry.after, null, 2)}</Code></> : null}
    </>
  );
}
