import { useMutation, useQuery } from '@tanstack/react-query';
import { FlaskConical } from 'lucide-react';
import { useTranslation } from 'react-i18next';
import { api, data } from '../../../api/client';
import type { SchemaEndpointResponse, SchemaModelResponse } from '../../../api/schema';
import { texts } from '../../../api/texts';
import { useSession } from '../../../app/session';
import { useFormat } from '../../../i18n/format';
import { Button } from '../../../ui/Button';
import { Badge, Card, Facts, Loading } from '../../../ui/Layout';
import { ErrorNotice, Notice, ReadNotice } from '../../../ui/Notice';
import { Said } from '../../../ui/Said';
import { Table } from '../../../ui/Table';
import { Section, Stack } from '../Section';
import styles from './ModelsSection.module.css';
import { ProviderKeys } from './ProviderKeys';
import { testModel, TestResult } from './TestResult';

/** Which models answer, in which order, at what price, and how they are doing. */
export default function ModelsSection() {
  const { t } = useTranslation();
  const models = useQuery({ queryKey: ['models'], queryFn: () => data(api.GET('/api/v1/models')), refetchInterval: 15_000 });
  if (models.isPending) return <Loading label={t('state.loading')} />;
  if (models.isLoadingError) return <ReadNotice of={models} />;
  const all = models.data;
  const problems = texts(all.problems);
  return (
    <Section title={t('admin.section.models')} intro={t('admin.models.intro')}>
      <ReadNotice of={models} />
      {all.offline ? <Notice title={t('admin.models.offline')}>{t('admin.models.offlineText')}</Notice> : null}
      {problems.length > 0 ? <Notice tone="warning" title={t('admin.models.problems', { count: problems.length })}><ul className={styles.problems}>{problems.slice(0, 10).map((problem) => <li key={problem} lang="en">{problem}</li>)}</ul></Notice> : null}
      {texts(all.notes).map((note) => <Notice key={note}><Said text={note} /></Notice>)}
      <ProviderKeys providers={all.providers} />
      <Card title={t('admin.models.tiers')}>
        <Facts items={[...all.tiers.map((tier) => [t(`admin.models.tier.${tier.name}`), tier.models.join(' → ') || t('admin.none')] as const), [t('admin.models.embedding'), all.embedding ?? t('admin.none')]]} />
      </Card>
      <Models models={all.items} />
    </Section>
  );
}

function Models({ models }: { models: readonly SchemaModelResponse[] }) {
  const { t } = useTranslation();
  const { can } = useSession();
  const format = useFormat();
  const test = useMutation({ mutationFn: testModel });
  const price = (m: SchemaModelResponse) => m.free ? t('admin.models.free') : `${format.price(m.input_price)} / ${format.price(m.output_price)}`;
  return (
    <>
      <div aria-live="polite">
        {test.isPending ? <Notice>{t('admin.models.testing', { model: test.variables })}</Notice> : null}
        {test.data && !test.isPending ? <TestResult result={test.data} /> : null}
        {test.error ? <ErrorNotice error={test.error} /> : null}
      </div>
      <Table<SchemaModelResponse>
        caption={t('admin.section.models')} rows={models} rowKey={(m) => m.name}
        columns={[
          { key: 'name', header: t('admin.models.model'), cell: (m) => <Stack below={`${m.provider}${m.id === m.name ? '' : ` · ${m.id}`}`}><strong>{m.name}</strong></Stack> },
          { key: 'state', header: t('admin.state'), cell: (m) => <State endpoint={m.endpoint} /> },
          { key: 'price', header: t('admin.models.price'), numeric: true, cell: price, secondary: true },
          { key: 'context', header: t('admin.models.context'), numeric: true, cell: (m) => format.compact(Number(m.context_tokens)), secondary: true },
          ...(can('settings:write') ? [{
            key: 'test', header: t('admin.actions'), cell: (m: SchemaModelResponse) => (
              <Button size="s" icon={<FlaskConical size={14} aria-hidden />} busy={test.isPending && test.variables === m.name} disabled={test.isPending} aria-label={t('admin.models.testOf', { model: m.name })} onClick={() => { test.mutate(m.name); }}>{t('admin.models.test')}</Button>
            ),
          }] : []),
        ]}
      />
    </>
  );
}

function State({ endpoint }: { endpoint: SchemaEndpointResponse }) {
  const { t } = useTranslation();
  const format = useFormat();
  const badge = endpoint.key_valid === false ? <Badge tone="danger">{t('admin.models.badKey')}</Badge>
    : !endpoint.reachable ? <Badge tone="danger">{t('admin.models.unreachable')}</Badge>
      : endpoint.circuit === 'open' ? <Badge tone="warning">{t('admin.models.resting')}</Badge>
        : <Badge tone="success">{t('admin.models.reachable')}</Badge>;
  const last = endpoint.last_error && endpoint.last_error_at ? t('admin.models.lastError', { error: t(`admin.models.error.${endpoint.last_error}`, { defaultValue: endpoint.last_error }), when: format.ago(endpoint.last_error_at) }) : '';
  return <Stack below={last || endpoint.advice ? <>{last} {endpoint.advice ? <Said text={endpoint.advice} /> : null}</> : undefined}>{badge}</Stack>;
}
