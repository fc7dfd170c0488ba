import { useQuery } from '@tanstack/react-query';
import { useMemo, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { api, data } from '../../api/client';
import type { SchemaSettingView } from '../../api/schema';
import { Checkbox, TextField } from '../../ui/Field';
import { Badge, Card, EmptyState, Loading } from '../../ui/Layout';
import { ReadNotice } from '../../ui/Notice';
import { Table } from '../../ui/Table';
import { Filters, Section, Stack } from './Section';
import { sectionsOf, variableOf } from './settings';

/** What is in force and where it comes from; changed in files and variables, for the next start. */
export default function SettingsSection() {
  const { t } = useTranslation();
  const [text, setText] = useState('');
  const [changed, setChanged] = useState(false);
  const settings = useQuery({ queryKey: ['settings'], queryFn: () => data(api.GET('/api/v1/settings')), staleTime: 60_000 });
  const sections = useMemo(() => sectionsOf(settings.data?.items ?? [], text, changed), [settings.data, text, changed]);
  return (
    <Section title={t('admin.section.settings')} intro={t('admin.settings.intro')}>
      <Filters label={t('admin.filter')}>
        <TextField label={t('admin.settings.find')} type="search" value={text} spellCheck={false} onChange={(e) => { setText(e.target.value); }} />
        <Checkbox label={t('admin.settings.changedOnly')} checked={changed} onChange={(e) => { setChanged(e.target.checked); }} />
      </Filters>
      <ReadNotice of={settings} />
      {settings.isPending ? <Loading label={t('state.loading')} /> : null}
      {settings.isSuccess && sections.length === 0 ? <EmptyState title={t('admin.settings.none')} /> : null}
      {sections.map(([name, rows]) => (
        <Card key={name} title={name}>
          <Table<SchemaSettingView>
            caption={name} rows={rows} rowKey={(s) => s.key}
            columns={[
              { key: 'key', header: t('admin.settings.key'), cell: (s) => <Stack below={variableOf(s.key)}><code>{s.key}</code></Stack> },
              { key: 'value', header: t('admin.settings.value'), cell: (s) => <Stack below={s.source === 'default' ? undefined : t('admin.settings.default', { value: s.default || t('admin.settings.empty') })}>{s.value === '' ? t('admin.settings.empty') : <code>{s.value}</code>}</Stack> },
              { key: 'source', header: t('admin.settings.source'), cell: (s) => <Badge tone={s.source === 'default' ? 'neutral' : 'accent'}>{s.source === 'default' ? t('admin.settings.isDefault') : s.source}</Badge> },
              { key: 'legal', header: t('admin.settings.legal'), cell: (s) => <Stack below={s.legal ? <span lang="en">{s.legal}</span> : undefined}><span lang="en">{s.type}</span></Stack>, secondary: true },
            ]}
          />
        </Card>
      ))}
    </Section>
  );
}
