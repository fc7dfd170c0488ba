import { readFileSync } from 'node:fs';
import path from 'node:path';
import { runInNewContext } from 'node:vm';
import { expect, it, vi } from 'vitest';

const source = readFileSync(path.resolve(import.meta.dirname, '../../public/sw.js'), 'utf8');
const origin = 'https://mas.example.org';

interface Click {
  notification: { data: unknown; close: () => void };
  waitUntil: (work: Promise<unknown>) => void;
}

/** The worker as a browser runs it, with these windows open; clicks on a notification with these data. */
async function clicked(data: unknown, ...open: string[]) {
  const handlers = new Map<string, (event: Click) => void>();
  const windows = open.map((url) => ({ url, focus: vi.fn(() => Promise.resolve()) }));
  const openWindow = vi.fn<(url: string) => Promise<null>>(() => Promise.resolve(null));
  const matchAll = vi.fn<(options: object) => Promise<typeof windows>>(() => Promise.resolve(windows));
  const self = { location: new URL(`${origin}/sw.js`), addEventListener: (name: string, handler: (event: Click) => void) => handlers.set(name, handler), clients: { matchAll, openWindow } };
  runInNewContext(source, { self, caches: {}, fetch: () => Promise.reject(new Error('nothing is fetched')), Request, URL });
  const close = vi.fn();
  const work: Promise<unknown>[] = [];
  handlers.get('notificationclick')?.({ notification: { data, close }, waitUntil: (promise) => { work.push(promise); } });
  await Promise.all(work);
  expect(work).toHaveLength(1); // else the browser may end the worker before a window is there
  expect(close).toHaveBeenCalledOnce();
  expect(matchAll).toHaveBeenCalledWith({ type: 'window', includeUncontrolled: true });
  return { opened: openWindow.mock.calls.map(([url]) => new URL(url, origin).href), focused: windows.filter((w) => w.focus.mock.calls.length > 0).map((w) => w.url) };
}

/** What the worker answers to a request; `kept`: what it has. */
async function asked(path: string, kept: readonly string[], answer: () => Promise<Response>) {
  const handlers = new Map<string, (event: { request: { url: string; method: string; mode: string }; respondWith: (answer: Promise<Response>) => void }) => void>();
  const caches = { match: ({ url }: { url: string }) => Promise.resolve(kept.includes(new URL(url).pathname) ? new Response('kept') : undefined) };
  runInNewContext(source, { self: { location: new URL(`${origin}/sw.js`), addEventListener: handlers.set.bind(handlers) }, caches, fetch: answer, Request: class { url = `${origin}/`; }, Response, URL });
  const given: Promise<Response>[] = [];
  handlers.get('fetch')?.({ request: { url: origin + path, method: 'GET', mode: 'no-cors' }, respondWith: (promise) => { given.push(promise); } });
  return given[0] && (await given[0]).text();
}

it.each(['/icon.svg', '/manifest.webmanifest'])('gives %s that it has kept where the server does not answer, and else the server’s', async (path) => {
  expect(await asked(path, [path], () => Promise.reject(new TypeError('Failed to fetch')))).toBe('kept');
  expect(await asked(path, [path], () => Promise.resolve(new Response('new')))).toBe('new');
  expect(await asked('/api/v1/auth/me', [path], () => Promise.reject(new TypeError('Failed to fetch')))).toBeUndefined();
});

it('brings the window to the front that shows what the notification is about', async () => {
  expect(await clicked({ path: '/c/7' }, `${origin}/`, `${origin}/c/7#m-3`, `${origin}/c/7`)).toEqual({ opened: [], focused: [`${origin}/c/7#m-3`] });
});

it('opens a window where none shows it, and leaves the others as they are', async () => {
  expect(await clicked({ path: '/runs/r1' })).toEqual({ opened: [`${origin}/runs/r1`], focused: [] });
  expect(await clicked({ path: '/runs/r1' }, `${origin}/`, `${origin}/c/7`)).toEqual({ opened: [`${origin}/runs/r1`], focused: [] });
});

it('comes to the first page where the notification names none', async () => {
  expect(await clicked(null)).toEqual({ opened: [`${origin}/`], focused: [] });
  expect(await clicked({}, `${origin}/`)).toEqual({ opened: [], focused: [`${origin}/`] });
});

it.each(['https://elsewhere.example.org/c/7', '//elsewhere.example.org/c/7', '\\\\elsewhere.example.org\\c\\7', 'javascript:alert(1)', 'data:text/html,x'])('never leads to another place: %s', async (named) => {
  expect(await clicked({ path: named }, `${origin}/c/7`)).toEqual({ opened: [`${origin}/`], focused: [] });
});
