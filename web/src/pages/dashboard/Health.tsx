import { useTranslation } from 'react-i18next';
import type { SchemaHealthCheck } from '../../api/schema';
import { useFormat } from '../../i18n/format';
import { Badge, Card, Loading } from '../../ui/Layout';
import { ReadNotice } from '../../ui/Notice';
import { Said } from '../../ui/Said';
import { Table } from '../../ui/Table';
import { useHealth } from './data';
import styles from './Dashboard.module.css';

interface Part extends SchemaHealthCheck {
  name: string;
}

const statuses = ['healthy', 'degraded', 'unhealthy', 'not_configured'] as const;

/** What everything depends on, as the server found it. */
export function Health() {
  const { t } = useTranslation();
  const format = useFormat();
  const health = useHealth();
  if (health.isPending) return <Card title={t('dashboard.health')}><div className={styles.list}><Loading label={t('state.loading')} /></div></Card>;
  if (health.isLoadingError) return <Card title={t('dashboard.health')}><ReadNotice of={health} /></Card>;
  const checks: Readonly<Record<string, SchemaHealthCheck>> = health.data.checks ?? {};
  const parts = Object.entries(checks).map(([name, check]): Part => ({ name, ...check })).sort((a, b) => order(a.status) - order(b.status) || a.name.localeCompare(b.name));
  return (
    <Card title={t('dashboard.health')} actions={<HealthBadge status={health.data.status} />}>
      <ReadNotice of={health} />
      <Table<Part>
        caption={t('dashboard.health')} rows={parts} rowKey={(p) => p.name}
        columns={[
          { key: 'name', header: t('dashboard.part'), cell: (p) => <>{p.name}{p.critical ? <span className={styles.soft}> · {t('dashboard.critical')}</span> : null}</> },
          { key: 'status', header: t('dashboard.status'), cell: (p) => <HealthBadge status={p.status} /> },
          { key: 'latency', header: t('dashboard.answered'), numeric: true, cell: (p) => p.latency_ms === null || p.latency_ms === undefined ? '–' : format.duration(p.latency_ms) },
          { key: 'error', header: t('dashboard.lastError'), secondary: true, cell: (p) => p.last_error ? <><Said text={p.last_error} />{p.last_error_at ? <span className={styles.soft}> · {format.ago(p.last_error_at)}</span> : null}</> : '–' },
          { key: 'detail', header: t('dashboard.detail'), secondary: true, cell: (p) => <span className={styles.soft}>{p.detail ? <Said text={p.detail} /> : null}</span> },
        ]}
      />
      <p className={styles.soft}>{t('dashboard.version', { version: health.data.version })}</p>
    </Card>
  );
}

function order(status: string): number {
  return ['unhealthy', 'degraded', 'healthy', 'not_configured'].indexOf(status);
}

function HealthBadge({ status }: { status: string }) {
  const { t } = useTranslation();
  const known = statuses.find((s) => s === status);
  return <Badge tone={status === 'healthy' ? 'success' : status === 'degraded' ? 'warning' : status === 'unhealthy' ? 'danger' : 'neutral'}>{known ? t(`dashboard.health_status.${known}`) : status}</Badge>;
}
