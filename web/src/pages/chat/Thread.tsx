import { useQueryClient, type QueryKey } from '@tanstack/react-query';
import { useCallback, useEffect, useLayoutEffect, useMemo, useRef, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { useLocation } from 'react-router';
import { api, idempotencyKey } from '../../api/client';
import { Problem } from '../../api/problem';
import { runBegan } from '../../app/runNotices';
import { useSession } from '../../app/session';
import { useShowing, useShown } from '../../app/windows';
import { stopRuns } from '../../chat/stopRuns';
import { isPlaced, MessageTree } from '../../chat/tree';
import { Badge, Loading, TabTitle } from '../../ui/Layout';
import { goOn } from '../../ui/focus';
import { ErrorNotice } from '../../ui/Notice';
import { useFailureToast } from '../../ui/Toast';
import { Beginning } from './beginning';
import { useChoice, type Choice } from './choice';
import { Composer, composerId } from './Composer';
import { ConversationTotals } from './ConversationTotals';
import { useDeleted } from './deletions';
import { newestConversations, useConversation, useConversationRuns, useConversationTotals, useMessages, type Message } from './data';
import { itemsOf, over, turnsOf } from './items';
import { useStayAtEnd } from './stayAtEnd';
import { useTurns } from './loadTurns';
import { useSeenAnswers } from './useSeenAnswers';
import { Deleted, ReadOnly, Welcome } from './Welcome';
import styles from './Thread.module.css';

export function Thread({ conversationId, onCreated }: { conversationId: string | undefined; onCreated: (id: string) => void }) {
  const { t } = useTranslation();
  const cache = useQueryClient();
  const failed = useFailureToast();
  const conversation = useConversation(conversationId);
  const messages = useMessages(conversationId);
  const totals = useConversationTotals(conversationId);
  const read = useConversationRuns(conversationId);
  const { runs, reaches } = read;
  const [leaf, setLeaf] = useState<string | null>(null);
  const [started, setStarted] = useState<readonly string[]>([]);
  const { choice, setChoice, began } = useChoice(conversationId);
  const scroll = useRef<HTMLDivElement>(null);
  const { onGrown, onScroll, goThere, leave } = useStayAtEnd(scroll);
  const takeBack = useDeleted().get(conversationId ?? '');
  const isDeleted = takeBack !== undefined;
  const mayWrite = useSession().can('chat:write') && !isDeleted;
  useShown(conversationId && `conversation ${conversationId}`);
  const shows = useShowing();

  const tree = useMemo(() => new MessageTree(messages.data ?? []), [messages.data]);
  // What is known of the conversation may be older than its messages, and so is what an arrow led to: what was said after it belongs to the branch.
  const path = useMemo(() => tree.path(tree.newest(leaf ?? conversation.data?.current_leaf ?? '')), [tree, leaf, conversation.data]);
  const end = leaf === null ? undefined : path.at(-1)?.id;
  const all = useMemo(() => itemsOf(path, messages.data ?? [], runs, started), [path, messages.data, runs, started]);
  const active = all.flatMap((i) => i.kind === 'live' ? [i.runId] : []);
  useSeenAnswers(active, path);
  const working = active.filter((id) => !over.has(runs?.get(id)?.status ?? '')); // one that ended without an answer is still shown, and cannot be stopped
  // What is seen to have ended holds nobody up, also when reading it again fails.
  const [ended, setEnded] = useState<readonly string[]>([]);
  const { shown: items, working: followed } = useMemo(() => turnsOf(all, (run) => ended.includes(run) || over.has(runs?.get(run)?.status ?? '')), [all, ended, runs]);
  const turns = useTurns(conversationId !== undefined || items.length > 0);

  // An address can name a message: `#m-<id>`. It is gone to once, when it is there, on the branch that it lies on.
  const { hash, key: visit } = useLocation();
  const named = /^#m-([\w-]+)$/.exec(hash)?.[1];
  const [gone, setGone] = useState('');
  const isToGo = named !== undefined && gone !== visit && tree.get(named) !== undefined;
  // Before everything that is needed to show a conversation is there, there is nothing to go to.
  const hasNothing = conversationId !== undefined && started.length === 0 && (!messages.data || !conversation.data || !turns);
  const place = isToGo && !hasNothing ? items.findIndex((i) => i.kind === 'message' && i.message.id === named) : -1;
  if (isToGo && !hasNothing && place < 0) {
    const below = tree.newest(named);
    if (below && below !== leaf) setLeaf(below);
    else setGone(visit);
  }
  useLayoutEffect(onGrown, [onGrown, hasNothing, turns, items.length]);

  // Whoever is quick sends the second message before the page has become that of the conversation which the first one began.
  const refresh = useCallback(async (of = conversationId) => {
    const keys: QueryKey[] = [['messages', of], ['runs', { conversation: of }], ['conversation', of], newestConversations, ['runs', 'awaited']];
    const read = (some: readonly QueryKey[]) => Promise.all(some.map((queryKey) => cache.invalidateQueries({ queryKey })));
    // A first reading that is under way is not begun anew and may bring what was there before: then it is read once more.
    const early = [...keys, ['conversation', of, 'totals']].filter((key) => {
      const state = cache.getQueryState(key);
      return state?.fetchStatus === 'fetching' && state.data === undefined;
    });
    await read(keys);
    await read(early);
  }, [cache, conversationId]);

  const onEnd = useCallback((run: string) => {
    setEnded((now) => [...now, run]);
    void refresh();
  }, [refresh]);

  // An answer that was read with the messages, before its run was seen to end: what the run cost is to be read again.
  const isOlder = runs !== undefined && (messages.data ?? []).some((m) => m.role === 'assistant' && m.status !== 'question' && m.run_id && reaches(m.run_id) && !over.has(runs.get(m.run_id)?.status ?? ''));
  const readAt = messages.dataUpdatedAt;
  useEffect(() => {
    if (!isOlder) return;
    void cache.invalidateQueries({ queryKey: ['runs', { conversation: conversationId }] });
    void cache.invalidateQueries({ queryKey: ['conversation', conversationId, 'totals'] });
  }, [isOlder, readAt, cache, conversationId]);

  // Something was said elsewhere, on another device: the conversation ends with a message that has not been read. Asked for once: what never comes is not waited for.
  const said = conversation.data?.current_leaf;
  const isBehind = said !== undefined && said !== null && messages.data !== undefined && !messages.isFetching && tree.get(said) === undefined;
  const wanted = useRef('');
  useEffect(() => {
    if (!isBehind || wanted.current === said) return;
    wanted.current = said;
    void refresh();
  }, [isBehind, said, refresh]);

  const isThere = useRef(false);
  useEffect(() => {
    isThere.current = true;
    return () => { isThere.current = false; };
  }, []);
  const [beginning] = useState(() => new Beginning());
  const keys = useRef(new Map<string, { key: string; said: number }>());
  const ask = useCallback(async (text: string, { team, agent, model }: Choice, parent?: string, attachments: readonly string[] = [], isRetry = false) => {
    // The same text sent again after a failure is the same request: it must not be answered twice. What has come to the page meanwhile had arrived: whoever says it again, and does not just retry, says it once more.
    const id = JSON.stringify([conversationId, text, team, agent, model, parent, attachments]);
    const said = (messages.data ?? []).filter((m) => m.content === text).length;
    const before = keys.current.get(id);
    const tried = before && (isRetry || said <= before.said) ? before : { key: idempotencyKey(), said };
    keys.current.set(id, tried);
    const target = conversationId ?? await beginning.conversation(team);
    if (!target) return undefined;
    const { data: accepted } = await api.POST('/api/v1/conversations/{id}/runs', {
      params: { path: { id: target } }, headers: { 'Idempotency-Key': tried.key },
      body: { message: text, ...(parent && { parent_id: parent }), ...(team && { team }), ...(agent && { agent }), ...(model && { model }), ...(attachments.length > 0 && { attachments: [...attachments] }) },
    }).catch(async (error: unknown) => {
      keys.current.set(id, tried);
      if (conversationId === undefined && error instanceof Problem && isRefused(error)) {
        keys.current.delete(id);
        if (error.code === 'conversation_not_found') beginning.forget(); // deleted elsewhere meanwhile, empty as it was
        else await beginning.takeBack();
      }
      throw error;
    });
    keys.current.clear(); // what failed before is over: the same words are another message from now on
    goThere();
    if (accepted) {
      // Its end may come before the page has the name of the conversation that begins here.
      if (conversationId === undefined && isThere.current) await shows(`run ${accepted.run_id}`);
      runBegan(accepted.run_id);
      setStarted((now) => [...now, accepted.run_id]);
    }
    setLeaf(null);
    if (conversationId === undefined) {
      began();
      if (isThere.current) onCreated(target); // whoever has gone elsewhere meanwhile stays there; the list has it
    }
    void refresh(target); // not waited for: whoever is quick sends the next message meanwhile
    return target;
  }, [conversationId, messages.data, beginning, onCreated, began, refresh, goThere, shows]);

  const again = (question: Message | undefined, chosen: Choice) =>
    question ? ask(question.content, chosen, isPlaced(question) ? question.parent_id ?? 'root' : end, question.attachments?.map((a) => a.id)) : Promise.resolve();

  // What is shown stays when a later look fails; only what is gone is gone.
  const error = conversation.error ?? messages.error;
  if (error && (hasNothing || (error instanceof Problem && error.status === 404))) return <div className={styles.notice}><h1 className="sr-only" tabIndex={-1} data-page-title>{t('error.failed')}</h1><TabTitle of={t('error.failed')} /><ErrorNotice error={error} retry={() => void refresh()} /></div>;
  if (hasNothing) return <Loading label={t('state.loading')} />;

  return (
    <div className={styles.thread}>
      <TabTitle of={conversationId === undefined ? t('chat.new') : conversation.data?.title || t('chat.untitled')} />
      {conversationId === undefined ? null : <h1 className="sr-only" tabIndex={-1} data-page-title>{conversation.data?.title || t('chat.untitled')}</h1>}
      <div
        ref={scroll} className={styles.scroll} tabIndex={0} role="log" aria-label={conversation.data?.title ?? t('chat.new')} aria-live="off"
        onKeyDown={(e) => {
          // The browser's own glide to the other end stops on the way, where rows turn out to be of another height than was guessed.
          if (e.target !== e.currentTarget || (e.key !== 'Home' && e.key !== 'End')) return;
          e.preventDefault();
          e.currentTarget.scrollTo({ top: e.key === 'Home' ? 0 : e.currentTarget.scrollHeight, behavior: 'instant' });
        }}
        onScroll={onScroll}
      >
        {items.length === 0 ? <Welcome onPick={mayWrite ? (text) => { ask(text, choice).catch(failed); } : undefined} /> : !turns ? <Loading label={t('state.loading')} /> : (
          <turns.Rows items={items} followed={followed} named={named} place={place} onPlace={() => { leave(); setGone(visit); }} onGrown={onGrown} runs={read}>
            {(item) => item.kind === 'waiting' ? <Badge>{t('chat.queued')}</Badge> : item.kind === 'live' ? <turns.LiveTurn runId={item.runId} mayWrite={mayWrite} choice={choice} onEnd={onEnd} onAgain={mayWrite && item.question ? (chosen) => again(item.question, chosen) : undefined} />
              : item.message.role === 'user'
                ? <turns.QuestionView message={item.message} mayWrite={mayWrite} waits={item.message.status === 'queued' && !over.has(item.run?.status ?? '')} branching={tree.branching(item.message)} onBranch={(id) => { setLeaf(tree.newest(id) ?? id); }} onEdit={(text, attachments) => ask(text, choice, item.message.parent_id ?? 'root', attachments, true).then(() => { goOn(document.getElementById(composerId), scroll.current); })} />
                : <turns.AnswerView message={item.message} mayWrite={mayWrite} run={item.run} branching={tree.branching(item.message)} choice={choice} onBranch={(id) => { setLeaf(tree.newest(id) ?? id); }} onAgain={(chosen) => again(tree.get(item.message.parent_id ?? ''), chosen)} onContinue={() => ask(t('chat.continueMessage'), choice, item.message.id)} />}
          </turns.Rows>
        )}
      </div>
      <div className={styles.foot}>
        {isDeleted ? <Deleted takeBack={takeBack} /> : mayWrite ? (
          <Composer
            conversationId={conversationId} team={conversation.data?.team ?? undefined} choice={choice} onChoice={setChoice}
            onSend={(text, attachments, isRetry) => ask(text, choice, end, attachments, isRetry)}
            {...(working.length > 0 && { onStop: () => stopRuns(working).finally(() => void refresh()) })} // what waited is not followed
          />
        ) : <ReadOnly />}
        {conversationId === undefined ? null : <ConversationTotals totals={totals.data} />}
      </div>
    </div>
  );
}

/** Not kept, for certain: another try with the same key may still be at work. */
function isRefused({ status, code }: Problem): boolean {
  return status >= 400 && status < 500 && !code.startsWith('idempotency_');
}
