import { X } from 'lucide-react';
import { useEffect, useRef } from 'react';
import { useTranslation } from 'react-i18next';
import { Link } from 'react-router';
import { addressOf, type Source } from '../../chat/citations';
import { IconButton } from '../../ui/Button';
import { Dialog } from '../../ui/Dialog';
import { goOn } from '../../ui/focus';
import { useMedia } from '../../ui/media';
import { DocumentText } from '../documents/DocumentText';
import styles from './SourcePanel.module.css';

/** As in ChatPage.module.css: from here on there is room for it beside the conversation. */
const hasRoom = '(min-width: 1081px)';

/** The document that an answer rests on, at the place: beside the conversation, on a small screen over it. */
export function SourcePanel({ source, onClose }: { source: Source; onClose: () => void }) {
  const { t } = useTranslation();
  const isWide = useMedia(hasRoom);
  const heading = useRef<HTMLHeadingElement>(null);
  const title = source.title ?? t('documents.gone');
  // Whoever opened it goes on reading here; a second source takes the place of the first one.
  useEffect(() => { goOn(heading.current, document.body); }, [source]);

  const facts = (
    <div className={styles.facts}>
      {source.page === null ? null : <span>{t('chat.page', { page: source.page })}</span>}
      <Link to={addressOf(source)}>{t('documents.whole')}</Link>
    </div>
  );
  const text = <DocumentText key={JSON.stringify(source)} source={source} label={t('documents.textOf', { title })} />;
  if (!isWide) return <Dialog open onClose={onClose} title={title} wide>{facts}<div className={styles.over}>{text}</div></Dialog>;
  return (
    <aside className={styles.panel} aria-label={t('documents.source')} onKeyDown={(e) => { if (e.key === 'Escape') onClose(); }}>
      <header className={styles.head}>
        <h2 ref={heading} tabIndex={-1}>{title}</h2>
        <IconButton label={t('action.close')} size="s" onClick={onClose}><X size={16} aria-hidden /></IconButton>
      </header>
      {facts}
      {text}
    </aside>
  );
}
