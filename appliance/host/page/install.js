/** The page as an installed one: its worker, which keeps its files, and links that are opened in a window that is there already. */

import { claims, readAddress } from "./address.js";

/** @param {House} house */
export function start(house) {
	const { launchQueue } = /** @type {any} */ (window);
	launchQueue?.setConsumer((/** @type {{targetURL?: string}} */ launch) => launch.targetURL && follow(house, new URL(launch.targetURL)));
	// Refused where the certificate is not trusted, and in some private windows: the page works without it.
	navigator.serviceWorker?.register("/worker.js", { updateViaCache: "none" }).catch(() => {});
}

/**
 * A link was opened, and the system gave it to this window. Nobody is taken out of a room by that: while in one, the other is only
 * looked at.
 * @param {House} house @param {URL} link
 */
function follow(house, link) {
	const { room, tokens } = readAddress(link);
	const known = new Set(house.feeds.list.map((feed) => feed.token));
	const news = tokens.filter((token) => !known.has(token));
	if (news.length && !house.stay) return location.assign(link); // as if it had been opened here
	for (const token of news) house.feeds.get(String(claims(token).room ?? room), token);
	if (room) house.go(`/${encodeURIComponent(room)}`);
}
