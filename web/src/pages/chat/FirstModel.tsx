import { lazy, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { Link } from 'react-router';
import type { SchemaModelsResponse } from '../../api/schema';
import { loadPart } from '../../app/parts';
import { useSession } from '../../app/session';
import { read, write } from '../../app/storage';
import { Button } from '../../ui/Button';
import { Notice } from '../../ui/Notice';
import styles from './Welcome.module.css';

const ProviderKeys = lazy(() => loadPart(async () => ({ default: (await import('../admin/models/ProviderKeys')).ProviderKeys })));

/** The last step of the first run: a model, or knowingly none. Only administrators can choose; everybody else is told. */
export function FirstModel({ models }: { models: SchemaModelsResponse }) {
  const { t } = useTranslation();
  const { user, can } = useSession();
  const [offline, setOffline] = useState(() => read('preference', 'offline', user.id) === 'chosen');
  const chooses = can('secrets:write') && can('settings:write');
  // A key that was entered a moment ago turns the offline model off: its result stays on the page until one leaves it.
  const [began] = useState(models.offline);
  if (!began && !models.offline) return null;
  if (!chooses || offline) {
    return models.offline ? <Notice title={t('welcome.offlineTitle')} action={chooses ? <Link to="/admin/models">{t('admin.provider.choose')}</Link> : undefined}>{t('welcome.offlineText')}</Notice> : null;
  }
  return (
    <div className={styles.first}>
      <ProviderKeys providers={models.providers} />
      {models.offline ? (
        <Notice
          title={t('admin.provider.offline')}
          action={<Button size="s" onClick={() => { write('preference', 'offline', 'chosen', user.id); setOffline(true); }}>{t('admin.provider.stayOffline')}</Button>}
        >
          {t('admin.provider.offlineText')}
        </Notice>
      ) : null}
    </div>
  );
}
