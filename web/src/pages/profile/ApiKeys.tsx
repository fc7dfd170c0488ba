import { useQueryClient } from '@tanstack/react-query';
import { KeyRound, Plus } from 'lucide-react';
import { useRef, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { api, data, idempotencyKey } from '../../api/client';
import { usePages } from '../../api/pages';
import { Problem } from '../../api/problem';
import { isSettled } from '../../api/sameRequest';
import type { SchemaApiKeyAnswer, SchemaNewApiKeyRequest } from '../../api/schema';
import { texts } from '../../api/texts';
import { useSession } from '../../app/session';
import { useFormat } from '../../i18n/format';
import { Button } from '../../ui/Button';
import { copyText } from '../../ui/clipboard';
import { ConfirmDialog, Dialog } from '../../ui/Dialog';
import { Checkbox, Select, TextField } from '../../ui/Field';
import { Form } from '../../ui/Form';
import { Card, EmptyState } from '../../ui/Layout';
import { ErrorNotice, Notice } from '../../ui/Notice';
import { Table } from '../../ui/Table';
import { useToast } from '../../ui/Toast';
import { grantable } from '../admin/roles';
import { CheckList, Code, Stack } from '../admin/Section';

/** Keys for programs. The secret is seen once, here, and is nowhere afterwards. */
export function ApiKeys() {
  const { t } = useTranslation();
  const format = useFormat();
  const toast = useToast();
  const cache = useQueryClient();
  const [adds, setAdds] = useState(false);
  const [made, setMade] = useState<string | null>(null);
  const [revokes, setRevokes] = useState<SchemaApiKeyAnswer | null>(null);
  const keys = usePages<SchemaApiKeyAnswer>(['api-keys'], (cursor) => data(api.GET('/api/v1/api-keys', { params: { query: { limit: 50, ...(cursor && { cursor }) } } })));
  const refresh = () => cache.invalidateQueries({ queryKey: ['api-keys'] });
  return (
    <Card title={t('profile.keys.title')} actions={<Button size="s" icon={<Plus size={14} aria-hidden />} onClick={() => { setAdds(true); }}>{t('profile.keys.add')}</Button>}>
      {keys.error ? <ErrorNotice error={keys.error} retry={keys.retry} /> : null}
      {keys.lost ? null : (
        <Table<SchemaApiKeyAnswer>
          caption={t('profile.keys.title')} rows={keys.rows} rowKey={(k) => k.id} loading={keys.loading} more={keys.more}
          empty={<EmptyState icon={<KeyRound size={32} />} title={t('profile.keys.none')}>{t('profile.keys.noneText')}</EmptyState>}
          columns={[
            { key: 'name', header: t('profile.keys.name'), cell: (k) => <Stack below={`${k.hint}…`}>{k.name}</Stack> },
            { key: 'scopes', header: t('profile.keys.scopes'), cell: (k) => texts(k.scopes).join(', ') || t('profile.keys.all'), secondary: true },
            { key: 'ends', header: t('profile.keys.ends'), cell: (k) => k.expires_at ? format.day(k.expires_at) : t('admin.never') },
            { key: 'used', header: t('profile.lastUsed'), cell: (k) => k.last_used_at ? format.ago(k.last_used_at) : t('admin.never'), secondary: true },
            { key: 'act', header: t('admin.actions'), cell: (k) => <Button size="s" kind="ghost" aria-label={t('profile.keys.revokeOf', { name: k.name })} onClick={() => { setRevokes(k); }}>{t('profile.keys.revoke')}</Button> },
          ]}
        />
      )}
      <Dialog open={adds} onClose={() => { setAdds(false); }} title={t('profile.keys.add')}>
        <NewKey onCancel={() => { setAdds(false); }} onDone={async (secret) => { setAdds(false); setMade(secret); await refresh(); }} />
      </Dialog>
      {/* Seen this once: only who says that it was kept closes it, not a key or a click beside it. */}
      <Dialog open={made !== null} title={t('profile.keys.made')} description={t('profile.keys.madeText')}>
        {made ? <Secret value={made} onClose={() => { setMade(null); }} /> : null}
      </Dialog>
      <ConfirmDialog
        open={revokes !== null} onClose={() => { setRevokes(null); }} danger title={t('profile.keys.revokeTitle', { name: revokes?.name ?? '' })} description={t('profile.keys.revokeText')} action={t('profile.keys.revoke')}
        onConfirm={async () => {
          if (!revokes) return;
          try {
            await api.DELETE('/api/v1/api-keys/{id}', { params: { path: { id: revokes.id } } });
          } catch (error) {
            if (!(error instanceof Problem) || error.code !== 'api_key_not_found') throw error; // revoked already
          }
          await refresh();
          toast(t('profile.keys.revoked'));
        }}
      />
    </Card>
  );
}

const spans = ['30', '90', '365', ''] as const;

function NewKey({ onDone, onCancel }: { onDone: (secret: string) => Promise<void>; onCancel: () => void }) {
  const { t } = useTranslation();
  const { me } = useSession();
  const [name, setName] = useState('');
  const [days, setDays] = useState('90');
  const [whole, setWhole] = useState(false);
  const [scopes, setScopes] = useState<ReadonlySet<string>>(new Set());
  const [missing, setMissing] = useState(false);
  const tried = useRef<{ for: string; body: SchemaNewApiKeyRequest; key: string }>(null);
  const toggle = (scope: string, on: boolean) => { setMissing(false); setScopes(new Set(on ? [...scopes, scope] : [...scopes].filter((s) => s !== scope))); };
  return (
    <Form
      submit={t('profile.keys.create')} onCancel={onCancel} fields={['name', 'expires_at', 'scopes']}
      onSubmit={async () => {
        if (!whole && scopes.size === 0) {
          setMissing(true);
          return false;
        }
        const given = { name: name.trim(), scopes: whole ? [] : [...scopes] };
        const wanted = JSON.stringify([given, days]);
        // The same again after a lost answer is the same request: no second key whose secret nobody saw.
        if (tried.current?.for !== wanted) tried.current = { for: wanted, body: { ...given, ...(days !== '' && { expires_at: new Date(Date.now() + Number(days) * 86_400_000).toISOString() }) }, key: idempotencyKey() };
        const made = await data(api.POST('/api/v1/api-keys', { body: tried.current.body, headers: { 'Idempotency-Key': tried.current.key } })).catch((error: unknown) => {
          if (isSettled(error)) tried.current = null;
          throw error;
        });
        await onDone(made.secret ?? '');
        return true;
      }}
    >
      {(errors) => (
        <>
          <TextField label={t('profile.keys.name')} hint={t('profile.keys.nameHint')} required maxLength={100} autoComplete="off" value={name} onChange={(e) => { setName(e.target.value); }} errors={errors('name')} />
          <Select label={t('profile.keys.ends')} value={days} onChange={(e) => { setDays(e.target.value); }} options={spans.map((value) => ({ value, label: value === '' ? t('admin.never') : t('profile.keys.days', { count: Number(value) }) }))} errors={errors('expires_at')} />
          <Select label={t('profile.keys.scopes')} value={whole ? 'all' : 'some'} onChange={(e) => { setMissing(false); setWhole(e.target.value === 'all'); }} options={[{ value: 'some', label: t('profile.keys.some') }, { value: 'all', label: t('profile.keys.all') }]} errors={missing ? [t('profile.keys.choose')] : errors('scopes')} />
          {whole ? null : (
            <CheckList label={t('profile.keys.scopesHint')}>
              {grantable(texts(me.permissions)).map((scope) => <Checkbox key={scope} label={scope} checked={scopes.has(scope)} onChange={(e) => { toggle(scope, e.target.checked); }} />)}
            </CheckList>
          )}
        </>
      )}
    </Form>
  );
}

function Secret({ value, onClose }: { value: string; onClose: () => void }) {
  const { t } = useTranslation();
  const [copied, setCopied] = useState<boolean | null>(null);
  const copy = () => { copyText(value).then(() => { setCopied(true); }, () => { setCopied(false); }); };
  return (
    <>
      <Code>{value}</Code>
      {copied === false ? <Notice tone="warning">{t('profile.keys.notCopied')}</Notice> : null}
      <div>
        <Button kind="primary" onClick={copy}>{t(copied ? 'action.copied' : 'action.copy')}</Button>{' '}
        <Button kind="ghost" onClick={onClose}>{t('profile.keys.kept')}</Button>
      </div>
    </>
  );
}
