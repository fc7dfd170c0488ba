import { useQueryClient } from '@tanstack/react-query';
import { Archive, ArchiveRestore, Ellipsis, FolderInput, FolderMinus, FolderPlus, MessageSquarePlus, Pencil, Pin, PinOff, Search, Trash2 } from 'lucide-react';
import { lazy, Suspense, useMemo, useRef, useState, type DragEvent, type ReactNode } from 'react';
import { useTranslation } from 'react-i18next';
import { Link, useNavigate } from 'react-router';
import { Button, IconButton } from '../../ui/Button';
import { Loading } from '../../ui/Layout';
import { Menu } from '../../ui/Menu';
import { ErrorNotice } from '../../ui/Notice';
import { useSettled } from '../../ui/settled';
import { useFailureToast, useToast } from '../../ui/Toast';
import { loadPart } from '../../app/parts';
import { useSession } from '../../app/session';
import type { SchemaConversationChangeRequest } from '../../api/schema';
import { MessageHits } from './MessageHits';
import { markDeleted, unmarkDeleted, useDeleted } from './deletions';
import { deleteConversation, matchNow, merged, useChangeConversation, useConversations, usePlaced, type Conversation } from './data';
import styles from './ConversationList.module.css';

const NameDialog = lazy(() => loadPart(async () => ({ default: (await import('./NameDialog')).NameDialog })));

export function ConversationList({ current, onChosen }: { current: string | undefined; onChosen: () => void }) {
  const { t } = useTranslation();
  const cache = useQueryClient();
  const navigate = useNavigate();
  const mayWrite = useSession().can('chat:write');
  const toast = useToast();
  const failed = useFailureToast();
  const [archived, setArchived] = useState(false);
  const [search, setSearch] = useState('');
  const deleted = useDeleted();
  const [renaming, setRenaming] = useState<Conversation | null>(null);
  const [moving, setMoving] = useState<Conversation | null>(null);
  const [founding, setFounding] = useState<Conversation | null>(null);
  const [dragged, setDragged] = useState<Conversation | null>(null);
  const dragging = useRef(0);
  const newest = useConversations(archived);
  // Whoever searches is shown what the server finds, and nothing else is read for it.
  const words = useSettled(search.trim());
  const hits = useConversations(archived, { search: words, enabled: words !== '' });
  const list = words === '' ? newest : hits;
  const [pinned, filed] = usePlaced(archived);
  const change = useChangeConversation();
  const alter = (conversation: Conversation, altered: SchemaConversationChangeRequest) => {
    change.mutate({ conversation, change: altered }, { onError: failed });
  };

  const known = useMemo(() => merged([newest.data, pinned.data, filed.data]).filter((c) => !deleted.has(c.id) && c.archived === archived), [newest.data, pinned.data, filed.data, deleted, archived]);
  const found = useMemo(() => merged([hits.data]).filter((c) => !deleted.has(c.id) && c.archived === archived), [hits.data, deleted, archived]);
  const shown = words === '' ? known : found;
  const unread = [list, pinned, filed].find((l) => l.isError);
  const groups = useMemo(() => group(shown), [shown]);
  const folders = [...new Set(known.map((c) => c.folder ?? ''))].filter(Boolean).sort();

  // Gone at once, wherever one looks; from the server when nobody has taken it back.
  const remove = ({ id, title }: Conversation) => {
    if (id === current) void navigate('/');
    const match = matchNow(id).catch(() => null);
    const dismiss = toast(t('chat.deleted', { title }), {
      action: { label: t('action.undo'), run: () => { unmarkDeleted(id); } },
      onExpire: async () => {
        markDeleted(id, null);
        try {
          await deleteConversation(id, match);
          void cache.invalidateQueries({ queryKey: ['conversations'] });
          void cache.invalidateQueries({ queryKey: ['conversation', id] });
        } catch {
          unmarkDeleted(id);
          toast(t('chat.notDeleted', { title }), { tone: 'danger' });
        }
      },
    });
    markDeleted(id, () => {
      dismiss();
      unmarkDeleted(id);
    });
  };

  const moveTo = (c: Conversation, folder: string) => {
    if ((c.folder ?? '') !== folder) alter(c, { folder });
  };
  // A page that changes while a drag begins ends it again in some browsers: the places to drop onto come a moment later.
  const drag = (c: Conversation | null) => {
    clearTimeout(dragging.current);
    if (c) dragging.current = window.setTimeout(() => { setDragged(c); });
    else setDragged(null);
  };
  const drop = (event: DragEvent, act: (c: Conversation) => void) => {
    event.preventDefault(); // some browsers would go to the address of the link
    const dropped = shown.find((c) => c.id === event.dataTransfer.getData('text/x-conversation'));
    if (dropped) act(dropped);
    drag(null); // what was moved is made anew elsewhere, and is not told that its drag is over
  };

  const menu = (c: Conversation) => [
    { label: t('chat.rename'), icon: <Pencil size={16} />, onSelect: () => { setRenaming(c); } },
    { label: c.pinned ? t('chat.unpin') : t('chat.pin'), icon: c.pinned ? <PinOff size={16} /> : <Pin size={16} />, onSelect: () => { alter(c, { pinned: !c.pinned }); } },
    { label: t('chat.move'), icon: <FolderInput size={16} />, onSelect: () => { setMoving(c); } },
    { label: t('chat.newFolder'), icon: <FolderPlus size={16} />, onSelect: () => { setFounding(c); } },
    { label: c.archived ? t('chat.unarchive') : t('chat.archive'), icon: c.archived ? <ArchiveRestore size={16} /> : <Archive size={16} />, onSelect: () => { alter(c, { archived: !c.archived }); } },
    null,
    { label: t('action.delete'), icon: <Trash2 size={16} />, danger: true, onSelect: () => { remove(c); } },
  ];

  return (
    <div className={styles.root}>
      <div className={styles.top}>
        <Button kind="primary" icon={<MessageSquarePlus size={18} aria-hidden />} onClick={() => { onChosen(); void navigate('/'); }}>{t('chat.new')}</Button>
        <div className={styles.search}>
          <Search size={16} aria-hidden />
          <input type="search" dir="auto" maxLength={200} aria-label={t('chat.search')} placeholder={t('chat.search')} value={search} onChange={(e) => { setSearch(e.target.value); }} />
        </div>
      </div>
      <div className={styles.scroll}>
        {list.isPending ? <Loading label={t('state.loading')} /> : null}
        {unread ? <ErrorNotice error={unread.error} retry={() => void unread.refetch()} /> : null}
        {groups.map(({ key, folder, items }) => (
          <section
            key={key} aria-label={folder === undefined ? t('chat.pinned') : folder || t('chat.conversations')}
            onDragOver={(e) => { e.preventDefault(); }}
            onDrop={(e) => { drop(e, (c) => { if (folder !== undefined) moveTo(c, folder); }); }}
          >
            {folder === '' ? null : <h2 dir="auto" className={styles.folder}>{folder ?? t('chat.pinned')}</h2>}
            <ul>
              {items.map((c) => (
                <li key={c.id} className={styles.item} data-current={c.id === current || undefined} draggable={mayWrite} onDragStart={(e) => { e.dataTransfer.setData('text/x-conversation', c.id); drag(c); }} onDragEnd={() => { drag(null); }}>
                  <Link to={`/c/${c.id}`} dir="auto" onClick={onChosen} aria-current={c.id === current ? 'page' : undefined}>{c.title || t('chat.untitled')}</Link>
                  {mayWrite ? <Menu label={t('chat.actionsFor', { title: c.title })} trigger={<button type="button" className={styles.more} aria-label={t('chat.actionsFor', { title: c.title })}><Ellipsis size={16} aria-hidden /></button>} items={menu(c)} /> : null}
                </li>
              ))}
            </ul>
          </section>
        ))}
        {!list.isPending && shown.length === 0 && !list.isError && !(words !== '' && list.isFetching) ? <p className={styles.none}>{words ? t('chat.noneFound') : archived ? t('chat.noneArchived') : t('chat.none')}</p> : null}
        {search.trim() === '' ? null : <MessageHits search={search} archived={archived} onChosen={onChosen} />}
        {list.hasNextPage ? <Button size="s" kind="ghost" busy={list.isFetchingNextPage} onClick={() => void list.fetchNextPage()}>{t('action.more')}</Button> : null}
      </div>
      <div className={styles.bottom}>
        {dragged ? (
          <div className={styles.drops}>
            <Drop icon={<FolderPlus size={16} aria-hidden />} onDrop={(e) => { drop(e, setFounding); }}>{t('chat.newFolder')}</Drop>
            {dragged.folder ? <Drop icon={<FolderMinus size={16} aria-hidden />} onDrop={(e) => { drop(e, (c) => { moveTo(c, ''); }); }}>{t('chat.noFolder')}</Drop> : null}
          </div>
        ) : null}
        <IconButton label={archived ? t('chat.showActive') : t('chat.showArchived')} pressed={archived} onClick={() => { setArchived(!archived); }}><Archive size={18} aria-hidden /></IconButton>
      </div>
      <Suspense fallback={null}>
        {renaming ? (
          <NameDialog
            conversation={renaming} title={t('chat.rename')} label={t('chat.title')} valueOf={(c) => c.title} onClose={() => { setRenaming(null); }}
            onSave={(title, match) => change.mutateAsync({ conversation: renaming, change: { title }, match })}
          />
        ) : null}
        {moving ? (
          <NameDialog
            conversation={moving} title={t('chat.move')} label={t('chat.folder')} hint={t('chat.folderHint')} valueOf={(c) => c.folder ?? ''} suggestions={folders} onClose={() => { setMoving(null); }}
            onSave={(folder, match) => change.mutateAsync({ conversation: moving, change: { folder }, match })}
          />
        ) : null}
        {founding ? (
          <NameDialog
            conversation={founding} title={t('chat.newFolder')} label={t('chat.folderName')} valueOf={() => ''} required onClose={() => { setFounding(null); }}
            onSave={(folder, match) => change.mutateAsync({ conversation: founding, change: { folder }, match })}
          />
        ) : null}
      </Suspense>
    </div>
  );
}

/** A place that is there while something is dragged. */
function Drop({ icon, onDrop, children }: { icon: ReactNode; onDrop: (event: DragEvent) => void; children: string }) {
  const [over, setOver] = useState(false);
  return (
    <div
      className={styles.drop} data-over={over || undefined} onDragEnter={() => { setOver(true); }} onDragLeave={() => { setOver(false); }} onDragOver={(e) => { e.preventDefault(); }}
      onDrop={onDrop}
    >
      {icon}{children}
    </div>
  );
}

interface Group {
  key: string;
  /** Of the folder, where conversations can be dropped; missing at those that are pinned. */
  folder?: string;
  items: Conversation[];
}

/** Those that are pinned, then folder by folder, then those in none. A folder may be called like the pinned ones. */
function group(conversations: readonly Conversation[]): Group[] {
  const groups = new Map<string, Group>();
  for (const c of conversations) {
    const folder = c.folder ?? '';
    const key = c.pinned ? 'pinned' : `in ${folder}`;
    const known = groups.get(key);
    if (known) known.items.push(c);
    else groups.set(key, { key, ...(!c.pinned && { folder }), items: [c] });
  }
  const place = ({ folder }: Group) => folder === undefined ? 0 : folder === '' ? 2 : 1;
  return [...groups.values()].sort((a, b) => place(a) - place(b) || (a.folder ?? '').localeCompare(b.folder ?? ''));
}
