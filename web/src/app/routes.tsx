import { lazy } from 'react';
import { createBrowserRouter } from 'react-router';
import { ErrorPage, NotFoundPage } from './ErrorPage';
import { Shell } from './Shell';

const Chat = lazy(() => import('../pages/chat/ChatPage'));
const Runs = lazy(() => import('../pages/runs/RunsPage'));
const Run = lazy(() => import('../pages/runs/RunPage'));
const Team = lazy(() => import('../pages/team/TeamPage'));
const Agent = lazy(() => import('../pages/team/AgentPage'));
const Approvals = lazy(() => import('../pages/approvals/ApprovalsPage'));
const Dashboard = lazy(() => import('../pages/dashboard/DashboardPage'));
const Admin = lazy(() => import('../pages/admin/AdminPage'));
const Profile = lazy(() => import('../pages/profile/ProfilePage'));

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
          { path: 'approvals', element: <Approvals /> },
          { path: 'dashboard', element: <Dashboard /> },
          { path: 'admin/:section?', element: <Admin /> },
          { path: 'profile', element: <Profile /> },
          { path: '*', element: <NotFoundPage /> },
        ],
      },
    ],
  },
]);
