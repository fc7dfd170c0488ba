import { useTranslation } from 'react-i18next';
import { Link } from 'react-router';
import { useSession } from '../../app/session';
import { useFormat } from '../../i18n/format';
import { percentile } from '../../ui/chart/scale';
import { Card, EmptyState } from '../../ui/Layout';
import { ReadNotice } from '../../ui/Notice';
import { useRuns } from './data';
import { Tiles, TilesToCome } from './Tiles';
import styles from './Dashboard.module.css';

/** One's own newest runs, as figures. */
export function RunsCard() {
  const { t } = useTranslation();
  const format = useFormat();
  const { can } = useSession();
  const runs = useRuns(can('chat:read'));
  if (runs.isPending) {
    const names = [t('dashboard.completed'), t('dashboard.failed'), t('dashboard.stopped'), t('dashboard.open'), t('dashboard.median'), t('dashboard.slow')];
    return <Card title={t('dashboard.myRuns')}><p className={styles.soft}>{'\u00a0'}</p><TilesToCome inner names={names} noted={names.slice(0, 1)} /></Card>;
  }
  if (runs.isLoadingError) return <Card title={t('dashboard.myRuns')}><ReadNotice of={runs} /></Card>;
  const all = runs.data.items;
  if (all.length === 0) return <Card title={t('dashboard.myRuns')}><EmptyState title={t('dashboard.noRuns')} action={<Link to="/">{t('nav.chat')}</Link>} /></Card>;
  const ended = all.filter((r) => r.ended_at);
  const took = ended.filter((r) => r.status === 'completed').map((r) => new Date(r.ended_at ?? r.created_at).getTime() - new Date(r.created_at).getTime());
  const count = (status: string) => all.filter((r) => r.status === status).length;
  const time = (share: number) => {
    const value = percentile(took, share);
    return value === null ? '–' : format.duration(value);
  };
  const decided = count('completed') + count('failed');
  return (
    <Card title={t('dashboard.myRuns')} actions={<Link to="/runs">{t('nav.runs')}</Link>}>
      <ReadNotice of={runs} />
      <p className={styles.soft}>{t('dashboard.lastRuns', { count: all.length })}</p>
      <Tiles
        inner
        tiles={[
          { name: t('dashboard.completed'), value: format.number(count('completed')), note: decided > 0 ? format.percent(count('completed') / decided) : undefined },
          { name: t('dashboard.failed'), value: format.number(count('failed')) },
          { name: t('dashboard.stopped'), value: format.number(count('cancelled')) },
          { name: t('dashboard.open'), value: format.number(all.length - ended.length) },
          { name: t('dashboard.median'), value: time(0.5) },
          { name: t('dashboard.slow'), value: time(0.95) },
        ]}
      />
    </Card>
  );
}
