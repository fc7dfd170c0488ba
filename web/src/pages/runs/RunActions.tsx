import { useMutation, useQueryClient } from '@tanstack/react-query';
import { RotateCcw, Square } from 'lucide-react';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { Button } from '../../ui/Button';
import { ConfirmDialog } from '../../ui/Dialog';
import { Menu } from '../../ui/Menu';
import { cancelRun, type Run } from './data';
import { ShareRun } from './ShareRun';

interface Props {
  run: Run;
  link: string;
  /** It is one's own. */
  canShare: boolean;
  /** Somebody else shares it, and one may put an end to that. */
  canStopSharing: boolean;
  /** Undefined: may not be repeated. */
  onRetry: ((fromSeq: number | undefined) => void) | undefined;
  retrying: boolean;
  /** Where the failed step begins, if one failed. */
  failedSeq: number | undefined;
  canCancel: boolean;
}

export function RunActions({ run, link, canShare, canStopSharing, onRetry, retrying, failedSeq, canCancel }: Props) {
  const { t } = useTranslation();
  return (
    <>
      <ShareRun run={run} link={link} canShare={canShare} canStop={canStopSharing} />
      {onRetry && failedSeq === undefined ? <Button icon={<RotateCcw size={16} aria-hidden />} busy={retrying} onClick={() => { onRetry(undefined); }}>{t('runs.retry')}</Button> : null}
      {onRetry && failedSeq !== undefined ? (
        <Menu
          label={t('runs.retry')} trigger={<Button kind="primary" icon={<RotateCcw size={16} aria-hidden />} busy={retrying}>{t('runs.retry')}</Button>}
          items={[{ label: t('runs.retryFailed'), onSelect: () => { onRetry(failedSeq); } }, { label: t('runs.retryStart'), onSelect: () => { onRetry(undefined); } }]}
        />
      ) : null}
      {canCancel ? <CancelButton runId={run.id} /> : null}
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
