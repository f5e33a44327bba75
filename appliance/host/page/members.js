/** The list of all who are here, one tile each, and a tile's menu. Sites first, then by name; never by activity. */

import { byId, checkField, h, icon, setAttribute, setText, volumeField } from "./dom.js";
import { drawSign, makeSign } from "./signs.js";
import { t } from "./words.js";

/** The picture at the right of a tile; states without one need none. @type {Record<string, string>} */
const PICTURES = { muted: "mic-off", admin_muted: "lock", hand: "hand", on_hold: "pause", mutedForMe: "sound-off" };
const MANY = 60;

class Tile {
	#sign = makeSign();
	#name = h("bdi");
	#you = h("span");
	#state = h("span", { class: "second line" });
	#picture = h("span");

	/** @param {() => void} open */
	constructor(open) {
		const words = h("span", { class: "words" }, h("span", { class: "line" }, this.#name, this.#you), this.#state);
		const roles = { type: "button", "aria-haspopup": "dialog", "aria-expanded": "false", tabindex: -1, onclick: open };
		this.button = h("button", roles, this.#sign, words, this.#picture);
		this.node = h("li", { class: "tile" }, this.button);
	}

	/** @param {Member} member @param {Model} model @param {boolean} mutedForMe */
	show(member, model, mutedForMe) {
		const state = mutedForMe ? "mutedForMe" : model.stateOf(member);
		drawSign(this.#sign, member);
		setAttribute(this.#sign, "data-state", model.signOf(member));
		setText(this.#name, member.name);
		setText(this.#you, member === model.self() ? ` ${t("you")}` : "");
		setText(this.#state, t(`state.${state}`));
		if (this.#picture.getAttribute("data-of") === state) return;
		this.#picture.setAttribute("data-of", state);
		this.#picture.replaceChildren(...(PICTURES[state] ? [icon(PICTURES[state])] : []));
	}
}

export class Members {
	#list = byId("members");
	/** @type {Map<string, Tile>} */
	#tiles = new Map();
	#model;
	#playback;
	#send;
	/** @type {HTMLElement | null} */
	#menu = null;
	#menuOf = "";

	/** @param {Model} model @param {import("./playback.js").Playback} playback @param {(message: object) => void} send to the host */
	constructor(model, playback, send) {
		this.#model = model;
		this.#playback = playback;
		this.#send = send;
		this.#list.addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => this.#walk(event));
		this.#list.addEventListener("focusin", (/** @type {FocusEvent} */ event) => this.#rove(event.target));
		document.addEventListener("pointerdown", (event) => {
			if (!this.#menu?.parentElement?.contains(/** @type {Node} */ (event.target))) this.closeMenu();
		});
	}

	/** Draw all anew from the model. A tile that is in its place already is not moved, so that it keeps the focus. */
	show() {
		const here = this.#model.here();
		for (const id of this.#tiles.keys()) if (!here.some((m) => m.id === id)) this.#drop(id);
		for (const [n, member] of here.entries()) {
			const tile = this.#tile(member.id);
			tile.show(member, this.#model, this.#playback.volume(member.id).muted);
			if (this.#list.children[n] !== tile.node) this.#list.insertBefore(tile.node, this.#list.children[n] ?? null);
		}
		this.#list.classList.toggle("many", here.length > MANY);
		if (!this.#list.querySelector('[tabindex="0"]')) this.#list.querySelector(".tile > button")?.setAttribute("tabindex", "0");
		byId("nobody").hidden = here.length > 0 || !this.#model.welcomed;
	}

	/** @returns {boolean} whether there was a menu to close */
	closeMenu() {
		const menu = this.#menu;
		if (!menu) return false;
		const button = this.#tile(this.#menuOf).button;
		this.#menu = null;
		this.#menuOf = "";
		button.setAttribute("aria-expanded", "false");
		if (menu.contains(document.activeElement)) button.focus();
		menu.remove();
		return true;
	}

	/** @param {string} id */
	#tile(id) {
		const tile = this.#tiles.get(id) ?? new Tile(() => this.#press(id));
		this.#tiles.set(id, tile);
		return tile;
	}

	/** @param {string} id */
	#drop(id) {
		if (this.#menuOf === id) this.closeMenu();
		this.#tile(id).node.remove();
		this.#tiles.delete(id);
	}

	/** @param {string} id */
	#press(id) {
		const again = this.#menuOf === id;
		this.closeMenu();
		const member = this.#model.members.get(id);
		if (member === this.#model.self()) byId("own").focus(); // what one can do about oneself is done there
		else if (member && !again) this.#openMenu(member);
	}

	/** @param {Member} member */
	#openMenu(member) {
		const tile = this.#tile(member.id);
		const menu = h("div", { class: "menu", role: "dialog", "aria-label": member.name }, ...this.#entries(member));
		this.#menu = menu;
		this.#menuOf = member.id;
		tile.button.setAttribute("aria-expanded", "true");
		tile.node.append(menu);
		menu.scrollIntoView({ block: "nearest" });
		menu.querySelector("input")?.focus();
	}

	/** @param {Member} member */
	#entries(member) {
		const { gain, muted } = this.#playback.volume(member.id);
		/** @type {HTMLElement[]} */
		const entries = [
			volumeField("menu.volume", gain, (wanted) => this.#playback.setVolume(member.id, { gain: wanted })),
			checkField("menu.muteForMe", muted, (wanted) => {
				this.#playback.setVolume(member.id, { muted: wanted });
				this.show();
			}),
		];
		return member.kind === "site" ? entries : [...entries, ...this.#orders(member)];
	}

	/** What one may do about another person, a key each. @param {Member} member */
	#orders(member) {
		const mine = this.#model.self()?.role ?? this.#model.you?.role;
		const order = (/** @type {string} */ word, /** @type {string} */ type) => {
			const give = () => {
				this.#send({ type, member: member.id });
				this.closeMenu();
			};
			return h("button", { class: "key", type: "button", onclick: give }, t(word));
		};
		const orders = [];
		if (member.role === "guest" && (mine === "speaker" || mine === "admin")) orders.push(order("menu.admit", "admit"));
		if (mine !== "admin") return orders;
		if (member.role === "listener") orders.push(order("menu.allow", "admit"));
		else if (member.role !== "guest") orders.push(member.admin_muted ? order("menu.allow", "unmute") : order("menu.mute", "mute"));
		// Nobody is sent out by one press too many: the second one has another word.
		const sure = () => first.replaceWith(order("menu.removeSure", "remove"));
		const first = h("button", { class: "key", type: "button", onclick: sure }, t("menu.remove"));
		return [...orders, first];
	}

	/** One tile can be reached by Tab, the others by arrows. @param {EventTarget | null} target */
	#rove(target) {
		const buttons = [...this.#tiles.values()].map((tile) => tile.button);
		if (!buttons.some((button) => button === target)) return;
		for (const button of buttons) button.tabIndex = button === target ? 0 : -1;
	}

	/** @param {KeyboardEvent} event */
	#walk(event) {
		const buttons = [...this.#list.querySelectorAll(".tile > button")];
		const at = buttons.indexOf(/** @type {any} */ (document.activeElement));
		const down = getComputedStyle(this.#list).gridTemplateColumns.split(" ").length;
		const last = buttons.length - 1;
		/** @type {Record<string, number>} */
		const goals = { ArrowRight: at + 1, ArrowLeft: at - 1, ArrowDown: at + down, ArrowUp: at - down, Home: 0, End: last };
		if (at < 0 || !(event.key in goals)) return;
		event.preventDefault();
		buttons[goals[event.key]]?.focus();
	}
}
