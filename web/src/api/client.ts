import createClient from 'openapi-fetch';
import { newId } from '../app/ids';
import type { paths } from './schema';
import { Problem } from './problem';

type Listener = () => void;
const ended = new Set<Listener>();

/** Called when the server no longer knows the session. What is on the screen stays; signing in again goes on from there. */
export function onSessionEnded(listener: Listener): () => void {
  ended.add(listener);
  return () => ended.delete(listener);
}

/** Said by whoever asked the server and was told that it does not know the session. */
export function sessionEnded(): void {
  ended.forEach((listener) => listener());
}

/** `fetch` as every call uses it: the session cookie, the header that proves that this page sent it, and failures as {@link Problem}. */
export async function send(input: RequestInfo | URL, init?: RequestInit): Promise<Response> {
  const request = new Request(input, { credentials: 'same-origin', cache: 'no-store', ...init });
  request.headers.set('X-RootMas-Csrf', '1');
  let response: Response;
  try {
    response = await fetch(request);
  } catch (error) {
    if (error instanceof DOMException && error.name === 'AbortError') throw error;
    throw Problem.unreachable(error);
  }
  if (response.status === 401 && !request.url.includes('/auth/login')) sessionEnded();
  if (!response.ok) throw await Problem.of(response);
  return response;
}

/** The typed client of the whole API. Every call either has `data` or throws a {@link Problem}. */
export const api = createClient<paths>({ fetch: (request: Request) => send(request) });

/** A key for a request that must not act twice when it is sent again. */
export function idempotencyKey(): string {
  return newId();
}

/** The data of a successful call; for calls whose success has none, `undefined`. */
export async function data<T>(call: Promise<{ data?: T }>): Promise<T> {
  return (await call).data as T;
}

/** The data together with its ETag, for resources that are changed with `If-Match`. */
export async function versioned<T>(call: Promise<{ data?: T; response: Response }>): Promise<{ value: T; etag: string }> {
  const { data: value, response } = await call;
  return { value: value as T, etag: response.headers.get('etag') ?? '' };
}
