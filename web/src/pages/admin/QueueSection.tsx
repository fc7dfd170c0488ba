import { useQuery, useQueryClient } from '@tanstack/react-query';
import { Inbox } from 'lucide-react';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { Link } from 'react-router';
import { api, data } from '../../api/client';
import { usePages } from '../../api/pages';
import type { SchemaDeadLetterView } from '../../api/schema';
import { useSession } from '../../app/session';
import { useFormat } from '../../i18n/format';
import { Button } from '../../ui/Button';
import { ConfirmDialog } from '../../ui/Dialog';
import { Card, EmptyState, Facts, Loading } from '../../ui/Layout';
import { ErrorNotice, ReadNotice } from '../../ui/Notice';
import { Said } from '../../ui/Said';
import { Table } from '../../ui/Table';
import { useToast } from '../../ui/Toast';
import { Section, Stack } from './Section';

/** What waits, what works, and what could not be delivered. */
export default function QueueSection() {
  const { t } = useTranslation();
  return (
    <Section title={t('admin.section.queue')} intro={t('admin.queue.intro')}>
      <Now />
      <DeadLetters />
    </Section>
  );
}

function Now() {
  const { t } = useTranslation();
  const format = useFormat();
  const queue = useQuery({ queryKey: ['queue'], queryFn: () => data(api.GET('/api/v1/queue')), refetchInterval: 5_000 });
  if (queue.isPending) return <Loading label={t('state.loading')} />;
  if (queue.isLoadingError) return <ReadNotice of={queue} />;
  const q = queue.data;
  const count = (value: number | string) => format.number(Number(value));
  return (
    <Card title={t('admin.queue.now')}>
      <ReadNotice of={queue} />
      <Facts
        items={[
          [t('admin.queue.waiting'), count(q.waiting)], [t('admin.queue.running'), count(q.running)], [t('admin.queue.turn'), count(q.waiting_for_turn)], [t('admin.queue.branch'), count(q.waiting_for_branch)],
          [t('admin.queue.oldest'), q.oldest_since ? format.ago(q.oldest_since) : t('admin.none')], [t('admin.queue.unsent'), count(q.unsent)], [t('admin.queue.dispatch'), <span key="dispatch" lang="en">{q.dispatch} · {q.broker}</span>],
        ]}
      />
      {q.workers.length > 0 ? (
        <Table caption={t('admin.queue.workers')} rows={q.workers} rowKey={(w) => w.name} columns={[{ key: 'name', header: t('admin.queue.worker'), cell: (w) => w.name }, { key: 'running', header: t('admin.queue.running'), numeric: true, cell: (w) => count(w.running) }]} />
      ) : null}
      {q.queues.length > 0 ? (
        <Table caption={t('admin.queue.queues')} rows={q.queues} rowKey={(w) => w.name} columns={[{ key: 'name', header: t('admin.queue.queue'), cell: (w) => w.name }, { key: 'messages', header: t('admin.queue.messages'), numeric: true, cell: (w) => count(w.messages) }, { key: 'consumers', header: t('admin.queue.consumers'), numeric: true, cell: (w) => count(w.consumers), secondary: true }]} />
      ) : null}
    </Card>
  );
}

function DeadLetters() {
  const { t } = useTranslation();
  const { can } = useSession();
  const format = useFormat();
  const toast = useToast();
  const cache = useQueryClient();
  const [doing, setDoing] = useState<{ letter: SchemaDeadLetterView; purge: boolean } | null>(null);
  const letters = usePages<SchemaDeadLetterView>(['queue', 'dead'], (cursor) => data(api.GET('/api/v1/queue/dead', { params: { query: { limit: 50, ...(cursor && { cursor }) } } })));
  const act = async () => {
    if (!doing) return;
    const path = { id: doing.letter.id };
    try {
      if (doing.purge) await api.DELETE('/api/v1/queue/dead/{id}', { params: { path } });
      else await api.POST('/api/v1/queue/dead/{id}/redrive', { params: { path } });
    } finally {
      await cache.invalidateQueries({ queryKey: ['queue'] }); // a refusal may say that it is gone
    }
    toast(t(doing.purge ? 'admin.queue.purged' : 'admin.queue.redriven'));
  };
  return (
    <Card title={t('admin.queue.dead')}>
      {letters.error ? <ErrorNotice error={letters.error} retry={letters.retry} /> : null}
      {letters.lost ? null : (
        <Table<SchemaDeadLetterView>
          caption={t('admin.queue.dead')} rows={letters.rows} rowKey={(l) => l.id} loading={letters.loading} more={letters.more}
          empty={<EmptyState icon={<Inbox size={32} />} title={t('admin.queue.noDead')}>{t('admin.queue.noDeadText')}</EmptyState>}
          columns={[
            { key: 'reason', header: t('admin.queue.reason'), cell: (l) => <Stack below={<span lang="en">{l.kind}</span>}><Said text={l.reason} /></Stack> },
            { key: 'run', header: t('admin.queue.run'), cell: (l) => l.run_id ? <Link to={`/runs/${l.run_id}`}>{l.run_id.slice(0, 8)}</Link> : '', secondary: true },
            { key: 'tries', header: t('admin.queue.deliveries'), numeric: true, cell: (l) => format.number(Number(l.deliveries)), secondary: true },
            { key: 'when', header: t('admin.when'), cell: (l) => format.ago(l.created_at), secondary: true },
            ...(can('queue:write') ? [{
              key: 'act', header: t('admin.actions'), cell: (l: SchemaDeadLetterView) => (
                <>
                  <Button size="s" kind="ghost" disabled={!l.run_id} aria-label={t('admin.queue.redriveOf', { id: l.id })} onClick={() => { setDoing({ letter: l, purge: false }); }}>{t('admin.queue.redrive')}</Button>
                  <Button size="s" kind="ghost" aria-label={t('admin.queue.purgeOf', { id: l.id })} onClick={() => { setDoing({ letter: l, purge: true }); }}>{t('action.delete')}</Button>
                </>
              ),
            }] : []),
          ]}
        />
      )}
      <ConfirmDialog
        open={doing !== null} onClose={() => { setDoing(null); }} danger={doing?.purge === true} title={t(doing?.purge ? 'admin.queue.purgeTitle' : 'admin.queue.redriveTitle')}
        description={t(doing?.purge ? 'admin.queue.purgeText' : 'admin.queue.redriveText')} action={t(doing?.purge ? 'action.delete' : 'admin.queue.redrive')} onConfirm={act}
      />
    </Card>
  );
}
