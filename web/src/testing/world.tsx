import { QueryClient, QueryClientProvider } from '@tanstack/react-query';
import { cleanup, render } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { Tooltip } from 'radix-ui';
import type { ReactNode } from 'react';
import { MemoryRouter } from 'react-router';
import { afterEach, beforeAll, vi } from 'vitest';
import { SessionProvider } from '../app/session';
import { startLanguages } from '../i18n';
import { ToastProvider } from '../ui/Toast';

export interface Answer {
  status?: number;
  body?: unknown;
  etag?: string;
  /** Seconds. */
  retryAfter?: number;
}

/** What the server answers, by `METHOD /path`; a call that is not named is a failure of the test. */
export type Server = Record<string, Answer | ((call: Call) => Answer | Promise<Answer>)>;

export interface Call {
  route: string;
  query: URLSearchParams;
  body: unknown;
  match: string | null;
  /** By which the server knows a request that it has had before. */
  key: string | null;
  signal: AbortSignal;
  /** Whether it goes out although its page is left. */
  keepalive: boolean;
}

export const ada = { id: 'u-ada', username: 'ada', role: 'admin' };
const me = { user: ada, permissions: ['*'], limits: { runs: null, requests: null }, credential: 'cookie', scopes: [] };

/** English, one server for each test, and nothing left behind. */
export function tidyWorld(): void {
  beforeAll(() => startLanguages('en'));
  afterEach(() => {
    cleanup();
    vi.unstubAllGlobals();
  });
}

/** A part of the app as it stands in the app, before a server of one's own; gives who uses it, what the server was asked, and what is kept of its answers. */
export function show(part: ReactNode, server: Server = {}) {
  const calls: Call[] = [];
  vi.stubGlobal('fetch', async (request: Request) => {
    const url = new URL(request.url);
    const text = await request.text();
    const call: Call = { route: `${request.method} ${url.pathname}`, query: url.searchParams, body: text === '' ? undefined : JSON.parse(text) as unknown, match: request.headers.get('if-match'), key: request.headers.get('idempotency-key'), signal: request.signal, keepalive: request.keepalive };
    if (call.route === 'GET /api/v1/auth/me' && !(call.route in server)) return Response.json(me);
    calls.push(call);
    const given = server[call.route];
    if (!given) throw new Error(`The test has no answer to ${call.route}.`);
    const { status = 200, body, etag, retryAfter } = typeof given === 'function' ? await given(call) : given;
    return new Response(body === undefined ? null : JSON.stringify(body), { status, headers: { 'content-type': status < 400 ? 'application/json' : 'application/problem+json', ...(etag && { etag }), ...(retryAfter && { 'retry-after': String(retryAfter) }) } });
  });
  const cache = new QueryClient({ defaultOptions: { queries: { retry: false } } });
  render(
    <QueryClientProvider client={cache}>
      <Tooltip.Provider>
        <ToastProvider>
          <MemoryRouter><SessionProvider otherwise={(state) => <p>{state.kind}</p>}>{part}</SessionProvider></MemoryRouter>
        </ToastProvider>
      </Tooltip.Provider>
    </QueryClientProvider>,
  );
  return { user: userEvent.setup(), calls, cache, made: (route: string) => calls.filter((c) => c.route === route) };
}
