import { Component, type ReactNode } from 'react';
import { useTranslation } from 'react-i18next';
import { Button } from '../ui/Button';
import { ErrorNotice } from '../ui/Notice';
import { Gate } from './SignIn';

/** What breaks outside the pages (signing in, the session, messages above all) leaves a page that says so, never a white one. Pages have {@link ErrorPage}. */
export class Boundary extends Component<{ children: ReactNode }, { error: unknown }> {
  override state: { error: unknown } = { error: null };

  static getDerivedStateFromError(error: unknown): { error: unknown } {
    return { error: error ?? new Error('null') };
  }

  override render(): ReactNode {
    return this.state.error === null ? this.props.children : <BrokenPage error={this.state.error} />;
  }
}

function BrokenPage({ error }: { error: unknown }) {
  const { t } = useTranslation();
  return (
    <Gate title={t('error.pageTitle')} intro={t('error.pageText')}>
      <ErrorNotice error={error} />
      <Button kind="primary" onClick={() => { location.reload(); }}>{t('action.reload')}</Button>
    </Gate>
  );
}
