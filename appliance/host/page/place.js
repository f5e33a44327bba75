/** Where in the page one is: the overview, a room, or the devices. Each has an address, and "back" works. */

import { decoded } from "./address.js";

/** Paths that are no rooms; the host gives no room such a name. */
const OWN = ["rooms", "page"];

/** @param {string} pathname @returns {Spot} */
export function spotOf(pathname) {
	const [first, second = ""] = pathname.split("/").slice(1).map(decoded);
	if (first === "devices") return { view: "devices", room: "", device: second };
	return first && !OWN.includes(first) ? { view: "room", room: first, device: "" } : { view: "overview", room: "", device: "" };
}

/** @param {string} room @returns {string} the path of it */
export const pathOf = (room) => `/${encodeURIComponent(room)}`;

export class Place {
	#changed;

	/** @param {(spot: Spot) => void} changed called whenever one is somewhere else */
	constructor(changed) {
		this.#changed = changed;
		addEventListener("popstate", () => changed(this.spot));
		document.addEventListener("click", (event) => this.#follow(event));
	}

	get spot() {
		return spotOf(location.pathname);
	}

	/** @param {string} path of this page */
	go(path) {
		if (path !== location.pathname) history.pushState(null, "", path + location.hash);
		this.#changed(this.spot);
	}

	/** A press on a link of the page goes there without loading it anew; with a key held, the browser has its way. @param {MouseEvent} event */
	#follow(event) {
		const target = event.target instanceof Element ? event.target.closest("a[href^='/']:not([download], [target])") : null;
		if (!target || event.defaultPrevented || event.button || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
		event.preventDefault();
		this.go(target.getAttribute("href") ?? "/");
	}
}
