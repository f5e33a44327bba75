/** The page as an installed one: its worker, which keeps its files, and links that are opened in a window that is there already. */

import { readAddress } from "./address.js";
import { roomOf } from "./keyring.js";
import { pathOf, spotOf } from "./place.js";
import { t } from "./words.js";

/** @param {House} house */
export function start(house) {
	const { launchQueue } = /** @type {any} */ (window);
	launchQueue?.setConsumer((/** @type {{targetURL?: string}} */ launch) => launch.targetURL && follow(house, new URL(launch.targetURL)));
	// Refused where the certificate is not trusted, and in some private windows: the page works without it.
	navigator.serviceWorker?.register("/worker.js", { updateViaCache: "none" }).catch(() => {});
}

/**
 * A link was opened, and the system gave it to this window. Nobody is taken out of a room by that: while in one, the link is kept as
 * any is, and the other room is only looked at.
 * @param {House} house @param {URL} link
 */
function follow(house, link) {
	const { room, tokens } = readAddress(link);
	const known = new Set(house.feeds.list.map((feed) => feed.token));
	const news = tokens.filter((token) => !known.has(token));
	if (news.length && !house.stay) return location.assign(link); // as if it had been opened here
	if (news.length) house.keep({ room, tokens: news });
	const isOverview = spotOf(link.pathname).view === "overview";
	if (room || tokens.length) house.go(isOverview && room ? pathOf(room) : link.pathname); // else it was the app that was opened
	if (news.some((token) => roomOf(token, { room, tokens }) === house.stay?.room)) house.toast(t("link.later"), "link");
}
