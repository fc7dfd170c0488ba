import { useQueryClient } from '@tanstack/react-query';
import { Download, Trash2 } from 'lucide-react';
import { useEffect, useRef, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { useSession } from '../../app/session';
import { forgetDrafts } from '../../app/storage';
import { useFormat } from '../../i18n/format';
import { Button } from '../../ui/Button';
import { ConfirmDialog } from '../../ui/Dialog';
import { Card } from '../../ui/Layout';
import { ErrorNotice, Notice } from '../../ui/Notice';
import { Checkbox } from '../../ui/Field';
import { collect, deleteAll, save, sourceFrom, type Deleted, type Progress } from './myData';
import styles from './MyData.module.css';

/** To take one's data along, and to have it deleted. */
export function MyData() {
  const { t } = useTranslation();
  const { user, can } = useSession();
  const format = useFormat();
  const cache = useQueryClient();
  const [working, setWorking] = useState<'export' | 'delete' | null>(null);
  const [progress, setProgress] = useState<Progress | null>(null);
  const [outcome, setOutcome] = useState<Deleted | 'exported' | null>(null);
  const [error, setError] = useState<unknown>(null);
  const [asks, setAsks] = useState(false);
  const [withDocuments, setWithDocuments] = useState(false);
  const stop = useRef<AbortController | null>(null);
  useEffect(() => () => { stop.current?.abort(); }, []);

  const run = async (kind: 'export' | 'delete', work: (signal: AbortSignal) => Promise<void>) => {
    const controller = new AbortController();
    stop.current = controller;
    setWorking(kind);
    setProgress(null);
    setOutcome(null);
    setError(null);
    try {
      await work(controller.signal);
    } catch (e) {
      if (!controller.signal.aborted) setError(e);
    } finally {
      setWorking(null);
    }
  };
  const exportAll = () => run('export', async (signal) => {
    const now = new Date();
    save(await collect(user, sourceFrom(user.id, signal, can), now, setProgress), `rootmas-${user.username}-${now.toISOString().slice(0, 10)}.json`);
    setOutcome('exported');
  });
  const remove = () => run('delete', async (signal) => {
    try {
      setOutcome(await deleteAll(sourceFrom(user.id, signal, can), withDocuments, signal, setProgress));
      forgetDrafts();
    } finally {
      await cache.invalidateQueries();
    }
  });

  return (
    <Card title={t('profile.data.title')}>
      <p>{t('profile.data.exportText')}</p>
      <div className={styles.row}>
        <Button icon={<Download size={16} aria-hidden />} busy={working === 'export'} disabled={working !== null} onClick={() => void exportAll()}>{t('profile.data.export')}</Button>
      </div>
      {can('chat:write') ? (
        <>
          <p>{t('profile.data.deleteText')} {t(can('users:write') ? 'profile.data.accountAdmin' : 'profile.data.account')}</p>
          <div className={styles.row}>
            <Button kind="danger" icon={<Trash2 size={16} aria-hidden />} busy={working === 'delete'} disabled={working !== null} onClick={() => { setAsks(true); }}>{t('profile.data.delete')}</Button>
          </div>
        </>
      ) : <p>{t('profile.data.notDeleting')}</p>}
      {working ? (
        <div className={styles.row}>
          <progress className={styles.bar} aria-label={t('profile.data.progress')} {...(progress && progress.total > 0 && { value: progress.done, max: progress.total })} />
          <span>{progress ? t('profile.data.step', { done: format.number(progress.done), total: format.number(progress.total) }) : ''}</span>
          <Button size="s" kind="ghost" onClick={() => { stop.current?.abort(); }}>{t('action.cancel')}</Button>
        </div>
      ) : null}
      <div aria-live="polite">
        {outcome === 'exported' ? <Notice tone="success">{t('profile.data.exported')}</Notice> : null}
        {outcome !== null && outcome !== 'exported' ? <Notice tone={outcome.failed.length > 0 ? 'warning' : 'success'}>{t('profile.data.deleted', { count: outcome.conversations, formatted: format.number(outcome.conversations) })}{outcome.documents > 0 ? ` ${t('profile.data.documentsDeleted', { count: outcome.documents, formatted: format.number(outcome.documents) })}` : ''}{outcome.failed.length > 0 ? ` ${t('profile.data.left', { count: outcome.failed.length, formatted: format.number(outcome.failed.length) })}` : ''}</Notice> : null}
      </div>
      {outcome !== null && outcome !== 'exported' && outcome.failed.length > 0 ? <ErrorNotice error={outcome.failed[0]} /> : null}
      {error ? <ErrorNotice error={error} /> : null}
      <ConfirmDialog open={asks} onClose={() => { setAsks(false); }} danger title={t('profile.data.deleteTitle')} description={t('profile.data.deleteConfirm')} action={t('profile.data.delete')} onConfirm={() => { void remove(); return Promise.resolve(); }}>
        {can('knowledge:write') ? <Checkbox label={t('profile.data.withDocuments')} hint={t('profile.data.withDocumentsHint')} checked={withDocuments} onChange={(e) => { setWithDocuments(e.target.checked); }} /> : null}
      </ConfirmDialog>
    </Card>
  );
}
