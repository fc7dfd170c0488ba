import { useTranslation } from 'react-i18next';
import { api, data } from '../../../api/client';
import type { SchemaModelTestResponse } from '../../../api/schema';
import { useFormat } from '../../../i18n/format';
import { Notice } from '../../../ui/Notice';
import { Said } from '../../../ui/Said';

/** One tiny real call; a model that does not answer is an answer, too. */
export function testModel(model: string): Promise<SchemaModelTestResponse> {
  return data(api.POST('/api/v1/models/{id}/test', { params: { path: { id: model } } }));
}

export function TestResult({ result }: { result: SchemaModelTestResponse }) {
  const { t } = useTranslation();
  const format = useFormat();
  if (result.ok) return <Notice tone="success" title={t('admin.models.answers', { model: result.model })}>{t('admin.models.answered', { time: format.duration(Number(result.latency_ms)), cost: format.money(result.cost_usd) })}</Notice>;
  return (
    <Notice tone="danger" title={t('admin.models.silent', { model: result.model, error: t(`admin.models.error.${result.error_class ?? 'bad_request'}`, { defaultValue: result.error_class ?? '' }) })}>
      {result.detail ? <Said text={result.detail} /> : null}
    </Notice>
  );
}
