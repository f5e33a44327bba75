/**
 * The menu of a member's tile: how loud they are for oneself, and what one may do about them.
 *
 * It stands below its tile and follows what its member becomes. Esc closes it, a press beside it, and when the focus goes on;
 * whoever was in it finds the focus on the tile again.
 */

import { askToUnmute } from "./asking.js";
import { h, setText } from "./dom.js";
import { checkField, volumeField } from "./fields.js";
import { limitWords, micWords } from "./lamps.js";
import { ordersOf } from "./orders.js";
import { isolated, t } from "./words.js";

/** @typedef {import("./orders.js").Order} Order */

/** Of a bridge: why nothing of the other room is said here, and what it cannot do. @param {Member} member @returns {string} */
function bridgeWords({ kind, site }) {
	if (kind !== "bridge" || !site) return "";
	const closed = site.reasons.length ? micWords(site) : "";
	return [closed, site.lamps.fault === "slow" ? limitWords(site.extra ?? {}) : ""].filter(Boolean).join(". ");
}

export class MemberMenu {
	#house;
	#tile;
	#closed;
	#told = h("span", { class: "second", id: "menu-told" });
	#orders = h("div", { class: "orders" });
	#offered = "";
	#away = new AbortController();

	/**
	 * @param {House} house
	 * @param {{node: HTMLElement, button: HTMLElement}} tile
	 * @param {Member} member
	 * @param {{changed: () => void, closed: () => void}} told of another volume, and when the menu is gone
	 */
	constructor(house, tile, member, { changed, closed }) {
		this.#house = house;
		this.#tile = tile;
		this.#closed = closed;
		this.id = member.id;
		const name = h("b", { class: "line" }, h("bdi", {}, member.name)); // for where the tile is scrolled away
		this.node = h("div", { class: "menu", role: "dialog", "aria-label": member.name, "aria-describedby": "menu-told" }, name, this.#told, ...this.#volume(changed), this.#orders);
		this.show(member);
		tile.button.setAttribute("aria-expanded", "true");
		tile.node.append(this.node);
		this.#leaving();
		this.node.scrollIntoView({ block: "nearest" });
		this.node.querySelector("input")?.focus();
	}

	/** Offer what fits now; a key that is in focus stays where it still means the same. @param {Member} member */
	show(member) {
		const { model } = this.#house;
		setText(this.#told, bridgeWords(member));
		this.#told.hidden = !this.#told.textContent;
		const orders = ordersOf(member, model.self()?.role ?? model.you?.role ?? "");
		const offered = JSON.stringify([orders, member.name, document.documentElement.lang]);
		if (offered === this.#offered) return;
		const inside = this.#orders.contains(document.activeElement);
		this.#offered = offered;
		this.#offer(orders, member);
		if (inside) this.#focus();
	}

	close() {
		if (this.#away.signal.aborted) return;
		this.#away.abort();
		const inside = this.node.contains(document.activeElement);
		this.#tile.button.setAttribute("aria-expanded", "false");
		this.node.remove();
		if (inside) this.#tile.button.focus();
		this.#closed();
	}

	/** @param {() => void} changed */
	#volume(changed) {
		const { playback } = this.#house;
		const { gain, muted } = playback.volume(this.id);
		const change = (/** @type {Partial<Volume>} */ wanted) => {
			playback.setVolume(this.id, wanted);
			changed();
		};
		return [
			volumeField("menu.volume", gain, (wanted) => change({ gain: wanted })),
			checkField("menu.muteForMe", muted, (wanted) => change({ muted: wanted })),
		];
	}

	/** @param {Order[]} orders @param {Member} member */
	#offer(orders, member) {
		const keys = orders.map(([word, ...messages]) => {
			const give = () => this.#give(messages, word === "device.ask");
			return this.#key(word, word === "menu.remove" ? () => this.#question(member.name, give) : give);
		});
		this.#orders.replaceChildren(...keys);
	}

	/** Nobody is sent out by one press too many. @param {string} name @param {() => void} remove */
	#question(name, remove) {
		const text = h("p", { id: "menu-question" }, t("menu.removeAsk", { name: isolated(name) }));
		const keep = this.#key("cancel", () => this.close());
		keep.setAttribute("aria-describedby", "menu-question");
		this.#orders.replaceChildren(text, keep, this.#key("menu.removeSure", remove));
		this.node.scrollIntoView({ block: "nearest" });
		this.#focus();
	}

	/** @param {object[]} messages @param {boolean} asks a device's room, which may not be asked all the time */
	#give(messages, asks) {
		if (asks) askToUnmute(this.#house, this.#house.shown, this.id);
		else for (const message of messages) this.#house.send(message);
		this.close();
	}

	/** @param {string} word @param {() => void} press */
	#key(word, press) {
		return h("button", { class: "key", type: "button", onclick: press }, t(word));
	}

	#focus() {
		/** @type {HTMLElement | null} */ (this.#orders.querySelector("button") ?? this.node.querySelector("input"))?.focus();
	}

	/** The press that opened it is on the tile; all others beside the menu end it, and so does a focus that moves on. */
	#leaving() {
		const { signal } = this.#away;
		const within = (/** @type {EventTarget | null} */ target) => target instanceof Node && this.#tile.node.contains(target);
		document.addEventListener("pointerdown", (event) => within(event.target) || this.close(), { signal });
		document.addEventListener("focusin", (event) => within(event.target) || this.close(), { signal });
	}
}
