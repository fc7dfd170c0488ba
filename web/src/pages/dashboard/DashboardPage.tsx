import { useTranslation } from 'react-i18next';
import { NotForYou } from '../../app/NotForYou';
import { useSession } from '../../app/session';
import { Page } from '../../ui/Layout';
import { AnswerCacheCard } from './AnswerCacheCard';
import { Figures } from './Figures';
import { Health } from './Health';
import { Queue } from './Queue';
import { RunsCard } from './RunsCard';
import { RunsOverTime } from './RunsOverTime';
import { UsageCard } from './UsageCard';
import styles from './Dashboard.module.css';

/** How it goes: runs, what they take and cost, and what everything depends on. */
export default function DashboardPage() {
  const { t } = useTranslation();
  const { can } = useSession();
  if (!can('metrics:read')) return <NotForYou title={t('nav.dashboard')} />;
  return (
    <Page title={t('nav.dashboard')} intro={t('dashboard.intro')} wide>
      <Figures />
      <UsageCard />
      <RunsOverTime />
      <AnswerCacheCard />
      <div className={styles.columns}>
        {can('chat:read') ? <RunsCard /> : null}
        {can('queue:read') ? <Queue /> : null}
      </div>
      <Health />
    </Page>
  );
}
