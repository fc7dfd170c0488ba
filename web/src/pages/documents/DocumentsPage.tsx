import { useQueryClient } from '@tanstack/react-query';
import { FileText, FolderPlus, Trash2, Upload } from 'lucide-react';
import { useCallback, useEffect, useRef, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { Link } from 'react-router';
import { api, data } from '../../api/client';
import { usePages } from '../../api/pages';
import { Problem } from '../../api/problem';
import { problemLine } from '../../api/problemText';
import { NotForYou } from '../../app/NotForYou';
import { useSession } from '../../app/session';
import { useAttachmentDraft } from '../../chat/attachmentDraft';
import { useFormat } from '../../i18n/format';
import { Button, IconButton } from '../../ui/Button';
import { ConfirmDialog } from '../../ui/Dialog';
import { Select } from '../../ui/Field';
import { Badge, Card, EmptyState, Page } from '../../ui/Layout';
import { ErrorNotice } from '../../ui/Notice';
import { Table, type Column } from '../../ui/Table';
import { useToast } from '../../ui/Toast';
import { Stack } from '../admin/Section';
import { AttachmentChips, DropHint, useFileDrop } from '../chat/Attachments';
import { CollectionActions, NewCollection } from './CollectionActions';
import { limitsText, refusalText, useCollections, useDocumentLimits, type Collection, type Document } from './data';
import styles from './DocumentsPage.module.css';
import { KnowledgeSearch } from './KnowledgeSearch';

const tones = { queued: 'info', working: 'info', ready: 'success', failed: 'danger' } as const;

/** What the team can look into: collections, their documents, and a search in them. */
export default function DocumentsPage() {
  const { t } = useTranslation();
  return useSession().can('knowledge:read') ? <Documents /> : <NotForYou title={t('nav.documents')} />;
}

function Documents() {
  const { t } = useTranslation();
  const { can } = useSession();
  const [chosen, setChosen] = useState('');
  const [makes, setMakes] = useState(false);
  const collections = useCollections();
  const mayWrite = can('knowledge:write');
  const collection = collections.data?.find((c) => c.id === chosen);
  // One that went away, or that one was put out of, is chosen no longer.
  const current = collection || !collections.data ? chosen : '';
  const target = current === '' ? collections.data?.find((c) => c.is_default) : collection;
  return (
    <Page
      wide title={t('nav.documents')} intro={t('documents.intro')}
      actions={mayWrite ? <Button icon={<FolderPlus size={16} aria-hidden />} onClick={() => { setMakes(true); }}>{t('documents.newCollection')}</Button> : undefined}
    >
      {collections.error ? <ErrorNotice error={collections.error} retry={() => void collections.refetch()} /> : null}
      <KnowledgeSearch collection={current} />
      <Card title={t('documents.list')}>
        <div className={styles.choice}>
          <Select label={t('documents.collection')} value={current} onChange={(e) => { setChosen(e.target.value); }} options={[{ value: '', label: t('documents.all') }, ...(collections.data ?? []).map((c) => ({ value: c.id, label: c.name }))]} />
          {collection ? <CollectionActions key={collection.id} collection={collection} onGone={() => { setChosen(''); }} /> : null}
        </div>
        {collection?.description ? <p className={styles.description}>{collection.description}</p> : null}
        {mayWrite && (current === '' || target?.may_write) ? <Uploads key={current} into={current} /> : null}
        <DocumentTable chosen={current} collections={collections.data ?? []} mayWrite={mayWrite} />
      </Card>
      <NewCollection open={makes} onClose={() => { setMakes(false); }} onMade={setChosen} />
    </Page>
  );
}

/** Files on their way into a collection; '': into one's default one. What has the same name is replaced, as the API has it. */
function Uploads({ into }: { into: string }) {
  const { t } = useTranslation();
  const format = useFormat();
  const cache = useQueryClient();
  const { user } = useSession();
  const limits = useDocumentLimits().data;
  const said = limits ? limitsText(limits, t, format) : '';
  const { draft, items } = useAttachmentDraft(`documents-${into}`, user.id);
  const picker = useRef<HTMLInputElement>(null);
  const add = useCallback((files: readonly File[]) => {
    draft.add(files, { limits, refusal: refusalText(limits, t, format), most: Infinity, into: into === '' ? {} : { collection: into } });
  }, [draft, limits, t, format, into]);
  const dropping = useFileDrop(add);

  // What is there is in the table; only what is not yet there, or failed, is said here.
  useEffect(() => {
    const settle = () => {
      const ready = draft.items.filter((a) => a.state === 'ready').map((a) => a.key);
      if (ready.length === 0) return;
      draft.remove(ready);
      void cache.invalidateQueries({ queryKey: ['documents'] });
      void cache.invalidateQueries({ queryKey: ['collections'] });
    };
    settle();
    return draft.subscribe(settle);
  }, [draft, cache]);

  return (
    <div className={styles.uploads}>
      {dropping ? <DropHint limits={said} /> : null}
      <div><Button icon={<Upload size={16} aria-hidden />} onClick={() => { picker.current?.click(); }}>{t('documents.upload')}</Button></div>
      <input ref={picker} type="file" multiple hidden tabIndex={-1} aria-hidden onChange={(e) => { add([...e.target.files ?? []]); e.target.value = ''; }} />
      <p className={styles.description}>{said}</p>
      <AttachmentChips items={items} limits="" label={t('documents.uploads')} canRetry={(key) => draft.canRetry(key)} onRetry={(key) => { draft.retry(key); }} onRemove={(key) => { draft.remove([key]); }} />
    </div>
  );
}

function DocumentTable({ chosen, collections, mayWrite }: { chosen: string; collections: readonly Collection[]; mayWrite: boolean }) {
  const { t } = useTranslation();
  const format = useFormat();
  const toast = useToast();
  const cache = useQueryClient();
  const [removes, setRemoves] = useState<Document | null>(null);
  const documents = usePages<Document>(['documents', { collection: chosen }],
    (cursor) => data(api.GET('/api/v1/documents', { params: { query: { limit: 50, ...(chosen && { collection: chosen }), ...(cursor && { cursor }) } } })), (d) => d.status === 'queued' || d.status === 'working');
  const of = (id: string) => collections.find((c) => c.id === id);
  const columns: Column<Document>[] = [
    { key: 'name', header: t('documents.name'), cell: (d) => <Stack below={d.error ? problemLine(t, new Problem(422, { ...d.error })) : ''}><Link to={`/documents/${d.id}`}><bdi>{d.name}</bdi></Link></Stack> },
    { key: 'status', header: t('documents.status'), cell: (d) => <Badge tone={tones[d.status as keyof typeof tones] ?? 'neutral'}>{t(`documents.states.${d.status}`)}</Badge> },
    { key: 'kind', header: t('documents.kind'), cell: (d) => t(`documents.kinds.${d.kind}`), secondary: true },
    { key: 'collection', header: t('documents.collection'), cell: (d) => of(d.collection_id)?.name ?? '', secondary: true },
    { key: 'size', header: t('documents.size'), cell: (d) => format.bytes(Number(d.bytes)), numeric: true, secondary: true },
    { key: 'added', header: t('documents.added'), cell: (d) => format.day(d.created_at), secondary: true },
    { key: 'act', header: t('admin.actions'), cell: (d) => mayWrite && of(d.collection_id)?.may_write ? <IconButton size="s" label={t('documents.remove', { name: d.name })} onClick={() => { setRemoves(d); }}><Trash2 size={15} aria-hidden /></IconButton> : null },
  ];
  return (
    <>
      {documents.error ? <ErrorNotice error={documents.error} retry={documents.retry} /> : null}
      {documents.lost ? null : (
        <Table<Document>
          caption={t('documents.list')} rows={documents.rows} rowKey={(d) => d.id} loading={documents.loading} more={documents.more} columns={columns}
          empty={<EmptyState icon={<FileText size={32} />} title={t('documents.none')}>{t('documents.noneText')}</EmptyState>}
        />
      )}
      <ConfirmDialog
        open={removes !== null} onClose={() => { setRemoves(null); }} danger title={t('documents.deleteTitle', { name: removes?.name ?? '' })} description={t('documents.deleteText')} action={t('action.delete')}
        onConfirm={async () => {
          if (!removes) return;
          await api.DELETE('/api/v1/documents/{id}', { params: { path: { id: removes.id } } });
          await Promise.all([cache.invalidateQueries({ queryKey: ['documents'] }), cache.invalidateQueries({ queryKey: ['collections'] })]);
          toast(t('documents.deleted', { name: removes.name }));
        }}
      />
    </>
  );
}
