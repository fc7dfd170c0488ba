import { useMutation, useQueryClient } from '@tanstack/react-query';
import { Link as LinkIcon, RotateCcw, Square } from 'lucide-react';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { Button } from '../../ui/Button';
import { copyText } from '../../ui/clipboard';
import { ConfirmDialog } from '../../ui/Dialog';
import { Menu } from '../../ui/Menu';
import { useToast } from '../../ui/Toast';
import { cancelRun } from './data';

interface Props {
  runId: string;
  link: string;
  /** Undefined: may not be repeated. */
  onRetry: ((fromSeq: number | undefined) => void) | undefined;
  retrying: boolean;
  /** Where the failed step begins, if one failed. */
  failedSeq: number | undefined;
  canCancel: boolean;
}

export function RunActions({ runId, link, onRetry, retrying, failedSeq, canCancel }: Props) {
  const { t } = useTranslation();
  const toast = useToast();
  const share = () => {
    copyText(link).then(() => { toast(t('runs.shared')); }, () => { toast(t('runs.notShared', { link }), { tone: 'danger' }); });
  };
  return (
    <>
      <Button icon={<LinkIcon size={16} aria-hidden />} onClick={share}>{t('runs.share')}</Button>
      {onRetry && failedSeq === undefined ? <Button icon={<RotateCcw size={16} aria-hidden />} busy={retrying} onClick={() => { onRetry(undefined); }}>{t('runs.retry')}</Button> : null}
      {onRetry && failedSeq !== undefined ? (
        <Menu
          label={t('runs.retry')} trigger={<Button kind="primary" icon={<RotateCcw size={16} aria-hidden />} busy={retrying}>{t('runs.retry')}</Button>}
          items={[{ label: t('runs.retryFailed'), onSelect: () => { onRetry(failedSeq); } }, { label: t('runs.retryStart'), onSelect: () => { onRetry(undefined); } }]}
        />
      ) : null}
      {canCancel ? <CancelButton runId={runId} /> : null}
    </>
  );
}

function CancelButton({ runId }: { runId: string }) {
  const { t } = useTranslation();
  const cache = useQueryClient();
  const [asking, setAsking] = useState(false);
  const cancel = useMutation({ mutationFn: () => cancelRun(runId), onSuccess: () => cache.invalidateQueries({ queryKey: ['run', runId] }) });
  return (
    <>
      <Button icon={<Square size={14} aria-hidden />} busy={cancel.isPending} onClick={() => { setAsking(true); }}>{t('runs.cancel')}</Button>
      <ConfirmDialog open={asking} onClose={() => { setAsking(false); }} title={t('runs.cancelTitle')} description={t('runs.cancelText')} action={t('runs.cancel')} danger onConfirm={() => cancel.mutateAsync()} />
    </>
  );
}
