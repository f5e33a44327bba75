/** The strip of all rooms: name, how loud it is there now, how many are here. On narrower screens it is a menu at the title. */

import { byId, h, setAttribute, setText } from "./dom.js";
import { Meter } from "./meters.js";
import { SILENCE } from "./model.js";
import { pathOf } from "./place.js";
import { t } from "./words.js";

class Row {
	#name = h("bdi", { class: "name" });
	#node = h("span", { class: "meter five", "aria-hidden": true });
	#meter = new Meter(this.#node, 5);
	#count = h("span", { class: "n" });
	#link = h("a", { class: "room" }, this.#name, " ", this.#node, this.#count);
	node = h("li", {}, this.#link);

	/** @param {Feed} feed @param {House} house */
	show(feed, house) {
		const n = feed.ended ? 0 : feed.model.here().length;
		const here = n ? t("here", { n }) : feed.model.welcomed && !feed.ended ? t("empty") : "";
		setAttribute(this.#link, "href", pathOf(feed.room));
		setAttribute(this.#link, "aria-current", feed === house.shown ? "page" : null);
		setAttribute(this.#link, "aria-label", [feed.title, here, feed === house.stay && t("rooms.in")].filter(Boolean).join(", "));
		setAttribute(this.node, "data-in", feed === house.stay);
		setText(this.#name, feed.title);
		setText(this.#count, n ? String(n) : "");
	}

	/** @param {Feed} feed @param {number} now */
	level(feed, now) {
		const loudest = Math.max(SILENCE, ...feed.model.levels.values());
		setAttribute(this.#node, "data-quiet", feed.model.speaking.size === 0);
		this.#meter.clear(); // a room is no member: no peak stays
		this.#meter.show(loudest, now);
	}
}

export class Rooms {
	#nav = byId("rooms");
	#list = byId("rooms-list");
	#button = byId("rooms-button");
	#house;
	/** @type {Map<string, Row>} */
	#rows = new Map();

	/** @param {House} house */
	constructor(house) {
		this.#house = house;
		this.#button.onclick = () => this.#open(!this.#isOpen);
		document.addEventListener("pointerdown", (event) => {
			const target = /** @type {Node} */ (event.target);
			if (!this.#nav.contains(target) && !this.#button.contains(target)) this.close();
		});
	}

	show() {
		const { all } = this.#house.feeds;
		for (const [room, { node }] of this.#rows) if (!all.has(room) && this.#rows.delete(room)) node.remove();
		for (const feed of this.#house.feeds.list) this.#row(feed.room).show(feed, this.#house);
	}

	/** @param {number} now */
	level(now) {
		for (const feed of this.#house.feeds.list) this.#rows.get(feed.room)?.level(feed, now);
	}

	/** Go to the n-th room, without joining it. @param {number} n from 1 */
	go(n) {
		const feed = this.#house.feeds.list[n - 1];
		if (feed) this.#house.go(pathOf(feed.room));
	}

	/** @returns {boolean} whether the list was open over the page */
	close() {
		const open = this.#isOpen;
		this.#open(false);
		return open;
	}

	/** @param {string} room */
	#row(room) {
		const there = this.#rows.get(room);
		if (there) return there;
		const row = new Row();
		this.#rows.set(room, row);
		this.#list.append(row.node);
		return row;
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
