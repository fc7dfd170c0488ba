// Caches the shell and nothing else: never an answer of the API, never a user's data.
const shell = 'rootmas-shell-v3';
// Whoever does not ask for a page gets the server's name and links at this address.
const pageRequest = new Request('/', { headers: { accept: 'text/html' } });

/** What a page shows besides its parts. */
const shown = ['/icon.svg', '/manifest.webmanifest'];

/** The page that was kept; a navigation asks for more than was asked for when it was kept, so that Vary would never let it match. */
const keptPage = () => caches.match(pageRequest, { ignoreVary: true });

/** The texts of each language that a page names, by language. */
const textsIn = (html) => new Map((/<meta name="texts" content="([^"]*)"/.exec(html)?.[1] ?? '').split(' ').filter(Boolean).map((path) => [languageOf(path), path]));
const languageOf = (path) => /^\/assets\/(\w+)-/.exec(path)?.[1];

/** Keeps a page with the parts that it names, and the texts of those languages that were in use here; those of the version before it go. */
async function keep(page) {
  const cache = await caches.open(shell);
  const before = await cache.match(pageRequest, { ignoreVary: true }); // one of another version goes with its cache
  if (before && before.headers.get('etag') === page.headers.get('etag')) return;
  const html = await page.clone().text();
  const [texts, old] = [textsIn(html), textsIn(await (before ?? await keptPage())?.clone().text() ?? '')];
  const spoken = [];
  for (const [language, path] of texts) {
    for (const known of [path, old.get(language)]) if (known && !spoken.includes(path) && await caches.match(known)) spoken.push(path);
  }
  const parts = [...[...html.matchAll(/"(\/assets\/[^" ]+)"/g)].map((found) => found[1]), ...spoken];
  // The page before goes when this one is whole: the network may go in between.
  await cache.addAll(parts);
  await cache.put(pageRequest, page);
  for (const kept of await cache.keys()) {
    const { pathname } = new URL(kept.url);
    if (pathname.startsWith('/assets/') && !parts.includes(pathname) && ![...texts.values()].includes(pathname)) await cache.delete(kept);
  }
}

self.addEventListener('install', (event) => {
  event.waitUntil(fetch(pageRequest).then(keep).then(() => caches.open(shell)).then((cache) => cache.addAll(shown)).then(() => self.skipWaiting()));
});

self.addEventListener('activate', (event) => {
  event.waitUntil(caches.keys().then((keys) => Promise.all(keys.filter((key) => key !== shell).map((key) => caches.delete(key)))).then(() => self.clients.claim()));
});

self.addEventListener('fetch', (event) => {
  const url = new URL(event.request.url);
  if (event.request.method !== 'GET' || url.origin !== self.location.origin) return;
  if (url.pathname.startsWith('/assets/')) {
    // Their names carry a hash of their content: what is cached is what would come.
    event.respondWith(caches.match(event.request, { ignoreVary: true }).then((hit) => hit ?? fetch(event.request).then((answer) => {
      if (answer.ok) {
        const copy = answer.clone();
        event.waitUntil(caches.open(shell).then((cache) => cache.put(event.request, copy)));
      }
      return answer;
    })));
  } else if (shown.includes(url.pathname)) {
    event.respondWith(fetch(event.request).catch(() => caches.match(event.request, { ignoreVary: true }).then((hit) => hit ?? Response.error())));
  } else if (event.request.mode === 'navigate' && !/^\/(api|v1|ws|health|metrics|docs|redoc|openapi)(\/|\.|$)/.test(url.pathname)) {
    // The page itself: fresh if the server answers, else the one that is here, which then says that the server does not.
    event.respondWith(fetch(event.request).then((answer) => {
      if (answer.ok && answer.headers.get('content-type')?.startsWith('text/html')) event.waitUntil(keep(answer.clone()));
      return answer;
    }, () => keptPage().then((hit) => hit ?? Response.error())));
  }
});

// Whoever clicks on a notification comes to the page that it is about: to the window that shows it, else to a new one, so that nothing that is being written elsewhere is lost.
self.addEventListener('notificationclick', (event) => {
  event.notification.close();
  const { origin } = self.location;
  const named = new URL(event.notification.data?.path ?? '/', origin);
  const wanted = named.origin === origin ? named.pathname : '/';
  event.waitUntil(self.clients.matchAll({ type: 'window', includeUncontrolled: true }).then((pages) => {
    const there = pages.find((page) => new URL(page.url).pathname === wanted);
    return there ? there.focus() : self.clients.openWindow(wanted);
  }));
});
