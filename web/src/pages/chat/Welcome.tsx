import { useQuery } from '@tanstack/react-query';
import { Suspense } from 'react';
import { useTranslation } from 'react-i18next';
import { api, data } from '../../api/client';
import { useSession } from '../../app/session';
import { Button } from '../../ui/Button';
import { Loading } from '../../ui/Layout';
import { Notice } from '../../ui/Notice';
import type { TakeBack } from './deletions';
import { FirstModel } from './FirstModel';
import styles from './Welcome.module.css';

type OnPick = (text: string) => void;

/** The empty state: what one can ask, for those who may, and what this installation can and cannot do. Shown when all of it is there: nothing may push the rest away under somebody's finger. */
export function Welcome({ onPick }: { onPick: OnPick | undefined }) {
  const { t } = useTranslation();
  return <Suspense fallback={<Loading label={t('state.loading')} />}><Content onPick={onPick} /></Suspense>;
}

function Content({ onPick }: { onPick: OnPick | undefined }) {
  const { t } = useTranslation();
  const { user } = useSession();
  const models = useQuery({ queryKey: ['models'], queryFn: () => data(api.GET('/api/v1/models')), staleTime: 60_000 });
  const examples = ['plan', 'check', 'sum', 'team'] as const;
  if (models.isPending) return <Loading label={t('state.loading')} />;
  return (
    <div className={styles.welcome}>
      <h1 tabIndex={-1} data-page-title>{t('welcome.title', { name: user.username })}</h1>
      <p>{t('welcome.text')}</p>
      {models.data ? <FirstModel models={models.data} /> : null}
      {onPick ? (
        <ul>
          {examples.map((key) => <li key={key}><button type="button" onClick={() => { onPick(t(`welcome.examples.${key}`)); }}>{t(`welcome.examples.${key}`)}</button></li>)}
        </ul>
      ) : null}
    </div>
  );
}

/** In place of the message box, for those who may only read. */
export function ReadOnly() {
  const { t } = useTranslation();
  return <Notice>{t('chat.readOnly')}</Notice>;
}

/** In place of the message box of a conversation that was deleted a moment ago: what one wrote would go with it. */
export function Deleted({ takeBack }: { takeBack: TakeBack }) {
  const { t } = useTranslation();
  return <Notice tone="warning" action={takeBack ? <Button size="s" onClick={takeBack}>{t('action.undo')}</Button> : undefined}>{t('chat.deletedHere')}</Notice>;
}
