import { ChartColumn } from 'lucide-react';
import { useMemo, useState } from 'react';
import { useTranslation } from 'react-i18next';
import type { SchemaUsageFigures, SchemaUsageReport, SchemaUsageTotal } from '../../api/schema';
import { useSession } from '../../app/session';
import { useFormat } from '../../i18n/format';
import { Chart } from '../../ui/chart/Chart';
import { seriesOf } from '../../ui/chart/scale';
import { Select } from '../../ui/Field';
import { Card, EmptyState, Loading } from '../../ui/Layout';
import { ErrorNotice } from '../../ui/Notice';
import { Table } from '../../ui/Table';
import { useBuckets } from './buckets';
import { spans, useUsage, type By, type Span } from './data';
import { Savings } from './SavingsCard';
import styles from './Dashboard.module.css';

const measures = ['cost', 'runs', 'requests', 'errors', 'latency', 'tokens'] as const;
type Measure = (typeof measures)[number];

/** What models were asked and what that took and cost, by whom or what, in time. */
export function UsageCard() {
  const { t } = useTranslation();
  const { can } = useSession();
  const mayAll = can('usage:read');
  const [by, setBy] = useState<By>('agent');
  const [span, setSpan] = useState<Span>('days7');
  const [measure, setMeasure] = useState<Measure>('requests');
  const [all, setAll] = useState(mayAll);
  const usage = useUsage(by, span, all && mayAll);
  const bys: By[] = mayAll ? ['agent', 'model', 'tier', 'user'] : ['agent', 'model', 'tier'];
  return (
    <Card title={t('dashboard.usage')}>
      <div className={styles.filters}>
        <Select label={t('dashboard.measure')} value={measure} onChange={(e) => { setMeasure(e.target.value as Measure); }} options={measures.map((value) => ({ value, label: t(`dashboard.measures.${value}`) }))} />
        <Select label={t('dashboard.by')} value={by} onChange={(e) => { setBy(e.target.value as By); }} options={bys.map((value) => ({ value, label: t(`dashboard.bys.${value}`) }))} />
        <Select label={t('dashboard.span')} value={span} onChange={(e) => { setSpan(e.target.value as Span); }} options={(Object.keys(spans) as Span[]).map((value) => ({ value, label: t(`dashboard.spans.${value}`) }))} />
        {mayAll && by !== 'user' ? <Select label={t('dashboard.whose')} value={all ? 'all' : 'own'} onChange={(e) => { setAll(e.target.value === 'all'); }} options={(['all', 'own'] as const).map((value) => ({ value, label: t(`dashboard.scopes.${value}`) }))} /> : null}
      </div>
      <div className={styles.chart}>
        {usage.isPending ? <Loading label={t('state.loading')} /> : null}
        {usage.isError ? <ErrorNotice error={usage.error} retry={() => void usage.refetch()} /> : null}
        {usage.data && usage.data.items.length === 0 ? <EmptyState icon={<ChartColumn size={32} />} title={t('dashboard.noUsage')}>{t('dashboard.noUsageText')}</EmptyState> : null}
        {usage.data && usage.data.items.length > 0 ? <Report report={usage.data} measure={measure} span={span} /> : null}
      </div>
      <Savings span={span} all={all && mayAll} />
    </Card>
  );
}

function Report({ report, measure, span }: { report: SchemaUsageReport; measure: Measure; span: Span }) {
  const { t } = useTranslation();
  const format = useFormat();
  const { buckets, labels, clock } = useBuckets(report);
  const series = useMemo(() => seriesOf(
    report.series.flatMap((p) => {
      const value = valueOf(p.figures, measure);
      return value === null ? [] : [{ start: p.start, key: p.key ?? null, value }];
    }),
    report.items.slice(0, 8).map((i) => i.key), buckets, measure === 'latency' ? null : 0,
  ), [report, measure, buckets]);
  const names = new Map(report.items.map((i) => [i.key, i.label ?? i.key]));
  const nameOf = (key: string | null) => key === null ? t('dashboard.others') : names.get(key) || t('dashboard.noAgent');
  const show = (value: number, step?: number) => measure === 'cost' ? format.money(value, step) : measure === 'latency' ? format.duration(value) : measure === 'tokens' ? format.compact(value) : format.number(value);
  // A run in which several agents worked counts at each: only those of users add up.
  const adds = measure !== 'latency' && (measure !== 'runs' || report.by === 'user');
  const title = t('dashboard.chartTitle', { measure: t(`dashboard.measures.${measure}`), by: t(`dashboard.bys.${byOf(report.by)}`), span: t(`dashboard.spans.${span}`) });
  return (
    <>
      <Chart title={title} kind={adds ? 'bars' : 'lines'} series={series} labels={labels} clock={clock} nameOf={nameOf} format={show} whole={measure !== 'cost'} />
      <Table<SchemaUsageTotal>
        caption={t('dashboard.totals')} rows={report.items} rowKey={(i) => i.key}
        columns={[
          { key: 'key', header: t(`dashboard.bys.${byOf(report.by)}`), cell: (i) => nameOf(i.key) },
          { key: 'cost', header: t('dashboard.measures.cost'), numeric: true, cell: (i) => format.money(String(i.figures.cost_usd)) },
          { key: 'requests', header: t('dashboard.measures.requests'), numeric: true, cell: (i) => format.number(i.figures.requests) },
          { key: 'errors', header: t('dashboard.measures.errors'), numeric: true, cell: (i) => format.number(i.figures.failed) },
          { key: 'runs', header: t('dashboard.measures.runs'), numeric: true, secondary: true, cell: (i) => format.number(i.figures.runs) },
          { key: 'latency', header: t('dashboard.measures.latency'), numeric: true, secondary: true, cell: (i) => i.figures.mean_latency_ms === null || i.figures.mean_latency_ms === undefined ? '–' : format.duration(i.figures.mean_latency_ms) },
          { key: 'tokens', header: t('dashboard.tokensInOut'), numeric: true, secondary: true, cell: (i) => `${format.compact(i.figures.input_tokens)} / ${format.compact(i.figures.output_tokens)}` },
        ]}
      />
    </>
  );
}

function byOf(by: string): By {
  return by === 'agent' || by === 'tier' || by === 'user' ? by : 'model';
}

function valueOf(figures: SchemaUsageFigures, measure: Measure): number | null {
  switch (measure) {
    case 'cost': return Number(figures.cost_usd);
    case 'runs': return figures.runs;
    case 'requests': return figures.requests;
    case 'errors': return figures.failed;
    case 'latency': return figures.mean_latency_ms ?? null;
    case 'tokens': return figures.input_tokens + figures.output_tokens;
  }
}
