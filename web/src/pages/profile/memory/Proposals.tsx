import { useMutation } from '@tanstack/react-query';
import { useTranslation } from 'react-i18next';
import { api } from '../../../api/client';
import { Button } from '../../../ui/Button';
import { Badge, Card } from '../../../ui/Layout';
import { ErrorNotice } from '../../../ui/Notice';
import { Stack } from '../../admin/Section';
import { at, useFacts, type Fact } from './facts';
import { Author } from './FactParts';
import styles from './Memory.module.css';

interface Props {
  onWhy: (fact: Fact) => void;
  onDecided: (text: string) => Promise<void>;
  /** Somebody was quicker: what is shown is old. */
  onOld: () => void;
}

/** What was learned while text from outside was read: told to nobody before its user says so. */
export function Proposals({ onWhy, onDecided, onOld }: Props) {
  const { t } = useTranslation();
  const { rows, more, error, retry } = useFacts('proposed');
  const decide = useMutation({
    mutationFn: ({ fact, decision }: { fact: Fact; decision: 'keep' | 'discard' }) => api.POST('/api/v1/memory/{id}/decision', { ...at(fact.id), body: { decision } }),
    onSuccess: (_, { decision }) => onDecided(t(decision === 'keep' ? 'memory.kept' : 'memory.discarded')),
    onError: onOld,
  });
  const unread = error ? <ErrorNotice error={error} retry={retry} /> : null;
  if (rows.length === 0) return unread ?? (decide.error ? <ErrorNotice error={decide.error} /> : null);
  return (
    <Card title={t('memory.proposals')}>
      <p>{t('memory.proposalsText')}</p>
      {unread}
      {decide.error ? <ErrorNotice error={decide.error} /> : null}
      <ul className={styles.proposals} aria-label={t('memory.proposals')}>
        {rows.map((fact) => (
          <li key={fact.id}>
            <Stack below={<Author fact={fact} />}><bdi>{fact.text}</bdi> {fact.tainted ? <Badge tone="warning">{t('chat.tainted')}</Badge> : null}</Stack>
            <div className={styles.acts}>
              <Button size="s" kind="ghost" aria-label={t('memory.whyOf', { fact: fact.text })} onClick={() => { onWhy(fact); }}>{t('memory.why')}</Button>
              <Button size="s" aria-label={t('memory.discardOf', { fact: fact.text })} disabled={decide.isPending} onClick={() => { decide.mutate({ fact, decision: 'discard' }); }}>{t('memory.discard')}</Button>
              <Button size="s" kind="primary" aria-label={t('memory.keepOf', { fact: fact.text })} disabled={decide.isPending} onClick={() => { decide.mutate({ fact, decision: 'keep' }); }}>{t('memory.keep')}</Button>
            </div>
          </li>
        ))}
      </ul>
      {more ? <div><Button size="s" busy={more.busy} onClick={more.load}>{t('action.more')}</Button></div> : null}
    </Card>
  );
}
