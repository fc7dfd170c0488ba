// Caches the shell and nothing else: never an answer of the API, never a user's data.
const shell = 'rootmas-shell-v1';

self.addEventListener('install', (event) => {
  event.waitUntil(caches.open(shell).then((cache) => cache.addAll(['/', '/icon.svg', '/manifest.webmanifest'])).then(() => self.skipWaiting()));
});

self.addEventListener('activate', (event) => {
  event.waitUntil(caches.keys().then((keys) => Promise.all(keys.filter((key) => key !== shell).map((key) => caches.delete(key)))).then(() => self.clients.claim()));
});

self.addEventListener('fetch', (event) => {
  const url = new URL(event.request.url);
  if (event.request.method !== 'GET' || url.origin !== self.location.origin) return;
  if (url.pathname.startsWith('/assets/')) {
    // Their names carry a hash of their content: what is cached is what would come.
    event.respondWith(caches.match(event.request).then((hit) => hit ?? fetch(event.request).then((answer) => {
      if (answer.ok) {
        const copy = answer.clone();
        event.waitUntil(caches.open(shell).then((cache) => cache.put(event.request, copy)));
      }
      return answer;
    })));
  } else if (event.request.mode === 'navigate' && !/^\/(api|v1|ws|health|metrics|docs|redoc|openapi)(\/|\.|$)/.test(url.pathname)) {
    // The page itself: fresh if the server answers, else the one that is here, which then says that the server does not.
    event.respondWith(fetch(event.request).catch(() => caches.match('/').then((hit) => hit ?? Response.error())));
  }
});
