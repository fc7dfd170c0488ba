import { useMemo, useState } from 'react';
import { useTranslation } from 'react-i18next';
import type { SchemaRunOutcomesView } from '../../api/schema';
import { useSession } from '../../app/session';
import { useFormat } from '../../i18n/format';
import { Chart } from '../../ui/chart/Chart';
import { seriesOf } from '../../ui/chart/scale';
import { Select } from '../../ui/Field';
import { Card, EmptyState, Loading } from '../../ui/Layout';
import { ErrorNotice } from '../../ui/Notice';
import { useBuckets } from './buckets';
import { runMeasures, runPoints, seriesNames, type RunMeasure } from './outcomes';
import { spans, useOutcomes, type Span } from './data';
import styles from './Dashboard.module.css';

/** Which runs failed and how long runs took, in time: one's own, or everybody's for those who may see that. */
export function RunsOverTime() {
  const { t } = useTranslation();
  const { can } = useSession();
  const mayAll = can('usage:read');
  const [measure, setMeasure] = useState<RunMeasure>('errors');
  const [span, setSpan] = useState<Span>('days7');
  const [all, setAll] = useState(mayAll);
  const outcomes = useOutcomes(span, all && mayAll);
  return (
    <Card title={t('dashboard.runsOverTime')}>
      <div className={styles.filters}>
        <Select label={t('dashboard.measure')} value={measure} onChange={(e) => { setMeasure(e.target.value as RunMeasure); }} options={runMeasures.map((value) => ({ value, label: t(`dashboard.runMeasures.${value}`) }))} />
        <Select label={t('dashboard.span')} value={span} onChange={(e) => { setSpan(e.target.value as Span); }} options={(Object.keys(spans) as Span[]).map((value) => ({ value, label: t(`dashboard.spans.${value}`) }))} />
        {mayAll ? <Select label={t('dashboard.whose')} value={all ? 'all' : 'own'} onChange={(e) => { setAll(e.target.value === 'all'); }} options={(['all', 'own'] as const).map((value) => ({ value, label: t(`dashboard.scopes.${value}`) }))} /> : null}
      </div>
      <div className={styles.chart}>
        {outcomes.isPending ? <Loading label={t('state.loading')} /> : null}
        {outcomes.isError ? <ErrorNotice error={outcomes.error} retry={() => void outcomes.refetch()} /> : null}
        {outcomes.data && outcomes.data.series.length === 0 ? <EmptyState title={t('dashboard.noRunsThen')} /> : null}
        {outcomes.data && outcomes.data.series.length > 0 ? <Outcomes view={outcomes.data} measure={measure} span={span} /> : null}
      </div>
    </Card>
  );
}

function Outcomes({ view, measure, span }: { view: SchemaRunOutcomesView; measure: RunMeasure; span: Span }) {
  const { t } = useTranslation();
  const format = useFormat();
  const { buckets, labels, clock } = useBuckets(view);
  const series = useMemo(() => seriesOf(runPoints(view.series, measure), seriesNames[measure], buckets, measure === 'latency' ? null : 0), [view, measure, buckets]);
  const title = [t('dashboard.runsOverTime'), t(`dashboard.runMeasures.${measure}`), t(`dashboard.spans.${span}`)].join(' · ');
  return (
    <Chart
      title={title} kind={measure === 'latency' ? 'lines' : 'bars'} series={series} labels={labels} clock={clock} whole
      nameOf={(key) => key === null ? '' : t(`dashboard.outcomes.${key}`)} format={measure === 'latency' ? format.duration : format.number}
    />
  );
}
