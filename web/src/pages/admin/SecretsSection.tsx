import { useQueryClient } from '@tanstack/react-query';
import { Lock, Plus } from 'lucide-react';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { api, data } from '../../api/client';
import { usePages } from '../../api/pages';
import { Problem } from '../../api/problem';
import { sentences } from '../../api/said';
import type { SchemaSecretView } from '../../api/schema';
import { texts } from '../../api/texts';
import { useSession } from '../../app/session';
import { useFormat } from '../../i18n/format';
import { Button } from '../../ui/Button';
import { ConfirmDialog, Dialog } from '../../ui/Dialog';
import { TextField } from '../../ui/Field';
import { Form } from '../../ui/Form';
import { EmptyState } from '../../ui/Layout';
import { ErrorNotice } from '../../ui/Notice';
import { Table } from '../../ui/Table';
import { useToast } from '../../ui/Toast';
import { Section, Stack } from './Section';
import { deleteSecret, isName, setSecret } from './secrets';

type Doing = { kind: 'set'; name?: string } | { kind: 'delete'; name: string; usedBy: readonly string[] };

/** Values go in and never come out. */
export default function SecretsSection() {
  const { t } = useTranslation();
  const { can } = useSession();
  const format = useFormat();
  const toast = useToast();
  const cache = useQueryClient();
  const [doing, setDoing] = useState<Doing | null>(null);
  const secrets = usePages<SchemaSecretView>(['secrets'], (cursor) => data(api.GET('/api/v1/secrets', { params: { query: { limit: 100, ...(cursor && { cursor }) } } })));
  const mayWrite = can('secrets:write');
  const close = () => { setDoing(null); };
  const done = async (text: string) => {
    await Promise.all([cache.invalidateQueries({ queryKey: ['secrets'] }), cache.invalidateQueries({ queryKey: ['models'] })]);
    close();
    toast(text);
  };
  return (
    <Section
      title={t('admin.section.secrets')} intro={t('admin.secrets.intro')}
      actions={mayWrite ? <Button kind="primary" icon={<Plus size={16} aria-hidden />} onClick={() => { setDoing({ kind: 'set' }); }}>{t('admin.secrets.add')}</Button> : undefined}
    >
      {secrets.error ? <ErrorNotice error={secrets.error} retry={secrets.retry} /> : null}
      {secrets.lost ? null : (
        <Table<SchemaSecretView>
          caption={t('admin.section.secrets')} rows={secrets.rows} rowKey={(s) => s.name} loading={secrets.loading} more={secrets.more}
          empty={<EmptyState icon={<Lock size={32} />} title={t('admin.secrets.none')}>{t('admin.secrets.noneText')}</EmptyState>}
          columns={[
            { key: 'name', header: t('admin.secrets.name'), cell: (s) => <Stack below={s.used_by.join(', ') || t('admin.secrets.unused')}><code>{s.name}</code></Stack> },
            { key: 'changed', header: t('admin.changed'), cell: (s) => format.moment(s.updated_at), secondary: true },
            ...(mayWrite ? [{
              key: 'act', header: t('admin.actions'), cell: (s: SchemaSecretView) => (
                <>
                  <Button size="s" kind="ghost" aria-label={t('admin.secrets.replaceOf', { name: s.name })} onClick={() => { setDoing({ kind: 'set', name: s.name }); }}>{t('admin.secrets.replace')}</Button>
                  <Button size="s" kind="ghost" aria-label={t('admin.secrets.deleteOf', { name: s.name })} onClick={() => { setDoing({ kind: 'delete', name: s.name, usedBy: texts(s.used_by) }); }}>{t('action.delete')}</Button>
                </>
              ),
            }] : []),
          ]}
        />
      )}
      <Dialog open={doing?.kind === 'set'} onClose={close} title={t('admin.secrets.enter')} description={t('admin.secrets.enterText')}>
        {doing?.kind === 'set' ? <SecretForm known={doing.name} onCancel={close} onDone={(name) => done(t('admin.secrets.stored', { name }))} /> : null}
      </Dialog>
      <ConfirmDialog
        open={doing?.kind === 'delete'} onClose={close} danger title={doing?.kind === 'delete' ? t('admin.secrets.deleteTitle', { name: doing.name }) : ''} action={t('action.delete')}
        description={doing?.kind === 'delete' && doing.usedBy.length > 0 ? t('admin.secrets.deleteUsed', { uses: doing.usedBy.join(', ') }) : t('admin.secrets.deleteText')}
        onConfirm={async () => {
          if (doing?.kind !== 'delete') return;
          await deleteSecret(doing.name);
          await done(t('admin.secrets.deleted', { name: doing.name }));
        }}
      />
    </Section>
  );
}

function SecretForm({ known, onDone, onCancel }: { known: string | undefined; onDone: (name: string) => Promise<void>; onCancel: () => void }) {
  const { t } = useTranslation();
  const [name, setName] = useState(known ?? '');
  const [value, setValue] = useState('');
  return (
    <Form
      submit={t('action.save')} onCancel={onCancel} fields={['name', 'value']}
      onSubmit={async () => {
        if (!isName(name.trim())) throw new Problem(400, { errors: { name: [sentences.secretName] } });
        await setSecret(name.trim(), value);
        setValue('');
        await onDone(name.trim());
      }}
    >
      {(errors) => (
        <>
          <TextField label={t('admin.secrets.name')} hint={t('admin.secrets.nameHint')} readOnly={known !== undefined} autoComplete="off" autoCapitalize="none" spellCheck={false} required value={name} onChange={(e) => { setName(e.target.value); }} errors={errors('name')} />
          <TextField label={t('admin.secrets.value')} hint={t('admin.secrets.valueHint')} type="password" autoComplete="off" spellCheck={false} required value={value} onChange={(e) => { setValue(e.target.value); }} errors={errors('value')} />
        </>
      )}
    </Form>
  );
}
