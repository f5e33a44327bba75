/**
 * The page's own worker: it keeps the page's files for times without a network, and nothing else, ever: no token, no answer of a
 * room, nothing of who is there. With a network the network is asked, so that nobody works with a page of yesterday.
 *
 * The host writes VERSION and SHELL above: another version is another worker, with files of its own.
 */

/** @type {any} no types of workers: they cannot be had beside those of pages */
const scope = self;
const OURS = "kontor-";
const STORE = `${OURS}${VERSION}`;
/** Milliseconds after which a network that says nothing counts as none. */
const PATIENCE = 4000;
/** What a proxy says whose host is away. */
const AWAY = [502, 503, 504];
/** Addresses at which the host gives the page itself: the overview, a room, a device. */
const PAGE = /^\/(?:[^/]*|devices\/[^/]+)$/;

scope.addEventListener("install", (/** @type {any} */ event) => event.waitUntil(keep()));
scope.addEventListener("activate", (/** @type {any} */ event) => event.waitUntil(takeOver()));
scope.addEventListener("fetch", (/** @type {any} */ event) => serve(event));
scope.addEventListener("notificationclick", (/** @type {any} */ event) => event.waitUntil(show(event.notification)));

/** All files of this version or none: a page put together from two would not work. */
async function keep() {
	const store = await caches.open(STORE);
	await store.addAll(SHELL.map((path) => new Request(path, { cache: "no-cache" })));
	await scope.skipWaiting();
}

async function takeOver() {
	const others = (await caches.keys()).filter((name) => name.startsWith(OURS) && name !== STORE);
	await Promise.all(others.map((name) => caches.delete(name)));
	await scope.registration.navigationPreload?.enable();
	await scope.clients.claim();
}

/** @param {any} event */
function serve(event) {
	const { request } = event;
	const { origin, pathname } = new URL(request.url);
	if (request.method !== "GET" || origin !== location.origin) return;
	if (request.mode === "navigate" && PAGE.test(pathname)) event.respondWith(answer(event, "/"));
	else if (SHELL.includes(pathname)) event.respondWith(answer(event, pathname));
}

/** Of the network, or without one what was kept. @param {any} event @param {string} path @returns {Promise<Response>} */
async function answer(event, path) {
	const network = fromNetwork(event);
	const late = new Promise((resolve) => setTimeout(resolve, PATIENCE));
	const response = await Promise.race([network, late]).catch(() => null);
	if (response && !AWAY.includes(response.status)) return response;
	const kept = await caches.match(path, { cacheName: STORE });
	return kept ?? network;
}

/** @param {any} event @returns {Promise<any>} */
async function fromNetwork(event) {
	return (await event.preloadResponse) ?? fetch(event.request);
}

/** Somebody pressed on a notification: to the room that it is of, in the page that was looked at last. @param {any} notification */
async function show(notification) {
	notification.close();
	const path = notification.data?.path ?? "/";
	const [page] = await scope.clients.matchAll({ type: "window", includeUncontrolled: true });
	page?.postMessage({ path }, []); // it goes there by itself: nobody is taken out of a room
	await (page ? page.focus() : scope.clients.openWindow(path));
}
