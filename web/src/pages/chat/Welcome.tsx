import { useQuery } from '@tanstack/react-query';
import { useTranslation } from 'react-i18next';
import { api, data } from '../../api/client';
import { useSession } from '../../app/session';
import { Loading } from '../../ui/Layout';
import { FirstModel } from './FirstModel';
import styles from './Welcome.module.css';

/** The empty state: what one can ask, and what this installation can and cannot do. */
export function Welcome({ onPick }: { onPick: (text: string) => void }) {
  const { t } = useTranslation();
  const { user } = useSession();
  const models = useQuery({ queryKey: ['models'], queryFn: () => data(api.GET('/api/v1/models')), staleTime: 60_000 });
  const examples = ['plan', 'check', 'sum', 'team'] as const;
  if (models.isPending) return <Loading label={t('state.loading')} />; // what it says about models would push the rest away
  return (
    <div className={styles.welcome}>
      <h1 tabIndex={-1} data-page-title>{t('welcome.title', { name: user.username })}</h1>
      <p>{t('welcome.text')}</p>
      {models.data ? <FirstModel models={models.data} /> : null}
      <ul>
        {examples.map((key) => <li key={key}><button type="button" onClick={() => { onPick(t(`welcome.examples.${key}`)); }}>{t(`welcome.examples.${key}`)}</button></li>)}
      </ul>
    </div>
  );
}
