import { PanelLeft, PanelLeftClose } from 'lucide-react';
import { lazy, Suspense, useCallback, useRef, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { useLocation, useNavigate, useParams } from 'react-router';
import { loadPart } from '../../app/parts';
import type { Source } from '../../chat/citations';
import { SourceOpening } from '../../chat/opening';
import { IconButton } from '../../ui/Button';
import { useCover } from '../../ui/cover';
import { Loading } from '../../ui/Layout';
import { composerId } from './Composer';
import { ConversationList } from './ConversationList';
import { Thread } from './Thread';
import styles from './ChatPage.module.css';

const SourcePanel = lazy(() => loadPart(async () => ({ default: (await import('./SourcePanel')).SourcePanel })));

export default function ChatPage() {
  const { t } = useTranslation();
  const { conversationId } = useParams();
  const navigate = useNavigate();
  const location = useLocation();
  const [open, setOpen] = useState(false);
  const opener = useRef<HTMLButtonElement>(null);
  const covers = useCover(open, '(max-width: 1080px)', () => { setOpen(false); }, opener);
  // The page on which a conversation began goes on as its page: what is there already is not taken away and made again.
  const began = (location.state as { thread?: unknown } | null)?.thread;
  const key = typeof began === 'string' ? began : conversationId ?? `new-${location.key}`;
  const [shown, setShown] = useState<{ key: string; source: Source; opener: Element | null } | null>(null);
  const openSource = useCallback((source: Source) => { setShown({ key, source, opener: document.activeElement }); }, [key]);
  const source = shown?.key === key ? shown : null; // what belongs to another conversation is closed with it
  const closeSource = () => {
    setShown(null);
    focusOn(shown?.opener);
  };
  return (
    <div className={styles.page} data-list={open || undefined} data-source={source !== null || undefined} onClick={(e) => { if (covers && e.target === e.currentTarget) setOpen(false); }}>
      <aside className={styles.list} aria-label={t('chat.conversations')}>
        {covers ? <div className={styles.close}><IconButton label={t('chat.hideList')} autoFocus onClick={() => { setOpen(false); setTimeout(() => opener.current?.focus()); }}><PanelLeftClose size={18} aria-hidden /></IconButton></div> : null}
        <ConversationList current={conversationId} onChosen={() => { setOpen(false); }} />
      </aside>
      <section className={styles.thread} inert={covers}>
        <div className={styles.bar}>
          <IconButton ref={opener} label={t('chat.showList')} aria-expanded={open} onClick={() => { setOpen(true); }}><PanelLeft size={18} aria-hidden /></IconButton>
        </div>
        <SourceOpening onOpen={openSource}><Thread key={key} conversationId={conversationId} onCreated={(id) => void navigate(`/c/${id}`, { replace: true, state: { thread: key } })} /></SourceOpening>
      </section>
      {source ? <Suspense fallback={<Loading label={t('state.loading')} />}><SourcePanel source={source.source} onClose={closeSource} /></Suspense> : null}
    </div>
  );
}

/** Back to where one came from. An answer that was finished meanwhile has its mark anew; if that is scrolled away too, one goes on writing. */
function focusOn(opener: Element | null | undefined): void {
  const mark = opener instanceof HTMLElement ? opener.dataset['cite'] : undefined;
  const there = opener?.isConnected ? opener : mark ? document.querySelector(`[data-cite="${CSS.escape(mark)}"]`) : null;
  const target = there ?? document.getElementById(composerId);
  if (target instanceof HTMLElement) target.focus();
}
