/* Keeps the desk's pages that were looked at, for when there is no network, and sends findings when there is one. */
importScripts("/desk/outbox.js");

const KEPT = "tidewaiter-desk-1";
const MOST_CASES = 50;
const FILES = ["site.css", "desk.css", "desk.js", "outbox.js", "htmx.min.js", "icon.svg"].map((name) => `/desk/${name}`);

self.addEventListener("install", (event) => {
  event.waitUntil(caches.open(KEPT).then((kept) => kept.addAll(FILES)).then(() => self.skipWaiting()));
});

self.addEventListener("activate", (event) => event.waitUntil(self.clients.claim()));

const isPage = (request) => request.mode === "navigate";

async function forget(kept) {
  const cases = (await kept.keys()).filter((request) => new URL(request.url).pathname.startsWith("/desk/cases/"));
  for (const request of cases.slice(0, -MOST_CASES)) await kept.delete(request);
}

async function fetched(request) {
  const kept = await caches.open(KEPT);
  try {
    const answer = await fetch(request);
    const address = new URL(request.url);
    if (answer.ok && !answer.redirected && !address.search) {
      await kept.delete(request); // so that the latest is the last of the list
      await kept.put(request, answer.clone());
      if (isPage(request)) await forget(kept);
    }
    return answer;
  } catch (error) {
    const known = await kept.match(request, { ignoreSearch: true });
    if (known) return known;
    throw error;
  }
}

self.addEventListener("fetch", (event) => {
  const address = new URL(event.request.url);
  const isOurs = address.origin === self.location.origin && address.pathname.startsWith("/desk");
  const isFile = FILES.includes(address.pathname);
  if (event.request.method === "GET" && isOurs && (isPage(event.request) || isFile)) {
    event.respondWith(fetched(event.request));
  }
});

self.addEventListener("sync", (event) => {
  if (event.tag === "findings") event.waitUntil(self.outbox.flush());
});
