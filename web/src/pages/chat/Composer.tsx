import { Paperclip, SendHorizontal, SlidersHorizontal, Square } from 'lucide-react';
import { useCallback, useEffect, useEffectEvent, useLayoutEffect, useRef, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { Problem } from '../../api/problem';
import { useSession } from '../../app/session';
import { isKey, isTyping, shortcutsAreOn } from '../../app/shortcuts';
import { read, write } from '../../app/storage';
import { attachmentDraft, useAttachmentDraft } from '../../chat/attachmentDraft';
import { useFormat } from '../../i18n/format';
import { Button, IconButton } from '../../ui/Button';
import { Select } from '../../ui/Field';
import { goOn } from '../../ui/focus';
import { ErrorNotice, Notice } from '../../ui/Notice';
import { useFailureToast } from '../../ui/Toast';
import { limitsText, refusalText, useDocumentLimits } from '../documents/data';
import { useTeams } from '../team/data';
import { AgentSelect, named, TierSelect } from './AgainDialog';
import { AttachmentChips, DropHint, useFileDrop } from './Attachments';
import type { Choice } from './choice';
import styles from './Composer.module.css';

/** Where the focus goes when what had it is gone. */
export const composerId = 'message-box';

const longest = 10_000;

interface ComposerProps {
  conversationId: string | undefined;
  team: string | undefined;
  choice: Choice;
  onChoice: (choice: Choice) => void;
  /** To which conversation it went. Fails without having taken anything away: the text stays where it is. */
  onSend: (text: string, attachments: readonly string[], isRetry: boolean) => Promise<string | undefined>;
  onStop?: () => Promise<unknown>;
}

/** A keyboard on the screen has no Shift+Enter: there Enter begins a line, and the button sends. */
const isOnGlass = () => matchMedia('(hover: none) and (pointer: coarse)').matches;

export function Composer({ conversationId, team, choice, onChoice, onSend, onStop }: ComposerProps) {
  const { t } = useTranslation();
  const { user, can } = useSession();
  const format = useFormat();
  const draft = conversationId ?? 'new';
  const mayAttach = can('knowledge:read') && can('knowledge:write');
  const limits = useDocumentLimits(mayAttach).data;
  const limitsSaid = limits ? limitsText(limits, t, format) : '';
  const { draft: files, items, held, onItsWay } = useAttachmentDraft(draft, user.id);
  const picker = useRef<HTMLInputElement>(null);
  const [text, setText] = useState(() => read('draft', draft, user.id) ?? '');
  // What was chosen before is shown, so that nobody asks somebody without knowing it.
  const [options, setOptions] = useState(() => Object.values(choice).some((name) => name !== ''));
  const [sending, setSending] = useState(false);
  const busy = sending || onItsWay !== null;
  const [error, setError] = useState<unknown>(null);
  const box = useRef<HTMLTextAreaElement>(null);
  const teams = useTeams(60_000);
  const failed = useFailureToast();
  const length = [...text].length;
  const unready = items.filter((a) => a.state !== 'ready');

  const attach = useCallback((chosen: readonly File[]) => {
    files.add(chosen, { limits, refusal: refusalText(limits, t, format) });
    goOn(box.current, document.body);
  }, [files, limits, t, format]);
  const dropping = useFileDrop(mayAttach ? attach : null);

  const kept = useRef({ draft, text });
  useEffect(() => {
    // The conversation has begun: what is being written goes on in it, and the next new one does not begin with it.
    const was = kept.current;
    if (was.draft !== draft && read('draft', was.draft, user.id) === was.text) write('draft', was.draft, null, user.id);
    kept.current = { draft, text };
    write('draft', draft, text, user.id);
  }, [draft, text, user.id]);

  // Whoever comes here writes; a keyboard on the screen comes when it is wanted.
  useLayoutEffect(() => {
    if (matchMedia('(pointer: fine)').matches) goOn(box.current, document.body);
  }, []);
  useLayoutEffect(() => {
    const area = box.current;
    if (!area) return;
    area.style.height = 'auto';
    area.style.height = `${Math.min(area.scrollHeight, 320)}px`;
  }, [text]);

  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      if (!shortcutsAreOn()) return;
      if (isKey(event, '/') && !isTyping(event.target) && !event.ctrlKey && !event.metaKey) {
        event.preventDefault();
        goOn(box.current, document.body);
      } else if (isKey(event, 's') && event.ctrlKey && event.shiftKey && onStop) {
        event.preventDefault();
        onStop().catch(failed);
      }
    };
    addEventListener('keydown', onKey);
    return () => { removeEventListener('keydown', onKey); };
  }, [onStop, failed]);

  // What was typed while it was on its way is the next message, here and after a reload.
  const drop = useCallback((message: string) => { setText((now) => now.trim() === message ? '' : now); }, []);
  // It may have been sent by this box before somebody looked elsewhere.
  useEffect(() => {
    onItsWay?.arrived.then(() => { drop(onItsWay.text); }, () => undefined);
  }, [onItsWay, drop]);

  /** What is not ready stays for the next message: only if somebody said so. */
  const submit = async (withoutUnready = false, message = text.trim(), isRetry = false) => {
    if (message === '' || busy || [...message].length > longest) return;
    if (!files.areReady && !withoutUnready) {
      files.hold(message);
      return;
    }
    const ready = files.items.filter((a) => a.state === 'ready');
    files.release();
    setSending(true);
    setError(null);
    try {
      const into = await files.send(message, onSend(message, ready.map((a) => a.documentId).filter((id) => id !== null), isRetry));
      drop(message);
      if (read('draft', draft, user.id)?.trim() === message) write('draft', draft, null, user.id);
      files.remove(ready.map((a) => a.key));
      if (into !== undefined && into !== draft) attachmentDraft(into, user.id).adopt(files);
    } catch (e) {
      // That the session has ended is asked about in a dialog, in which whoever types then writes a password.
      if (!(e instanceof Problem && e.status === 401)) setError(e);
    } finally {
      setSending(false);
      goOn(box.current, box.current?.form);
    }
  };

  const sendHeld = useEffectEvent((message: string) => { void submit(false, message); });
  useEffect(() => {
    if (held === null) return;
    const look = () => { if (files.held === held && files.areReady) sendHeld(held); };
    queueMicrotask(look); // the last one may have become ready just now
    return files.subscribe(look);
  }, [held, files]);

  return (
    <form className={styles.composer} onSubmit={(e) => { e.preventDefault(); void submit(); }}>
      {error ? <ErrorNotice error={error} ofRead={false} retry={() => void submit(false, undefined, true)} /> : null}
      {options ? (
        <div className={styles.options}>
          <Select label={t('chat.team')} value={choice.team ?? ''} onChange={(e) => { onChoice({ ...choice, team: e.target.value }); }} options={[{ value: '', label: team ?? t('chat.defaultTeam') }, ...named((teams.data ?? []).map((x) => x.name), choice.team)]} />
          <AgentSelect value={choice.agent ?? ''} onChange={(agent) => { onChoice({ ...choice, agent }); }} />
          <TierSelect value={choice.model ?? ''} onChange={(model) => { onChoice({ ...choice, model }); }} />
        </div>
      ) : null}
      {held !== null && unready.length > 0 ? <Held isStuck={unready.every((a) => a.state === 'failed')} onWithout={() => void submit(true)} onCancel={() => { files.release(); }} /> : null}
      {dropping ? <DropHint limits={limitsSaid} /> : null}
      <div className={styles.box}>
        <AttachmentChips items={items} limits={limitsSaid} canRetry={(key) => files.canRetry(key)} onRetry={(key) => { files.retry(key); }} onRemove={(key) => { files.remove([key]); box.current?.focus(); }} />
        <textarea
          dir="auto"
          ref={box} id={composerId} rows={1} aria-label={t('chat.message')} placeholder={items.length > 0 ? t('attach.ask') : t('chat.placeholder')} value={text}
          onChange={(e) => {
            files.release(); // whoever goes on writing does not want it sent half written
            setText(e.target.value);
          }}
          onPaste={(e) => {
            // What was copied as text is pasted as text, even if the program it comes from also offers a picture of it.
            const pasted = [...e.clipboardData.files];
            if (!mayAttach || pasted.length === 0 || e.clipboardData.types.includes('text/plain')) return;
            e.preventDefault();
            attach(pasted);
          }}
          onKeyDown={(e) => {
            if (e.key === 'Enter' && !e.shiftKey && !e.nativeEvent.isComposing && e.keyCode !== 229 && (!isOnGlass() || e.ctrlKey || e.metaKey)) {
              e.preventDefault();
              void submit();
            }
          }}
        />
        <div className={styles.row}>
          <IconButton size="s" label={t('chat.options')} pressed={options} onClick={() => { setOptions(!options); }}><SlidersHorizontal size={16} aria-hidden /></IconButton>
          {mayAttach ? (
            <>
              <IconButton size="s" label={t('attach.add')} hint={limitsSaid} onClick={() => { picker.current?.click(); }}><Paperclip size={16} aria-hidden /></IconButton>
              <input ref={picker} type="file" multiple hidden tabIndex={-1} aria-hidden onChange={(e) => { attach([...e.target.files ?? []]); e.target.value = ''; }} />
            </>
          ) : null}
          <span className={styles.hint}>{length > longest * 0.9 ? t('chat.length', { length, longest }) : t(isOnGlass() ? 'chat.keysOnGlass' : 'chat.keys')}</span>
          {onStop ? <Button size="s" icon={<Square size={14} aria-hidden />} onClick={() => { onStop().catch(failed); }}>{t('chat.stop')}</Button> : null}
          <Button kind="primary" size="s" type="submit" busy={busy} disabled={text.trim() === '' || length > longest} icon={<SendHorizontal size={16} aria-hidden />}>{t('chat.send')}</Button>
        </div>
      </div>
    </form>
  );
}

/** The message waits for its files: it goes by itself as soon as they are ready, or at once without them, whichever its author wants. */
function Held({ isStuck, onWithout, onCancel }: { isStuck: boolean; onWithout: () => void; onCancel: () => void }) {
  const { t } = useTranslation();
  return (
    <Notice tone={isStuck ? 'warning' : 'info'} title={isStuck ? t('attach.stuck') : t('attach.held')}>
      <div>{isStuck ? t('attach.stuckText') : t('attach.heldText')}</div>
      <div className={styles.choices}>
        <Button size="s" onClick={onWithout}>{t('attach.without')}</Button>
        <Button size="s" kind="ghost" onClick={onCancel}>{t('attach.notYet')}</Button>
      </div>
    </Notice>
  );
}
