import { Bot, ChartColumn, FileText, Inbox, Menu as MenuIcon, MessagesSquare, Search, Settings, UserRound, Waypoints, X } from 'lucide-react';
import { Suspense, useEffect, useRef, useState, type ReactNode } from 'react';
import { useTranslation } from 'react-i18next';
import { NavLink, Outlet, useLocation } from 'react-router';
import { useApprovalCount, useApprovalNotices } from './approvals';
import { AsksBack } from './AsksBack';
import { useRunNotices } from './runNotices';
import { useIsWaiting } from './parts';
import { useSession } from './session';
import { SignInAgain } from './SignIn';
import { CommandPalette } from './CommandPalette';
import { Shortcuts } from './Shortcuts';
import { showPalette } from './shortcuts';
import { useTells } from './windows';
import { useCover } from '../ui/cover';
import { inDialog } from '../ui/focus';
import { IconButton } from '../ui/Button';
import { Loading } from '../ui/Layout';
import { Notice } from '../ui/Notice';
import styles from './Shell.module.css';

interface Entry {
  to: string;
  label: string;
  icon: ReactNode;
  permission?: string;
  badge?: { count: number; more: boolean };
}

export function useNavigation(): Entry[] {
  const { t } = useTranslation();
  const { can } = useSession();
  const waiting = useApprovalCount();
  const entries: Entry[] = [
    { to: '/', label: t('nav.chat'), icon: <MessagesSquare size={18} aria-hidden />, permission: 'chat:read' },
    { to: '/runs', label: t('nav.runs'), icon: <Waypoints size={18} aria-hidden />, permission: 'chat:read' },
    { to: '/team', label: t('nav.team'), icon: <Bot size={18} aria-hidden />, permission: 'agents:read' },
    { to: '/documents', label: t('nav.documents'), icon: <FileText size={18} aria-hidden />, permission: 'knowledge:read' },
    { to: '/approvals', label: t('nav.approvals'), icon: <Inbox size={18} aria-hidden />, permission: 'approvals:decide', badge: waiting },
    { to: '/dashboard', label: t('nav.dashboard'), icon: <ChartColumn size={18} aria-hidden />, permission: 'metrics:read' },
    { to: '/admin', label: t('nav.admin'), icon: <Settings size={18} aria-hidden />, permission: 'users:read' },
    { to: '/profile', label: t('nav.profile'), icon: <UserRound size={18} aria-hidden /> },
  ];
  return entries.filter((e) => !e.permission || can(e.permission));
}

/**
 * A new page begins at its title, for eyes and for screen readers, unless it has something better to begin with. Stands beside the page, so that it acts when the page is there and not while it is loaded.
 */
function Arrival({ page }: { page: string }) {
  useEffect(() => {
    const main = document.getElementById('main');
    const at = document.activeElement;
    if (main && !inDialog() && (at === main || !main.contains(at))) main.querySelector<HTMLElement>('[data-page-title]')?.focus({ preventScroll: true });
  }, [page]);
  return null;
}

/** The frame around every page: where one can go, who one is, and what has to be said whatever page it is. */
export function Shell() {
  const { t } = useTranslation();
  const { user, ended, signedInAgain, signOut } = useSession();
  const entries = useNavigation();
  const waits = useIsWaiting();
  const tells = useTells();
  useApprovalNotices(tells);
  useRunNotices(tells);
  const [open, setOpen] = useState(false);
  const opener = useRef<HTMLButtonElement>(null);
  const covers = useCover(open, '(max-width: 860px)', () => { setOpen(false); }, opener);
  const location = useLocation();
  const page = location.pathname.split('/')[1] ?? '';

  return (
    <div className={styles.shell}>
      <a className="skip" href="#main" onClick={() => { setOpen(false); }}>{t('nav.skip')}</a>
      <header className={styles.bar}>
        <IconButton ref={opener} label={open ? t('nav.closeMenu') : t('nav.openMenu')} aria-expanded={open} aria-controls="navigation" onClick={() => { setOpen(!open); }}>
          {open ? <X size={20} aria-hidden /> : <MenuIcon size={20} aria-hidden />}
        </IconButton>
        <span className={styles.brand}>Root-MAS</span>
      </header>
      <nav id="navigation" className={styles.nav} data-open={open || undefined} aria-label={t('nav.label')}>
        <div className={styles.logo}><img src="/icon.svg" width={24} height={24} alt="" /><span>Root-MAS</span></div>
        <button type="button" className={`${styles.link} ${styles.search}`} title={t('nav.search')} onClick={() => { setOpen(false); showPalette(); }}><Search size={18} aria-hidden /><span>{t('nav.search')}</span></button>
        <ul>
          {entries.map((e) => (
            <li key={e.to}>
              <NavLink to={e.to} end={false} className={({ isActive }) => `${styles.link} ${isActive || (e.to === '/' && page === 'c') ? styles.active : ''}`} title={e.label} onClick={() => { setOpen(false); }}>
                {e.icon}
                <span>{e.label}</span>
                {e.badge?.count ? <span className={styles.count} aria-label={t(e.badge.more ? 'nav.waitingMore' : 'nav.waiting', { count: e.badge.count })}>{e.badge.count}{e.badge.more ? '+' : ''}</span> : null}
              </NavLink>
            </li>
          ))}
        </ul>
        <div dir="auto" className={styles.who}>{user.username}</div>
      </nav>
      <main id="main" className={styles.main} tabIndex={-1} inert={covers}>
        {waits ? <div className={styles.waits}><Notice tone="warning" title={t('error.unreachable')}>{t('error.unreachableHint')}</Notice></div> : null}
        <Suspense fallback={<Loading label={t('state.loading')} />}><Outlet /><Arrival page={page === 'c' || page === '' ? '' : page === 'admin' ? page : location.pathname} /></Suspense>
      </main>
      <CommandPalette />
      <Shortcuts />
      <AsksBack />
      <SignInAgain open={ended} username={user.username} onDone={signedInAgain} onLeave={() => void signOut()} />
    </div>
  );
}
