import { useQuery } from '@tanstack/react-query';
import { Search } from 'lucide-react';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { Link } from 'react-router';
import { api, data } from '../../api/client';
import { Button } from '../../ui/Button';
import { TextField } from '../../ui/Field';
import { Card, EmptyState, Loading } from '../../ui/Layout';
import { ReadNotice } from '../../ui/Notice';
import styles from './DocumentsPage.module.css';

/** A search in the documents, as agents search: each passage leads to its place. '' as collection: in all. */
export function KnowledgeSearch({ collection }: { collection: string }) {
  const { t } = useTranslation();
  const [text, setText] = useState('');
  const [asked, setAsked] = useState('');
  const found = useQuery({
    queryKey: ['documents', 'search', asked, collection], enabled: asked !== '',
    queryFn: () => data(api.POST('/api/v1/knowledge/search', { body: { query: asked, limit: 10, ...(collection && { collections: [collection] }) } })),
  });
  return (
    <Card>
      <form className={styles.search} role="search" onSubmit={(e) => { e.preventDefault(); setAsked(text.trim()); }}>
        <TextField label={t('documents.search')} type="search" maxLength={1000} value={text} onChange={(e) => { setText(e.target.value); if (e.target.value === '') setAsked(''); }} />
        <Button type="submit" icon={<Search size={16} aria-hidden />}>{t('documents.searchGo')}</Button>
      </form>
      {asked === '' ? null : <ReadNotice of={found} />}
      {asked === '' || found.isLoadingError ? null : found.isPending ? <Loading label={t('state.loading')} />
        : found.data.items.length === 0 ? <EmptyState title={t('documents.nothing')}>{t('documents.nothingText')}</EmptyState> : (
          <ol className={styles.passages} aria-label={t('documents.found')}>
            {found.data.items.map((p) => (
              <li key={p.citation_id}>
                <Link to={`/documents/${p.document_id}?start=${Number(p.start)}&end=${Number(p.end)}`}>{p.title}</Link>
                <span className={styles.where}>{p.heading ? ` ${p.heading}` : ''}{p.page ? ` ${t('chat.page', { page: p.page })}` : ''}</span>
                <blockquote>{p.text}</blockquote>
              </li>
            ))}
          </ol>
        )}
    </Card>
  );
}
