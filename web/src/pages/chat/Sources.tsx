import { Paperclip, X } from 'lucide-react';
import { useTranslation } from 'react-i18next';
import { Link } from 'react-router';
import { nameOf, webAddress } from '../../chat/Cite';
import { useOpenSource } from '../../chat/opening';
import { addressOf, sourceOf, type Citation, type Numbered } from '../../chat/citations';
import { hostOf, LinkText } from '../../chat/LinkText';
import { IconButton } from '../../ui/Button';
import styles from './Messages.module.css';

/** What an answer rests on, by the numbers that its marks have. */
export function Sources({ sources }: { sources: readonly Numbered[] }) {
  const { t } = useTranslation();
  if (sources.length === 0) return null;
  return (
    <ol className={styles.citations} aria-label={t('chat.sources')}>
      {sources.map(({ citation }) => (
        <li key={citation.id}>
          <SourceName citation={citation} />
          {citation.page === null ? null : <span> {t('chat.page', { page: citation.page })}</span>}
          {citation.excerpt ? <q>{citation.excerpt}</q> : null}
        </li>
      ))}
    </ol>
  );
}

function SourceName({ citation }: { citation: Citation }) {
  const { t } = useTranslation();
  const open = useOpenSource();
  const source = sourceOf(citation);
  const address = webAddress(citation.url);
  const name = nameOf(citation.title, citation.url, t('documents.gone'));
  if (source && open) return <button type="button" className={styles.link} aria-haspopup="dialog" data-cite={citation.id} onClick={() => { open(source); }}>{name}</button>;
  if (source) return <Link to={addressOf(source)}>{name}</Link>;
  const host = hostOf(address);
  return address && host ? <a href={address} target="_blank" rel="noopener noreferrer nofollow"><LinkText host={host}>{name}</LinkText></a> : <span>{name}</span>;
}

/** The documents that a message brought along; each opens where it begins. */
export function AttachedDocuments({ documents, onRemove }: { documents: readonly { id: string; name: string }[]; onRemove?: (id: string) => void }) {
  const { t } = useTranslation();
  const open = useOpenSource();
  if (documents.length === 0) return null;
  return (
    <ul className={styles.attached} aria-label={t('attach.attached')}>
      {documents.map(({ id, name }) => (
        <li key={id}>
          <Paperclip size={13} aria-hidden />
          {open ? <button type="button" className={styles.link} aria-haspopup="dialog" data-cite={id} onClick={() => { open({ documentId: id, title: name, page: null, excerpt: null, start: null, end: null }); }}>{name}</button>
            : <Link to={`/documents/${encodeURIComponent(id)}`}>{name}</Link>}
          {onRemove ? <IconButton size="s" label={t('attach.remove', { name })} onClick={() => { onRemove(id); }}><X size={14} aria-hidden /></IconButton> : null}
        </li>
      ))}
    </ul>
  );
}
