import { Dialog as Radix } from 'radix-ui';
import { useEffect, useId, useMemo, useRef, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { useNavigate } from 'react-router';
import { useConversations } from '../pages/chat/data';
import { useDeleted } from '../pages/chat/deletions';
import { useNavigation } from './Shell';
import { problemLine } from '../api/problemText';
import { useSession } from './session';
import { setTheme } from './theme';
import { sectionsFor } from './adminSections';
import { isKey, onShowPalette, showShortcuts, shortcutsAreOn } from './shortcuts';
import { goOn } from '../ui/focus';
import { useSettled } from '../ui/settled';
import { useHasUnsaved } from '../ui/unsaved';
import styles from './CommandPalette.module.css';

interface Command {
  id: string;
  label: string;
  run: () => void;
  /** Leads away from here: the focus is not given back. */
  leaves?: true;
}

/** Of those with such a title so many are offered; a longer title tells more. */
const mostConversations = 8;

/** Ctrl/Cmd+K, or the button in the navigation: everything that one can go to or do, and every conversation in use, by a few letters of its name. */
export function CommandPalette() {
  const { t } = useTranslation();
  const navigate = useNavigate();
  const { can, signOut } = useSession();
  const places = useNavigation();
  const unsaved = useHasUnsaved();
  const [open, setOpen] = useState(false);
  const [text, setText] = useState('');
  const [at, setAt] = useState(0);
  const leaves = useRef(false);
  const opener = useRef<Element>(null);
  const list = useId();

  useEffect(() => {
    const begin = () => {
      setText('');
      setAt(0);
      leaves.current = false;
    };
    const onKey = (event: KeyboardEvent) => {
      if (isKey(event, 'k') && (event.ctrlKey || event.metaKey) && !event.shiftKey && shortcutsAreOn()) {
        event.preventDefault();
        begin();
        setOpen((now) => !now);
      }
    };
    addEventListener('keydown', onKey);
    const leave = onShowPalette(() => {
      begin();
      setOpen(true);
    });
    return () => {
      removeEventListener('keydown', onKey);
      leave();
    };
  }, []);

  const commands = useMemo<Command[]>(() => [
    { id: 'new', label: t('chat.new'), leaves: true, run: () => void navigate('/') },
    ...places.map((p) => ({ id: p.to, label: t('palette.goTo', { place: p.label }), leaves: true as const, run: () => void navigate(p.to) })),
    ...(can('memory:read') ? [{ id: 'memory', label: t('palette.goTo', { place: t('memory.title') }), leaves: true as const, run: () => void navigate('/profile/memory') }] : []),
    ...sectionsFor(can).map((id) => ({ id: `admin-${id}`, label: t('palette.goTo', { place: `${t('nav.admin')}: ${t(`admin.section.${id}`)}` }), leaves: true as const, run: () => void navigate(`/admin/${id}`) })),
    { id: 'shortcuts', label: t('profile.shortcuts.title'), run: showShortcuts },
    ...(['light', 'dark', 'system'] as const).map((theme) => ({ id: theme, label: t('palette.theme', { theme: t(`preferences.themes.${theme}`) }), run: () => { setTheme(theme); } })),
    ...(unsaved ? [] : [{ id: 'out', label: t('signIn.out'), run: () => void signOut() }]),
  ], [t, navigate, places, can, signOut, unsaved]);
  const words = text.toLocaleLowerCase().split(/\s+/).filter(Boolean);
  const looks = open && words.length > 0 && can('chat:read');
  const search = useSettled(text.trim());
  const conversations = useConversations(false, { search, enabled: looks && search !== '' });
  const deleted = useDeleted();
  const named = looks ? (conversations.data?.pages.flatMap((p) => p.items) ?? []).filter((c) => !deleted.has(c.id)).slice(0, mostConversations) : [];
  const found = [
    ...commands.filter((c) => words.every((w) => c.label.toLocaleLowerCase().includes(w))),
    ...named.map((c): Command => ({ id: `c-${c.id}`, label: t('palette.conversation', { title: c.title }), leaves: true, run: () => void navigate(`/c/${c.id}`) })),
  ];
  const chosen = Math.min(at, found.length - 1);
  const run = (command: Command | undefined) => {
    if (!command) return;
    leaves.current = command.leaves === true;
    setOpen(false);
    command.run();
  };

  return (
    <Radix.Root open={open} onOpenChange={setOpen}>
      <Radix.Portal>
        <Radix.Overlay className={styles.overlay} />
        <Radix.Content
          className={styles.palette} aria-describedby={undefined} onOpenAutoFocus={() => { opener.current = document.activeElement; }}
          onCloseAutoFocus={(e) => {
            e.preventDefault();
            if (!leaves.current && opener.current instanceof HTMLElement) goOn(opener.current, document.body);
          }}
        >
          <Radix.Title className="sr-only">{t('palette.title')}</Radix.Title>
          <input
            className={styles.input} role="combobox" aria-expanded aria-controls={list} aria-activedescendant={found[chosen] ? `${list}-${chosen}` : undefined} aria-label={t('palette.title')}
            placeholder={t('palette.placeholder')} value={text} maxLength={200}
            onChange={(e) => {
              setText(e.target.value);
              setAt(0);
            }}
            onKeyDown={(e) => {
              const step = e.key === 'ArrowDown' ? 1 : e.key === 'ArrowUp' ? -1 : 0;
              if (step !== 0 && found.length > 0) {
                e.preventDefault();
                setAt((chosen + step + found.length) % found.length);
              } else if (e.key === 'Enter') {
                e.preventDefault();
                run(found[chosen]);
              }
            }}
          />
          <ul id={list} role="listbox" aria-label={t('palette.title')} className={styles.list}>
            {found.map((command, i) => (
              <li key={command.id} id={`${list}-${i}`} role="option" aria-selected={i === chosen} className={styles.option} onMouseMove={() => { setAt(i); }} onClick={() => { run(command); }}>{command.label}</li>
            ))}
          </ul>
          {looks && conversations.error ? <p className={styles.none} role="status">{problemLine(t, conversations.error, true)}</p> : null}
          {found.length === 0 && !(looks && (conversations.isError || conversations.isFetching || search !== text.trim())) ? <p className={styles.none} role="status">{t('palette.nothing')}</p> : null}
        </Radix.Content>
      </Radix.Portal>
    </Radix.Root>
  );
}
