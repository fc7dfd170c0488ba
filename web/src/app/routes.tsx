import { lazy } from 'react';
import { createBrowserRouter } from 'react-router';
import { ErrorPage, NotFoundPage } from './ErrorPage';
import { loadPart } from './parts';
import { Shell } from './Shell';

const chat = () => import('../pages/chat/ChatPage');
const Chat = lazy(() => loadPart(chat));
const Runs = lazy(() => loadPart(() => import('../pages/runs/RunsPage')));
const Run = lazy(() => loadPart(() => import('../pages/runs/RunPage')));
const Team = lazy(() => loadPart(() => import('../pages/team/TeamPage')));
const Agent = lazy(() => loadPart(() => import('../pages/team/AgentPage')));
const TeamDetail = lazy(() => loadPart(() => import('../pages/team/TeamDetailPage')));
const Documents = lazy(() => loadPart(() => import('../pages/documents/DocumentsPage')));
const Document = lazy(() => loadPart(() => import('../pages/documents/DocumentPage')));
const Approvals = lazy(() => loadPart(() => import('../pages/approvals/ApprovalsPage')));
const Dashboard = lazy(() => loadPart(() => import('../pages/dashboard/DashboardPage')));
const Admin = lazy(() => loadPart(() => import('../pages/admin/AdminPage')));
const Profile = lazy(() => loadPart(() => import('../pages/profile/ProfilePage')));
const Memory = lazy(() => loadPart(() => import('../pages/profile/memory/MemoryPage')));

// Most come to talk: while it is asked who they are, the page that they will see is on its way. Should that fail, it is asked for again when it is needed.
if (/^\/(c\/.*)?$/.test(location.pathname)) chat().catch(() => undefined);
if (location.pathname.startsWith('/c/')) import('../pages/chat/Turns').catch(() => undefined);

/** Every page, each loaded when somebody goes there. */
export const router = createBrowserRouter([
  {
    element: <Shell />,
    errorElement: <ErrorPage />,
    children: [
      {
        errorElement: <ErrorPage />,
        children: [
          { index: true, element: <Chat /> },
          { path: 'c/:conversationId', element: <Chat /> },
          { path: 'runs', element: <Runs /> },
          { path: 'runs/:runId', element: <Run /> },
          { path: 'team', element: <Team /> },
          { path: 'team/agents/:name', element: <Agent /> },
          { path: 'team/teams/:name', element: <TeamDetail /> },
          { path: 'documents', element: <Documents /> },
          { path: 'documents/:documentId', element: <Document /> },
          { path: 'approvals', element: <Approvals /> },
          { path: 'dashboard', element: <Dashboard /> },
          { path: 'admin/:section?', element: <Admin /> },
          { path: 'profile', element: <Profile /> },
          { path: 'profile/memory', element: <Memory /> },
          { path: '*', element: <NotFoundPage /> },
        ],
      },
    ],
  },
]);
