/** The list of rooms. A link opens one room, so there is one so far; more come with the overview. */

import { byId, find, setAttribute, setText } from "./dom.js";
import { Meter } from "./meters.js";
import { t } from "./words.js";

export class Rooms {
	#nav = byId("rooms");
	#button = byId("rooms-button");
	#room = byId("room");
	#meter = new Meter(find(this.#room, ".meter"), 5);

	constructor() {
		this.#button.onclick = () => this.#open(!this.#isOpen);
	}

	/** @param {string} title @param {number} count */
	show(title, count) {
		setText(find(this.#room, ".name"), title);
		setText(find(this.#room, ".n"), count ? String(count) : "");
		setAttribute(this.#room, "aria-label", `${title}, ${count ? t("here", { n: count }) : t("empty")}`);
	}

	/** @param {number} level dBov of the loudest @param {number} now */
	level(level, now) {
		this.#meter.clear(); // a room is no member: no peak stays
		this.#meter.show(level, now);
	}

	/** Go to the n-th room, without joining it. @param {number} n from 1 */
	go(n) {
		if (n === 1) byId("title").focus();
	}

	/** @returns {boolean} whether the list was open over the page */
	close() {
		const open = this.#isOpen;
		this.#open(false);
		return open;
	}

	get #isOpen() {
		return this.#nav.hasAttribute("data-open");
	}

	/** @param {boolean} open */
	#open(open) {
		this.#nav.toggleAttribute("data-open", open);
		setAttribute(this.#button, "aria-expanded", open);
	}
}
