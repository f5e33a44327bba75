/** The list of all who are here, one tile each; a tile's menu is menu.js. Sites first, then by name; never by activity. */

import { stateWords } from "./bridges.js";
import { byId, h, icon, setAttribute, setText } from "./dom.js";
import { lazy } from "./lazy.js";
import { drawSign, makeSign } from "./signs.js";
import { t } from "./words.js";

/** The picture at the right of a tile; states without one need none. @type {Record<string, string>} */
const PICTURES = { muted: "mic-off", admin_muted: "lock", hand: "hand", on_hold: "pause", mutedForMe: "sound-off" };
/** More than these are cut into lists of as many, whole rows at any width: the browser leaves out whole lists that nobody sees. */
const MANY = 60;

class Tile {
	#sign = makeSign();
	#name = h("bdi");
	#you = h("span");
	#state = h("span", { class: "second line" });
	#picture = h("span");
	/** @type {Member | null} */
	#member = null;
	#drawn = "";

	/** @param {() => void} open */
	constructor(open) {
		const words = h("span", { class: "words" }, h("span", { class: "line" }, this.#name, this.#you), this.#state);
		const roles = { type: "button", "aria-haspopup": "dialog", "aria-expanded": "false", tabindex: -1, onclick: open };
		this.button = h("button", roles, this.#sign, words, this.#picture);
		this.node = h("li", { class: "tile" }, this.button);
	}

	/** Most tiles are as they were: then nothing is done. @param {Member} member @param {Model} model @param {boolean} mutedForMe */
	show(member, model, mutedForMe) {
		const state = mutedForMe ? "mutedForMe" : model.stateOf(member);
		const you = member === model.self() ? ` ${t("you")}` : "";
		const words = stateWords(member, state);
		const drawn = [words, model.signOf(member), you].join();
		if (this.#member === member && this.#drawn === drawn) return;
		this.#member = member;
		this.#drawn = drawn;
		drawSign(this.#sign, member);
		setAttribute(this.#sign, "data-state", model.signOf(member));
		setText(this.#name, member.name);
		setText(this.#you, you);
		setText(this.#state, words);
		if (this.#picture.getAttribute("data-of") === state) return;
		this.#picture.setAttribute("data-of", state);
		this.#picture.replaceChildren(...(PICTURES[state] ? [icon(PICTURES[state])] : []));
	}
}

export class Members {
	#list = byId("members");
	/** @type {Map<string, Tile>} */
	#tiles = new Map();
	#house;
	/** @type {import("./menu.js").MemberMenu | null} */
	#menu = null;
	/** Whose menu is on its way: the last press counts. */
	#wanted = "";

	/** @param {House} house */
	constructor(house) {
		this.#house = house;
		this.#list.addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => this.#walk(event));
		this.#list.addEventListener("focusin", (/** @type {FocusEvent} */ event) => this.#rove(event.target));
	}

	/** Draw all anew from the model. A tile that is in its place already is not moved, so that it keeps the focus. */
	show() {
		const here = this.#house.model.here();
		const there = new Set(here.map((m) => m.id));
		const held = document.activeElement;
		for (const id of this.#tiles.keys()) if (!there.has(id)) this.#drop(id);
		for (const [n, member] of here.entries()) {
			const tile = this.#tile(member.id);
			tile.show(member, this.#house.model, this.#house.playback.volume(member.id).muted);
			this.#put(tile.node, n);
		}
		while (this.#list.childElementCount > Math.max(1, Math.ceil(here.length / MANY))) this.#list.lastElementChild?.remove();
		if (held !== document.activeElement && this.#list.contains(held)) /** @type {HTMLElement} */ (held).focus();
		const member = here.find((m) => m.id === this.#menu?.id);
		if (member) this.#menu?.show(member);
		this.#list.classList.toggle("many", here.length > MANY);
		if (!this.#list.querySelector('[tabindex="0"]')) this.#list.querySelector(".tile > button")?.setAttribute("tabindex", "0");
		byId("nobody").hidden = here.length > 0 || !this.#house.model.welcomed;
	}

	/** @param {Element} node @param {number} n its place among all */
	#put(node, n) {
		const list = this.#list.children[Math.floor(n / MANY)] ?? this.#list.appendChild(h("ul"));
		const there = list.children[n % MANY] ?? null;
		if (there !== node) list.insertBefore(node, there);
	}

	/** @returns {boolean} whether there was a menu to close */
	closeMenu() {
		const menu = this.#menu;
		menu?.close();
		return menu !== null;
	}

	/** @param {string} id */
	#tile(id) {
		const tile = this.#tiles.get(id) ?? new Tile(() => this.#press(id));
		this.#tiles.set(id, tile);
		return tile;
	}

	/** Whoever was at the tile of somebody who is gone finds the focus on its neighbour. @param {string} id */
	#drop(id) {
		const { button, node } = this.#tile(id);
		const inside = node.contains(document.activeElement);
		if (this.#menu?.id === id) this.closeMenu();
		const buttons = inside ? [...this.#list.querySelectorAll(".tile > button")] : [];
		const at = buttons.indexOf(button);
		node.remove();
		this.#tiles.delete(id);
		if (inside) /** @type {HTMLElement} */ (buttons[at + 1] ?? buttons[at - 1] ?? byId("own")).focus();
	}

	/** @param {string} id */
	#press(id) {
		const again = this.#menu?.id === id;
		const { model } = this.#house;
		this.closeMenu();
		if (id === model.self()?.id) byId("own").focus(); // what one can do about oneself is done there
		else if (!again) this.#openMenu(id);
	}

	/** @param {string} id */
	async #openMenu(id) {
		this.#wanted = id;
		const loaded = await lazy("menu.js");
		const member = this.#house.model.members.get(id);
		const tile = this.#tiles.get(id);
		if (!loaded || !member || !tile || this.#wanted !== id) return;
		this.closeMenu();
		const told = { changed: () => this.show(), closed: () => void (this.#menu = null) };
		this.#menu = new loaded.MemberMenu(this.#house, tile, member, told);
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
		const down = getComputedStyle(this.#list.children[0]).gridTemplateColumns.split(" ").length;
		const last = buttons.length - 1;
		/** @type {Record<string, number>} */
		const goals = { ArrowRight: at + 1, ArrowLeft: at - 1, ArrowDown: at + down, ArrowUp: at - down, Home: 0, End: last };
		if (at < 0 || !(event.key in goals)) return;
		event.preventDefault();
		buttons[goals[event.key]]?.focus();
	}
}
