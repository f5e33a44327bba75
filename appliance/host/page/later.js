/** What nobody misses before the first stay in a room, and what an installed page has from its start. */

import { start as install } from "./install.js";
import { start as media } from "./mediasession.js";
import { start as notify } from "./notify.js";

/** @param {House} house */
export function start(house) {
	install(house);
	media(house);
	notify(house);
}
