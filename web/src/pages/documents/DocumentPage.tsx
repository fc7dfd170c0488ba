import { useQuery } from '@tanstack/react-query';
import { useTranslation } from 'react-i18next';
import { useParams, useSearchParams } from 'react-router';
import { api, data } from '../../api/client';
import type { Source } from '../../chat/citations';
import { useFormat } from '../../i18n/format';
import { Facts, Loading, Page } from '../../ui/Layout';
import { ReadNotice } from '../../ui/Notice';
import { DocumentText } from './DocumentText';

/** A whole document: what it is, and its text, at the place that the address names. */
export default function DocumentPage() {
  const { t } = useTranslation();
  const format = useFormat();
  const { documentId = '' } = useParams();
  const [query] = useSearchParams();
  const document = useQuery({ queryKey: ['documents', documentId], queryFn: () => data(api.GET('/api/v1/documents/{id}', { params: { path: { id: documentId } } })) });
  if (document.isPending) return <Loading label={t('state.loading')} />;
  if (document.isLoadingError) return <Page title={t('nav.documents')}><ReadNotice of={document} /></Page>;
  const it = document.data;
  const source: Source = { documentId, title: it.name, page: null, excerpt: null, start: place(query.get('start')), end: place(query.get('end')) };
  return (
    <Page title={it.name}>
      <ReadNotice of={document} />
      <Facts items={[
        [t('documents.kind'), t(`documents.kinds.${it.kind}`)], [t('documents.size'), format.bytes(Number(it.bytes))],
        it.pages === null || it.pages === undefined ? null : [t('documents.pages'), format.number(Number(it.pages))], [t('documents.added'), format.moment(it.created_at)],
      ]}
      />
      <DocumentText key={`${documentId} ${query.toString()}`} source={source} label={t('documents.textOf', { title: it.name })} />
    </Page>
  );
}

function place(text: string | null): number | null {
  return text !== null && /^\d{1,9}$/.test(text) ? Number(text) : null;
}
