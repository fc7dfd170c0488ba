import { useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import type { SchemaModelTestResponse, SchemaProviderResponse } from '../../../api/schema';
import { useSession } from '../../../app/session';
import { Select, TextField } from '../../../ui/Field';
import { Form } from '../../../ui/Form';
import { Card } from '../../../ui/Layout';
import { ErrorNotice, Notice } from '../../../ui/Notice';
import { setSecret } from '../secrets';
import { keyed, probeOf } from './providers';
import styles from './ProviderKeys.module.css';
import { testModel, TestResult } from './TestResult';

/** Enter a provider's key while the server runs, and see at once with a real call whether it works. */
export function ProviderKeys({ providers }: { providers: readonly SchemaProviderResponse[] }) {
  const { t } = useTranslation();
  const { can } = useSession();
  const cache = useQueryClient();
  const possible = keyed(providers);
  const [chosen, setChosen] = useState('');
  const [key, setKey] = useState('');
  const [result, setResult] = useState<SchemaModelTestResponse | null>(null);
  const [untested, setUntested] = useState<unknown>(null);
  const provider = possible.find((p) => p.name === chosen) ?? possible[0];
  if (!can('secrets:write') || !can('settings:write')) return null;
  if (!provider) return <Card title={t('admin.provider.title')}><Variables providers={providers} /></Card>;
  const secret = provider.key_secret;
  const forget = () => {
    setResult(null);
    setUntested(null);
  };
  return (
    <Card title={t('admin.provider.title')}>
      <div className={styles.live} aria-live="polite">
        <p>{t('admin.provider.text')}</p>
        {result ? <TestResult result={result} /> : null}
        {untested ? <><Notice tone="warning" title={t('admin.provider.untested')} /><ErrorNotice error={untested} /></> : null}
      </div>
      <Form
        submit={t('admin.provider.save')} fields={['value']}
        onSubmit={async () => {
          forget();
          setChosen(provider.name); // stays chosen when it has a key and others have none
          await setSecret(secret, key.trim());
          setKey('');
          const model = probeOf(provider);
          try {
            if (model) setResult(await testModel(model));
          } catch (error) {
            setUntested(error); // the key is stored all the same
          } finally {
            await Promise.all([cache.invalidateQueries({ queryKey: ['models'] }), cache.invalidateQueries({ queryKey: ['secrets'] })]);
          }
        }}
      >
        {(errors, busy) => (
          <>
            <Select label={t('admin.provider.provider')} value={provider.name} disabled={busy} onChange={(e) => { setChosen(e.target.value); forget(); }} options={possible.map((p) => ({ value: p.name, label: `${p.name}${p.has_key ? ` (${t('admin.provider.hasKey')})` : ''}` }))} />
            <TextField label={t('admin.provider.key')} hint={t('admin.provider.keyHint', { secret })} type="password" autoComplete="off" spellCheck={false} required disabled={busy} value={key} onChange={(e) => { setKey(e.target.value); }} errors={errors('value')} />
            {provider.has_key && provider.key_variable ? <Notice>{t('admin.provider.variableFirst', { variable: provider.key_variable })}</Notice> : null}
          </>
        )}
      </Form>
    </Card>
  );
}

/** No provider takes a key from here: say where it belongs. */
function Variables({ providers }: { providers: readonly SchemaProviderResponse[] }) {
  const { t } = useTranslation();
  const names = providers.flatMap((p) => p.key_variable ? [p.key_variable] : []);
  return <p>{names.length > 0 ? t('admin.provider.variables', { names: names.join(', ') }) : t('admin.provider.file')}</p>;
}
