import { useTranslation } from 'react-i18next';
import { EmptyState, Page } from '../ui/Layout';

/** In place of a page that the reader's role does not reach: it is not asked for, to be refused. */
export function NotForYou({ title }: { title: string }) {
  const { t } = useTranslation();
  return <Page title={title}><EmptyState title={t('error.notForYou')}>{t('admin.notAllowedText')}</EmptyState></Page>;
}
