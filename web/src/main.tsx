import { QueryClientProvider } from '@tanstack/react-query';
import { Tooltip } from 'radix-ui';
import { lazy, StrictMode, Suspense } from 'react';
import { createRoot } from 'react-dom/client';
import { useTranslation } from 'react-i18next';
import { RouterProvider } from 'react-router';
import { Problem } from './api/problem';
import { loadPart } from './app/parts';
import { Boundary } from './app/Broken';
import { router } from './app/routes';
import { SessionProvider } from './app/session';
import { SharedCache } from './app/sharedCache';
import { NoAnswerPage, SignInPage } from './app/SignIn';
import { applyTheme } from './app/theme';
import { sayWithoutTexts } from './app/withoutTexts';
import { askWorkerForTexts, startLanguages } from './i18n';
import { Loading } from './ui/Layout';
import { ToastProvider } from './ui/Toast';
import './ui/tokens.css';
import './ui/base.css';

applyTheme();
const hasTexts = await startLanguages().then(() => true, () => false);

const cache = new SharedCache({
  defaultOptions: {
    queries: {
      staleTime: 5_000,
      // Without a network a page says that the server does not answer, as with a network that leads nowhere; it asks again when the network is back.
      networkMode: 'always',
      refetchOnReconnect: true,
      // What the server refused stays refused; only a server that does not answer is asked again.
      retry: (count, error) => error instanceof Problem && error.isUnreachable && count < 3,
    },
    mutations: { networkMode: 'always' },
  },
});

/** Seen once in the life of an installation. */
const SetupPage = lazy(() => loadPart(async () => ({ default: (await import('./app/Setup')).SetupPage })));

function App() {
  const { t } = useTranslation();
  return (
    <SessionProvider otherwise={(state, signedIn) => {
      switch (state.kind) {
        case 'loading': return <Loading label={t('state.loading')} />;
        case 'out': return state.setup ? <Suspense fallback={<Loading label={t('state.loading')} />}><SetupPage onDone={signedIn} /></Suspense> : <SignInPage onDone={signedIn} />;
        case 'failed': return <NoAnswerPage error={state.error} retry={state.retry} />;
      }
    }}
    >
      <RouterProvider router={router} />
    </SessionProvider>
  );
}

const root = document.getElementById('root');
if (root && !hasTexts) sayWithoutTexts(root);
else if (root) {
  createRoot(root).render(
    <StrictMode>
      <Boundary>
        <QueryClientProvider client={cache}>
          <Tooltip.Provider>
            <ToastProvider><App /></ToastProvider>
          </Tooltip.Provider>
        </QueryClientProvider>
      </Boundary>
    </StrictMode>,
  );
}

if ('serviceWorker' in navigator && import.meta.env.PROD) {
  void navigator.serviceWorker.register('/sw.js');
  // At the first visit it comes after the texts; at a later one they went through its hands.
  if (!navigator.serviceWorker.controller) navigator.serviceWorker.addEventListener('controllerchange', askWorkerForTexts, { once: true });
}
