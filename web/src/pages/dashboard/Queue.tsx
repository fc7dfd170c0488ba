import { useTranslation } from 'react-i18next';
import type { SchemaQueueWorkerView } from '../../api/schema';
import { useFormat } from '../../i18n/format';
import { Badge, Card, Facts, Loading } from '../../ui/Layout';
import { ReadNotice } from '../../ui/Notice';
import { Table } from '../../ui/Table';
import { useQueue } from './data';
import styles from './Dashboard.module.css';

/** How runs reach the workers. */
export function Queue() {
  const { t } = useTranslation();
  const format = useFormat();
  const queue = useQueue(true);
  if (queue.isPending) return <Card title={t('dashboard.queue')}><div className={styles.list}><Loading label={t('state.loading')} /></div></Card>;
  if (queue.isLoadingError) return <Card title={t('dashboard.queue')}><ReadNotice of={queue} /></Card>;
  const q = queue.data;
  const dispatch = q.dispatch === 'rabbitmq' || q.dispatch === 'database' ? q.dispatch : 'in_process';
  return (
    <Card title={t('dashboard.queue')} actions={q.broker === 'unreachable' ? <Badge tone="warning">{t('dashboard.brokerAway')}</Badge> : undefined}>
      <ReadNotice of={queue} />
      <Facts items={[
        [t('dashboard.dispatch'), t(`dashboard.dispatches.${dispatch}`)],
        [t('dashboard.running'), format.number(q.running)],
        [t('dashboard.waiting'), format.number(q.waiting)],
        [t('dashboard.waitingForBranch'), format.number(q.waiting_for_branch)],
        [t('dashboard.dead'), q.dead_letters > 0 ? <Badge key="dead" tone="danger">{format.number(q.dead_letters)}</Badge> : format.number(0)],
        [t('dashboard.oldestSince'), q.oldest_since ? format.ago(q.oldest_since) : t('dashboard.nobodyWaits')],
      ]}
      />
      <Table<SchemaQueueWorkerView>
        caption={t('dashboard.workers')} rows={q.workers} rowKey={(w) => w.name} empty={<p className={styles.soft}>{t('dashboard.noWorkers')}</p>}
        columns={[{ key: 'name', header: t('dashboard.worker'), cell: (w) => <code>{w.name}</code> }, { key: 'running', header: t('dashboard.running'), numeric: true, cell: (w) => format.number(w.running) }]}
      />
    </Card>
  );
}
