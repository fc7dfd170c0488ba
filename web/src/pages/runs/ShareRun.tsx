import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { Link as LinkIcon, Share2 } from 'lucide-react';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { api, data } from '../../api/client';
import { useFormat } from '../../i18n/format';
import { Button } from '../../ui/Button';
import { copyText } from '../../ui/clipboard';
import { ConfirmDialog, Dialog } from '../../ui/Dialog';
import { Loading } from '../../ui/Layout';
import { ErrorNotice, Notice, ReadNotice } from '../../ui/Notice';
import { useToast } from '../../ui/Toast';
import type { Run } from './data';

/** The link to the run. Its owner is told first who can open it, and decides whether colleagues can; administrators can only put an end to it. */
export function ShareRun({ run, link, canShare, canStop = false }: { run: Run; link: string; canShare: boolean; canStop?: boolean }) {
  const { t } = useTranslation();
  const copy = useCopyLink(link);
  const [open, setOpen] = useState(false);
  if (!canShare) return <><Button icon={<LinkIcon size={16} aria-hidden />} onClick={() => void copy(t('runs.linkCopied'))}>{t('runs.copyLink')}</Button>{canStop ? <StopSharing runId={run.id} /> : null}</>;
  return (
    <>
      <Button icon={<Share2 size={16} aria-hidden />} onClick={() => { setOpen(true); }}>{t('runs.share')}</Button>
      <Dialog open={open} onClose={() => { setOpen(false); }} title={t('runs.shareTitle')} description={t('runs.shareText')}>
        <Sharing rootId={run.root_run_id} copy={copy} />
      </Dialog>
    </>
  );
}

function StopSharing({ runId }: { runId: string }) {
  const { t } = useTranslation();
  const cache = useQueryClient();
  const [asking, setAsking] = useState(false);
  const stop = useMutation({ mutationFn: () => api.DELETE('/api/v1/runs/{id}/share', { params: { path: { id: runId } } }), onSuccess: () => cache.invalidateQueries({ queryKey: ['run', runId] }) });
  return (
    <>
      <Button onClick={() => { setAsking(true); }}>{t('runs.stopSharing')}</Button>
      <ConfirmDialog open={asking} onClose={() => { setAsking(false); }} title={t('runs.stopSharingTitle')} description={t('runs.stopSharingText')} action={t('runs.stopSharing')} danger onConfirm={() => stop.mutateAsync()} />
    </>
  );
}

function useCopyLink(link: string): (done: string) => Promise<void> {
  const { t } = useTranslation();
  const toast = useToast();
  return (done) => copyText(link).then(() => { toast(done); }, () => { toast(t('runs.notCopied', { link }), { tone: 'danger' }); });
}

/** A run below another is read with the one at the top. */
function Sharing({ rootId, copy }: { rootId: string; copy: (done: string) => Promise<void> }) {
  const { t } = useTranslation();
  const format = useFormat();
  const cache = useQueryClient();
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>(null);
  const path = { params: { path: { id: rootId } } };
  const root = useQuery({ queryKey: ['run', rootId, 'sharing'], queryFn: () => data(api.GET('/api/v1/runs/{id}', path)) });
  if (root.isLoadingError) return <ReadNotice of={root} />;
  if (root.isPending) return <Loading label={t('state.loading')} />;
  const since = root.data.shared_at;
  const act = async (work: () => Promise<unknown>) => {
    setBusy(true);
    setError(null);
    try {
      await work();
      await cache.invalidateQueries({ queryKey: ['run', rootId] });
    } catch (e) {
      setError(e);
    } finally {
      setBusy(false);
    }
  };
  const share = () => act(async () => {
    await api.POST('/api/v1/runs/{id}/share', path);
    await copy(t('runs.sharedCopied'));
  });
  const stop = () => act(() => api.DELETE('/api/v1/runs/{id}/share', path));
  return (
    <>
      <ReadNotice of={root} />
      <Notice tone={since ? 'success' : 'info'}>{since ? t('runs.sharedSince', { when: format.moment(since) }) : t('runs.sharedWithNobody')}</Notice>
      {error ? <ErrorNotice error={error} /> : null}
      {since ? (
        <>
          <Button kind="primary" icon={<LinkIcon size={16} aria-hidden />} onClick={() => void copy(t('runs.sharedCopied'))}>{t('runs.copyLink')}</Button>
          <Button kind="danger" busy={busy} onClick={() => void stop()}>{t('runs.stopSharing')}</Button>
        </>
      ) : (
        <>
          <Button kind="primary" icon={<Share2 size={16} aria-hidden />} busy={busy} onClick={() => void share()}>{t('runs.shareAndCopy')}</Button>
          <Button kind="ghost" icon={<LinkIcon size={16} aria-hidden />} onClick={() => void copy(t('runs.linkCopied'))}>{t('runs.copyLink')}</Button>
        </>
      )}
    </>
  );
}
