import { useMutation, useQueryClient } from '@tanstack/react-query';
import { ThumbsDown, ThumbsUp } from 'lucide-react';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { api, data } from '../../api/client';
import { Button, IconButton } from '../../ui/Button';
import { Dialog } from '../../ui/Dialog';
import { TextArea } from '../../ui/Field';
import { Form } from '../../ui/Form';
import { useFailureToast } from '../../ui/Toast';
import type { Message } from './data';

type Score = -1 | 1;

/** What the user thinks of an answer, as the server keeps it: the same after a reload and in every tab. A thumb that is pressed tells why, if one likes, and takes itself back. */
export function Feedback({ message }: { message: Message }) {
  const { t } = useTranslation();
  const failed = useFailureToast();
  const cache = useQueryClient();
  const [asking, setAsking] = useState<Score | null>(null);
  const [reason, setReason] = useState('');
  // Rows of a long conversation come and go: what was said has to lie where they read it from.
  const keep = (feedback: Message['feedback']) => {
    cache.setQueriesData<Message[]>({ queryKey: ['messages'] }, (all) => all?.map((m) => m.id === message.id ? { ...m, feedback: feedback ?? null } : m));
    // Nothing to be read here; other windows do.
    void cache.invalidateQueries({ queryKey: ['messages'], refetchType: 'none' });
  };
  const give = useMutation({
    mutationFn: (wanted: { score: Score; reason?: string }) => data(api.POST('/api/v1/messages/{id}/feedback', { params: { path: { id: message.id } }, body: wanted })),
    onSuccess: keep,
  });
  const takeBack = useMutation({
    mutationFn: () => api.DELETE('/api/v1/messages/{id}/feedback', { params: { path: { id: message.id } } }),
    onSuccess: () => {
      keep(null);
      setAsking(null);
    },
    onError: failed,
  });
  const score = give.isPending ? give.variables.score : message.feedback?.score;
  const close = () => { setAsking(null); };
  const ask = (wanted: Score) => {
    setReason(message.feedback?.score === wanted ? message.feedback.reason ?? '' : '');
    setAsking(wanted);
  };
  return (
    <>
      <IconButton
        size="s" label={t('chat.good')} pressed={score === 1}
        onClick={() => {
          if (score === 1) ask(1);
          else give.mutate({ score: 1 }, { onError: failed });
        }}
      >
        <ThumbsUp size={15} aria-hidden />
      </IconButton>
      <IconButton size="s" label={t('chat.bad')} pressed={score === -1} onClick={() => { ask(-1); }}><ThumbsDown size={15} aria-hidden /></IconButton>
      <Dialog
        open={asking !== null} onClose={close} title={t(asking === 1 ? 'chat.goodTitle' : 'chat.badTitle')}
        footer={asking !== null && message.feedback?.score === asking ? <Button kind="ghost" busy={takeBack.isPending} onClick={() => { takeBack.mutate(); }}>{t('chat.takeBack')}</Button> : undefined}
      >
        <Form submit={t('chat.sendFeedback')} onCancel={close} fields={['reason']} onSubmit={async () => { await give.mutateAsync({ score: asking ?? -1, ...(reason && { reason }) }); close(); }}>
          {(errors) => <TextArea label={t('chat.badReason')} value={reason} maxLength={2000} onChange={(e) => { setReason(e.target.value); }} errors={errors('reason')} />}
        </Form>
      </Dialog>
    </>
  );
}
