import { SendHorizontal, SlidersHorizontal, Square } from 'lucide-react';
import { useEffect, useLayoutEffect, useRef, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { useSession } from '../../app/session';
import { isTyping, shortcutsAreOn } from '../../app/shortcuts';
import { read, write } from '../../app/storage';
import { Button, IconButton } from '../../ui/Button';
import { Select } from '../../ui/Field';
import { ErrorNotice } from '../../ui/Notice';
import { AgentSelect, TierSelect } from './AgainDialog';
import { useTeams } from './data';
import styles from './Composer.module.css';

/** Who answers, and with what; absent: as the conversation and its team say. */
export interface Choice {
  team?: string;
  agent?: string;
  model?: string;
}

/** Where the focus goes when what had it is gone. */
export const composerId = 'message-box';

const longest = 10_000;

interface ComposerProps {
  conversationId: string | undefined;
  team: string | undefined;
  /** Fails without having taken anything away: the text stays where it is. */
  onSend: (text: string, choice: Choice) => Promise<unknown>;
  onStop?: () => Promise<unknown>;
}

export function Composer({ conversationId, team, onSend, onStop }: ComposerProps) {
  const { t } = useTranslation();
  const { user } = useSession();
  const draft = conversationId ?? 'new';
  const [text, setText] = useState(() => read('draft', draft, user.id) ?? '');
  const [choice, setChoice] = useState<Choice>({});
  const [options, setOptions] = useState(false);
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>(null);
  const box = useRef<HTMLTextAreaElement>(null);
  const teams = useTeams();
  const length = [...text].length;

  useEffect(() => { write('draft', draft, text, user.id); }, [draft, text, user.id]);

  useLayoutEffect(() => {
    const area = box.current;
    if (!area) return;
    area.style.height = 'auto';
    area.style.height = `${Math.min(area.scrollHeight, 320)}px`;
  }, [text]);

  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      if (!shortcutsAreOn()) return;
      if (event.key === '/' && !isTyping(event.target) && !event.ctrlKey && !event.metaKey) {
        event.preventDefault();
        box.current?.focus();
      } else if (event.key.toLowerCase() === 's' && event.ctrlKey && event.shiftKey && onStop) {
        event.preventDefault();
        void onStop();
      }
    };
    addEventListener('keydown', onKey);
    return () => { removeEventListener('keydown', onKey); };
  }, [onStop]);

  const submit = async () => {
    const message = text.trim();
    if (message === '' || busy || length > longest) return;
    setBusy(true);
    setError(null);
    try {
      await onSend(message, choice);
      // What was typed while it was on its way is the next message.
      setText((now) => now.trim() === message ? '' : now);
      write('draft', draft, null, user.id);
    } catch (e) {
      setError(e);
    } finally {
      setBusy(false);
      box.current?.focus();
    }
  };

  return (
    <form className={styles.composer} onSubmit={(e) => { e.preventDefault(); void submit(); }}>
      {error ? <ErrorNotice error={error} retry={() => void submit()} /> : null}
      {options ? (
        <div className={styles.options}>
          <Select label={t('chat.team')} value={choice.team ?? ''} onChange={(e) => { setChoice({ ...choice, team: e.target.value }); }} options={[{ value: '', label: team ?? t('chat.defaultTeam') }, ...(teams.data?.items ?? []).map((x) => ({ value: x.name, label: x.name }))]} />
          <AgentSelect value={choice.agent ?? ''} onChange={(agent) => { setChoice({ ...choice, agent }); }} />
          <TierSelect value={choice.model ?? ''} onChange={(model) => { setChoice({ ...choice, model }); }} />
        </div>
      ) : null}
      <div className={styles.box}>
        <textarea
          ref={box} id={composerId} rows={1} aria-label={t('chat.message')} placeholder={t('chat.placeholder')} value={text} autoFocus={matchMedia('(pointer: fine)').matches}
          onChange={(e) => { setText(e.target.value); }}
          onKeyDown={(e) => {
            if (e.key === 'Enter' && !e.shiftKey && !e.nativeEvent.isComposing) {
              e.preventDefault();
              void submit();
            }
          }}
        />
        <div className={styles.row}>
          <IconButton size="s" label={t('chat.options')} pressed={options} onClick={() => { setOptions(!options); }}><SlidersHorizontal size={16} aria-hidden /></IconButton>
          <span className={styles.hint}>{length > longest * 0.9 ? t('chat.length', { length, longest }) : t('chat.keys')}</span>
          {onStop ? <Button size="s" icon={<Square size={14} aria-hidden />} onClick={() => void onStop()}>{t('chat.stop')}</Button> : null}
          <Button kind="primary" size="s" type="submit" busy={busy} disabled={text.trim() === '' || length > longest} icon={<SendHorizontal size={16} aria-hidden />}>{t('chat.send')}</Button>
        </div>
      </div>
    </form>
  );
}
