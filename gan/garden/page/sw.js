// Keeps the page for a visit without a network, and tells the browser that it may compute on several threads (cross-origin
// isolation). The model and the runtime are put into the cache DATA by the worker, which downloads them.
const OWN = `flowers-page ${registration.scope} `, PAGE = `${OWN}{{ version }}`, DATA = `flowers-data ${registration.scope}`;
const FILES = {{ files }}, MODELS = {{ models }};
const here = (name) => new URL(name, registration.scope).href;

self.addEventListener("install", (event) => event.waitUntil((async () => {
  const cache = await caches.open(PAGE);
  await cache.addAll(FILES.map((name) => new Request(here(name), { cache: "reload" })));
  await self.skipWaiting();
})()));

self.addEventListener("activate", (event) => event.waitUntil((async () => {
  for (const name of await caches.keys()) if (name.startsWith(OWN) && name !== PAGE) await caches.delete(name);
  const data = await caches.open(DATA), wanted = new Set(MODELS.map(here));
  for (const request of await data.keys()) if (!wanted.has(request.url)) await data.delete(request);
  await clients.claim();
})()));

self.addEventListener("fetch", (event) => {
  const url = new URL(event.request.url);
  if (event.request.method !== "GET" || !url.href.startsWith(registration.scope)) return;
  url.search = "";
  const name = url.href === registration.scope ? here("index.html") : url.href;
  if (FILES.map(here).includes(name)) event.respondWith(answer(event.request, name));
});

async function answer(request, name) {
  const found = (await (await caches.open(PAGE)).match(name)) ?? (await fetch(request));
  const headers = new Headers(found.headers);
  headers.set("Cross-Origin-Opener-Policy", "same-origin");
  headers.set("Cross-Origin-Embedder-Policy", "require-corp");
  headers.set("Cross-Origin-Resource-Policy", "same-origin");
  return new Response(found.body, { status: found.status, statusText: found.statusText, headers });
}
