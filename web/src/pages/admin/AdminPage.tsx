import { loadPart } from '../../app/parts';
import { lazy, Suspense, useEffect, useRef, type ComponentType, type LazyExoticComponent } from 'react';
import { useTranslation } from 'react-i18next';
import { Navigate, NavLink, useParams } from 'react-router';
import { sectionsFor, type AdminSection } from '../../app/adminSections';
import { NotFoundPage } from '../../app/ErrorPage';
import { useSession } from '../../app/session';
import { EmptyState, Loading, Page } from '../../ui/Layout';
import styles from './AdminPage.module.css';

const parts: Record<AdminSection, LazyExoticComponent<ComponentType>> = {
  users: lazy(() => loadPart(() => import('./users/UsersSection'))),
  roles: lazy(() => loadPart(() => import('./RolesSection'))),
  models: lazy(() => loadPart(() => import('./models/ModelsSection'))),
  settings: lazy(() => loadPart(() => import('./SettingsSection'))),
  secrets: lazy(() => loadPart(() => import('./SecretsSection'))),
  keys: lazy(() => loadPart(() => import('./KeysSection'))),
  audit: lazy(() => loadPart(() => import('./AuditSection'))),
  backups: lazy(() => loadPart(() => import('./BackupsSection'))),
  queue: lazy(() => loadPart(() => import('./QueueSection'))),
  logs: lazy(() => loadPart(() => import('./LogsSection'))),
};

/** What administrators look after, each part under an address of its own and fetched when somebody goes there. */
export default function AdminPage() {
  const { t } = useTranslation();
  const { can } = useSession();
  const { section } = useParams();
  const seen = sectionsFor(can);
  const nav = useRef<HTMLElement>(null);
  // Where the parts stand in one row, the present one is in view.
  useEffect(() => { nav.current?.querySelector('[aria-current=page]')?.scrollIntoView({ block: 'nearest', inline: 'center' }); }, [section]);
  const first = seen[0];
  if (first === undefined) return <Page title={t('nav.admin')}><EmptyState title={t('admin.notAllowed')}>{t('admin.notAllowedText')}</EmptyState></Page>;
  if (section === undefined) return <Navigate to={`/admin/${first}`} replace />;
  const current = seen.find((s) => s === section);
  if (current === undefined) return <NotFoundPage />;
  const Part = parts[current];
  return (
    <Page title={t('nav.admin')} tab={`${t(`admin.section.${current}`)} – ${t('nav.admin')}`} wide>
      <div className={styles.frame}>
        <nav ref={nav} aria-label={t('admin.sections')} className={styles.nav}>
          <ul>{seen.map((id) => <li key={id}><NavLink to={`/admin/${id}`} className={({ isActive }) => `${styles.link} ${isActive ? styles.active : ''}`}>{t(`admin.section.${id}`)}</NavLink></li>)}</ul>
        </nav>
        <Suspense fallback={<Loading label={t('state.loading')} />}><Part key={current} /></Suspense>
      </div>
    </Page>
  );
}
