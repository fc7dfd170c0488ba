import { useQueryClient } from '@tanstack/react-query';
import { Brain, CircleHelp, Download, Pencil, Plus, Trash2 } from 'lucide-react';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { Link } from 'react-router';
import { api, data } from '../../../api/client';
import { NotForYou } from '../../../app/NotForYou';
import { useSession } from '../../../app/session';
import { useFormat } from '../../../i18n/format';
import { Button, IconButton } from '../../../ui/Button';
import { ConfirmDialog, Dialog } from '../../../ui/Dialog';
import { TextField } from '../../../ui/Field';
import { Badge, EmptyState, Page } from '../../../ui/Layout';
import { ErrorNotice } from '../../../ui/Notice';
import { Table, type Column } from '../../../ui/Table';
import { Tabs } from '../../../ui/Tabs';
import { useToast } from '../../../ui/Toast';
import { Filters, Stack } from '../../admin/Section';
import { save } from '../myData';
import { AddFact, CorrectFact } from './FactForms';
import { Author, Validity } from './FactParts';
import { forgetFact, placeOf, useFacts, type Fact } from './facts';
import { Proposals } from './Proposals';
import { Why } from './Why';
import styles from './Memory.module.css';

type Doing = { kind: 'correct' | 'why' | 'forget'; fact: Fact } | { kind: 'add' | 'forgetAll' } | null;
type OnDo = (doing: Doing) => void;

/** What is remembered about oneself: why it is known, and the ways to correct it, to decide about it, to take it along, and to have it forgotten. */
export default function MemoryPage() {
  const { t } = useTranslation();
  const { user, can } = useSession();
  const toast = useToast();
  const cache = useQueryClient();
  const [doing, setDoing] = useState<Doing>(null);
  const [tab, setTab] = useState('known');
  const [error, setError] = useState<unknown>(null);
  const mayWrite = can('memory:write');
  if (!can('memory:read')) return <NotForYou title={t('memory.title')} />;
  const close = () => { setDoing(null); };
  const refresh = () => cache.invalidateQueries({ queryKey: ['memory'] });
  const said = async (text: string) => {
    await refresh();
    toast(text);
  };
  const done = async (text: string) => {
    await said(text);
    close();
  };
  const take = async () => {
    setError(null);
    try {
      save(await data(api.GET('/api/v1/memory/export')), `rootmas-memory-${user.username}-${new Date().toISOString().slice(0, 10)}.json`);
      toast(t('profile.data.exported'));
    } catch (e) {
      setError(e);
    }
  };
  return (
    <Page
      title={t('memory.title')} intro={<>{t('memory.intro')} <Link to="/profile">{t('memory.toProfile')}</Link></>}
      actions={(
        <>
          <Button icon={<Download size={16} aria-hidden />} onClick={() => void take()}>{t('memory.export')}</Button>
          {mayWrite ? <Button icon={<Trash2 size={16} aria-hidden />} onClick={() => { setDoing({ kind: 'forgetAll' }); }}>{t('memory.forgetAll')}</Button> : null}
          {mayWrite ? <Button kind="primary" icon={<Plus size={16} aria-hidden />} onClick={() => { setDoing({ kind: 'add' }); }}>{t('memory.add')}</Button> : null}
        </>
      )}
    >
      {error ? <ErrorNotice error={error} /> : null}
      {mayWrite ? <Proposals onWhy={(fact) => { setDoing({ kind: 'why', fact }); }} onDecided={said} onOld={() => void refresh()} /> : null}
      <Tabs
        label={t('memory.title')} value={tab} onChange={setTab}
        tabs={[
          { value: 'known', label: t('memory.known'), content: <Known onDo={setDoing} mayWrite={mayWrite} /> },
          { value: 'earlier', label: t('memory.earlier'), content: <Earlier onDo={setDoing} /> },
        ]}
      />
      <Doings doing={doing} onClose={close} onDone={done} onGone={() => void refresh()} />
    </Page>
  );
}

/** What is being done with a fact, in a dialog of its own. */
function Doings({ doing, onClose, onDone, onGone }: { doing: Doing; onClose: () => void; onDone: (text: string) => Promise<void>; onGone: () => void }) {
  const { t } = useTranslation();
  return (
    <>
      <Dialog open={doing?.kind === 'add'} onClose={onClose} title={t('memory.addTitle')} description={t('memory.addText')}><AddFact onDone={() => onDone(t('memory.added'))} onCancel={onClose} /></Dialog>
      <Dialog open={doing?.kind === 'correct'} onClose={onClose} title={t('memory.correctTitle')} description={t('memory.correctText')}>
        {doing?.kind === 'correct' ? <CorrectFact id={doing.fact.id} onDone={() => onDone(t('memory.corrected'))} onCancel={onClose} onGone={onGone} /> : null}
      </Dialog>
      <Dialog open={doing?.kind === 'why'} onClose={onClose} title={t('memory.whyTitle')} description={doing?.kind === 'why' ? doing.fact.text : ''}>{doing?.kind === 'why' ? <Why id={doing.fact.id} /> : null}</Dialog>
      <ConfirmDialog
        open={doing?.kind === 'forget'} onClose={onClose} danger title={t('memory.forgetTitle')} description={doing?.kind === 'forget' ? doing.fact.text : ''} action={t('memory.forget')}
        onConfirm={async () => {
          if (doing?.kind !== 'forget') return;
          await forgetFact(doing.fact.id);
          await onDone(t('memory.forgotten'));
        }}
      >
        <p>{t('memory.forgetText')}</p>
      </ConfirmDialog>
      <ConfirmDialog
        open={doing?.kind === 'forgetAll'} onClose={onClose} danger title={t('memory.forgetAllTitle')} description={t('memory.forgetAllText')} action={t('memory.forgetAll')}
        onConfirm={async () => {
          const gone = await data(api.DELETE('/api/v1/memory'));
          await onDone(t('memory.forgottenAll', { count: Number(gone.facts) }));
        }}
      />
    </>
  );
}

function Known({ onDo, mayWrite }: { onDo: OnDo; mayWrite: boolean }) {
  const { t } = useTranslation();
  const [text, setText] = useState('');
  const [words, setWords] = useState('');
  const facts = useFacts('active', words);
  const columns = useColumns(onDo, mayWrite);
  return (
    <div className={styles.known}>
      <form role="search" onSubmit={(e) => { e.preventDefault(); setWords(text.trim()); }}>
        <Filters label={t('memory.search')}>
          <TextField label={t('memory.search')} type="search" maxLength={500} value={text} onChange={(e) => { setText(e.target.value); if (e.target.value === '') setWords(''); }} />
          <div><Button type="submit">{t('admin.search')}</Button></div>
        </Filters>
      </form>
      {facts.error ? <ErrorNotice error={facts.error} retry={facts.retry} /> : null}
      {facts.lost ? null : (
        <Table<Fact>
          caption={t('memory.known')} columns={columns} rows={facts.rows} rowKey={(f) => f.id} loading={facts.loading} more={facts.more}
          empty={words ? <EmptyState title={t('memory.noneFound')} /> : <EmptyState icon={<Brain size={32} />} title={t('memory.nothing')}>{t('memory.nothingText')}</EmptyState>}
        />
      )}
    </div>
  );
}

/** What was true once: what a later version replaced. It is forgotten together with that. */
function Earlier({ onDo }: { onDo: OnDo }) {
  const { t } = useTranslation();
  const facts = useFacts('superseded');
  const columns = useColumns(onDo, false);
  return (
    <>
      {facts.error ? <ErrorNotice error={facts.error} retry={facts.retry} /> : null}
      {facts.lost ? null : <Table<Fact> caption={t('memory.earlier')} columns={columns} rows={facts.rows} rowKey={(f) => f.id} loading={facts.loading} more={facts.more} empty={<EmptyState title={t('memory.noneEarlier')}>{t('memory.noneEarlierText')}</EmptyState>} />}
    </>
  );
}

function useColumns(onDo: OnDo, mayWrite: boolean): Column<Fact>[] {
  const { t } = useTranslation();
  const format = useFormat();
  const act = (kind: 'why' | 'correct' | 'forget', fact: Fact, icon: React.ReactNode) => <IconButton size="s" label={t(`memory.${kind}Of`, { fact: fact.text })} onClick={() => { onDo({ kind, fact }); }}>{icon}</IconButton>;
  return [
    {
      key: 'fact', header: t('memory.fact'),
      cell: (f) => (
        <Stack below={<><Author fact={f} />, {format.ago(f.created_at)}</>}>
          <bdi>{f.text}</bdi> {f.sensitivity === 'sensitive' ? <Badge tone="info">{t('memory.sensitive')}</Badge> : null} {f.tainted ? <Badge tone="warning">{t('chat.tainted')}</Badge> : null}
        </Stack>
      ),
    },
    { key: 'source', header: t('memory.source'), secondary: true, cell: (f) => { const place = placeOf(f); return place ? <Link to={place}>{t('memory.openMessage')}</Link> : t('memory.none'); } },
    { key: 'sure', header: t('memory.sure'), numeric: true, secondary: true, cell: (f) => format.percent(Number(f.confidence) / 100) },
    { key: 'valid', header: t('memory.valid'), secondary: true, cell: (f) => <Validity fact={f} /> },
    {
      key: 'act', header: t('admin.actions'),
      cell: (f) => (
        <div className={styles.acts}>
          {act('why', f, <CircleHelp size={16} aria-hidden />)}
          {mayWrite ? act('correct', f, <Pencil size={16} aria-hidden />) : null}
          {mayWrite ? act('forget', f, <Trash2 size={16} aria-hidden />) : null}
        </div>
      ),
    },
  ];
}
