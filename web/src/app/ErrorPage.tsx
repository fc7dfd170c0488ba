import { useTranslation } from 'react-i18next';
import { isRouteErrorResponse, Link, useRouteError } from 'react-router';
import { ErrorNotice } from '../ui/Notice';
import { EmptyState, Page } from '../ui/Layout';
import { Button } from '../ui/Button';

/** As Chromium and Firefox, Safari, and Vite say it of a style. */
const missingPart = /dynamically imported module|importing a module script failed|unable to preload css/i;

/** Something broke while a page was made, or there is no such page. */
export function ErrorPage() {
  const { t } = useTranslation();
  const error = useRouteError();
  if (isRouteErrorResponse(error) && error.status === 404) return <NotFoundPage />;
  // After an upgrade the old page asks for parts that are no longer there: the new page has them.
  const isOldPage = error instanceof Error && missingPart.test(error.message);
  return (
    <Page title={t(isOldPage ? 'error.upgraded' : 'error.pageTitle')}>
      {isOldPage ? <p>{t('error.upgradedText')}</p> : <ErrorNotice error={error} />}
      <div><Button kind="primary" onClick={() => { location.reload(); }}>{t('action.reload')}</Button></div>
    </Page>
  );
}

export function NotFoundPage() {
  const { t } = useTranslation();
  return <Page title={t('error.notFound')}><EmptyState title={t('error.notFoundTitle')} action={<Link to="/">{t('error.home')}</Link>}>{t('error.notFoundText')}</EmptyState></Page>;
}
