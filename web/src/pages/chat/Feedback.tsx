import { useMutation, useQueryClient } from '@tanstack/react-query';
import { ThumbsDown, ThumbsUp } from 'lucide-react';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { api, data } from '../../api/client';
import { IconButton } from '../../ui/Button';
import { Dialog } from '../../ui/Dialog';
import { TextArea } from '../../ui/Field';
import { Form } from '../../ui/Form';
import { useFailureToast } from '../../ui/Toast';
import type { Message } from './data';

/** What the user thinks of an answer, as the server keeps it: the same after a reload and in every tab. */
export function Feedback({ message }: { message: Message }) {
  const { t } = useTranslation();
  const failed = useFailureToast();
  const cache = useQueryClient();
  const [asking, setAsking] = useState(false);
  const [reason, setReason] = useState('');
  const give = useMutation({
    mutationFn: (wanted: { score: -1 | 1; reason?: string }) => data(api.POST('/api/v1/messages/{id}/feedback', { params: { path: { id: message.id } }, body: wanted })),
    // Rows of a long conversation come and go: what was said has to lie where they read it from.
    onSuccess: (feedback) => {
      cache.setQueriesData<Message[]>({ queryKey: ['messages'] }, (all) => all?.map((m) => m.id === message.id ? { ...m, feedback } : m));
      // Nothing to be read here; other windows do.
      void cache.invalidateQueries({ queryKey: ['messages'], refetchType: 'none' });
    },
  });
  const score = give.isPending ? give.variables.score : message.feedback?.score;
  const ask = () => {
    setReason(message.feedback?.score === -1 ? message.feedback.reason ?? '' : '');
    setAsking(true);
  };
  return (
    <>
      <IconButton size="s" label={t('chat.good')} pressed={score === 1} onClick={() => { give.mutate({ score: 1 }, { onError: failed }); }}><ThumbsUp size={15} aria-hidden /></IconButton>
      <IconButton size="s" label={t('chat.bad')} pressed={score === -1} onClick={ask}><ThumbsDown size={15} aria-hidden /></IconButton>
      <Dialog open={asking} onClose={() => { setAsking(false); }} title={t('chat.badTitle')}>
        <Form submit={t('chat.sendFeedback')} onCancel={() => { setAsking(false); }} fields={['reason']} onSubmit={async () => { await give.mutateAsync({ score: -1, ...(reason && { reason }) }); setAsking(false); }}>
          {(errors) => <TextArea label={t('chat.badReason')} value={reason} maxLength={2000} onChange={(e) => { setReason(e.target.value); }} errors={errors('reason')} />}
        </Form>
      </Dialog>
    </>
  );
}
