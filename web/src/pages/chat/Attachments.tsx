import { CircleAlert, CircleCheck, File as FileIcon, RotateCw, X } from 'lucide-react';
import { useEffect, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { problemLine } from '../../api/problemText';
import { progressOf, type Attachment } from '../../chat/attachments';
import { useFormat } from '../../i18n/format';
import { IconButton } from '../../ui/Button';
import styles from './Attachments.module.css';

interface ChipsProps {
  items: readonly Attachment[];
  /** What they are; default: files of a message. */
  label?: string;
  /** Said below them; empty: nothing. */
  limits: string;
  canRetry: (key: string) => boolean;
  onRetry: (key: string) => void;
  onRemove: (key: string) => void;
}

/** The files of a message that is being written, each with how far it is. */
export function AttachmentChips({ items, label, limits, canRetry, onRetry, onRemove }: ChipsProps) {
  const { t } = useTranslation();
  if (items.length === 0) return null;
  const count = (state: Attachment['state']) => items.filter((a) => a.state === state).length;
  return (
    <div className={styles.attachments}>
      <ul aria-label={label ?? t('attach.files')}>
        {items.map((a) => <Chip key={a.key} attachment={a} onRetry={canRetry(a.key) ? () => { onRetry(a.key); } : undefined} onRemove={() => { onRemove(a.key); }} />)}
      </ul>
      {limits ? <div className={styles.limits}>{limits}</div> : null}
      <div className="sr-only" role="status">{t('attach.summary', { ready: count('ready'), total: items.length, failed: count('failed') })}</div>
    </div>
  );
}

function Chip({ attachment: a, onRetry, onRemove }: { attachment: Attachment; onRetry: (() => void) | undefined; onRemove: () => void }) {
  const { t } = useTranslation();
  const format = useFormat();
  const progress = progressOf(a);
  const Icon = a.state === 'failed' ? CircleAlert : a.state === 'ready' ? CircleCheck : FileIcon;
  return (
    <li className={styles.chip} data-state={a.state}>
      <Icon size={16} aria-hidden className={styles.icon} />
      <span className={styles.name} title={a.name}>{a.name}</span>
      <span className={styles.state}>{a.state === 'failed' ? failureText(a, t) : stateText(a, t, format)}</span>
      {a.state === 'uploading' || a.state === 'indexing' ? <progress aria-label={t('attach.progressOf', { name: a.name })} max={1} {...(progress !== null && { value: progress })} /> : null}
      {a.state === 'failed' && onRetry ? <IconButton size="s" label={t('attach.retry', { name: a.name })} onClick={onRetry}><RotateCw size={14} aria-hidden /></IconButton> : null}
      <IconButton size="s" label={t('attach.remove', { name: a.name })} onClick={onRemove}><X size={14} aria-hidden /></IconButton>
    </li>
  );
}

type Translate = ReturnType<typeof useTranslation>['t'];

function stateText(a: Attachment, t: Translate, format: ReturnType<typeof useFormat>): string {
  const share = progressOf(a);
  if (a.state === 'ready') return format.bytes(a.bytes);
  if (a.state === 'uploading') return t('attach.uploading', { share: format.percent(Math.floor((share ?? 0) * 100) / 100), size: format.bytes(a.bytes) });
  const stage = a.stage ? t(`attach.stages.${a.stage}`, { defaultValue: t('attach.stages.queued') }) : t('attach.stages.queued');
  return share === null ? stage : `${stage} ${format.percent(Math.floor(share * 100) / 100)}`;
}

function failureText(a: Attachment, t: Translate): string {
  if (a.problem === 'interrupted') return t('attach.interrupted');
  return a.problem === null ? t('error.failed') : a.problem.isSilent ? t('error.unreachable') : problemLine(t, a.problem);
}

/** Files that are dragged over the page, and dropped there. True while they hang over it. */
export function useFileDrop(onFiles: ((files: readonly File[]) => void) | null): boolean {
  const [over, setOver] = useState(false);
  useEffect(() => {
    if (!onFiles) return;
    let depth = 0;
    const isFiles = (event: DragEvent) => event.dataTransfer?.types.includes('Files') === true;
    const enter = (event: DragEvent) => {
      if (!isFiles(event)) return;
      depth++;
      setOver(true);
    };
    const leave = (event: DragEvent) => {
      if (isFiles(event) && --depth <= 0) setOver(false);
    };
    const move = (event: DragEvent) => { if (isFiles(event)) event.preventDefault(); };
    const drop = (event: DragEvent) => {
      if (!isFiles(event)) return;
      event.preventDefault(); // else the browser would leave the page and show the file
      depth = 0;
      setOver(false);
      onFiles([...event.dataTransfer?.files ?? []]);
    };
    const target = document.getElementById('main') ?? document.body;
    target.addEventListener('dragenter', enter);
    target.addEventListener('dragleave', leave);
    target.addEventListener('dragover', move);
    target.addEventListener('drop', drop);
    return () => {
      target.removeEventListener('dragenter', enter);
      target.removeEventListener('dragleave', leave);
      target.removeEventListener('dragover', move);
      target.removeEventListener('drop', drop);
    };
  }, [onFiles]);
  return over;
}

export function DropHint({ limits }: { limits: string }) {
  const { t } = useTranslation();
  return <div className={styles.drop} role="status"><strong>{t('attach.drop')}</strong>{limits ? <span>{limits}</span> : null}</div>;
}
