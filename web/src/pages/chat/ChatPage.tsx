import { PanelLeft } from 'lucide-react';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { useLocation, useNavigate, useParams } from 'react-router';
import { IconButton } from '../../ui/Button';
import { ConversationList } from './ConversationList';
import { Thread } from './Thread';
import styles from './ChatPage.module.css';

export default function ChatPage() {
  const { t } = useTranslation();
  const { conversationId } = useParams();
  const navigate = useNavigate();
  const location = useLocation();
  const [open, setOpen] = useState(false);
  // The page on which a conversation began goes on as its page: what is there already is not taken away and made again.
  const began = (location.state as { thread?: unknown } | null)?.thread;
  const key = typeof began === 'string' ? began : conversationId ?? `new-${location.key}`;
  return (
    <div className={styles.page} data-list={open || undefined}>
      <aside className={styles.list} aria-label={t('chat.conversations')}>
        <ConversationList current={conversationId} onChosen={() => { setOpen(false); }} />
      </aside>
      <section className={styles.thread}>
        <div className={styles.bar}>
          <IconButton label={open ? t('chat.hideList') : t('chat.showList')} aria-expanded={open} onClick={() => { setOpen(!open); }}><PanelLeft size={18} aria-hidden /></IconButton>
        </div>
        <Thread key={key} conversationId={conversationId} onCreated={(id) => void navigate(`/c/${id}`, { replace: true, state: { thread: key } })} />
      </section>
    </div>
  );
}
