/**
 * The links that this browser has been given: one token for each room.
 *
 * A tab keeps its own, so that two tabs may be two people; a new tab gets what the browser has. A newer link for a room takes
 * the place of the older. Where nothing can be stored, the keys stay in the address.
 */

import { claims, readAddress } from "./address.js";

const KEY = "kontor.keys";
/** What a tab forgets is told to the others by this item, which is gone again at once. */
const FORGOTTEN = "kontor.forgotten";

/** A browser that stores nothing throws at the mere mention. @param {"localStorage" | "sessionStorage"} where @returns {Record<string, string>} */
function load(where) {
	try {
		const kept = Object.entries(JSON.parse(window[where].getItem(KEY) ?? "{}"));
		return Object.fromEntries(kept.filter((pair) => typeof pair[1] === "string"));
	} catch {
		return {};
	}
}

/** @param {"localStorage" | "sessionStorage"} where @param {Record<string, string>} keys @returns {boolean} whether it is kept now */
function store(where, keys) {
	try {
		window[where].setItem(KEY, JSON.stringify(keys));
		return true;
	} catch {
		return false;
	}
}

/** Out of what new tabs get. @param {string} room */
function strike(room) {
	const kept = load("localStorage");
	delete kept[room];
	store("localStorage", kept);
}

/** @param {string} token */
function tell(token) {
	try {
		window.localStorage.setItem(FORGOTTEN, token);
		window.localStorage.removeItem(FORGOTTEN);
	} catch {
		// Where nothing can be stored, no other tab has it from here.
	}
}

/** What an address brings. @typedef {{room: string, tokens: string[]}} Link */

/** The room that a token of a link is for. @param {string} token @param {Link} link @returns {string} */
export const roomOf = (token, link) => String(claims(token).room ?? link.room);

export class Keyring {
	/** Tokens by room, in the order in which they came. @type {Record<string, string>} */
	#keys = { ...load("localStorage"), ...load("sessionStorage") };
	/** What the address said: its room, the tokens it brought, and the demo's word. */
	address = readAddress(location);

	constructor() {
		const { tokens, panel } = this.address;
		if (!tokens.length || !this.add(this.address)) return;
		// The demo's word is good for one tab and stays where that tab can find it again.
		const rest = panel ? `#panel=${encodeURIComponent(panel)}` : "";
		history.replaceState(history.state, "", location.pathname + location.search + rest);
	}

	/** Keep what a link brings. @param {Link} link @returns {boolean} whether it is stored now */
	add(link) {
		const brought = Object.fromEntries(link.tokens.map((token) => [roomOf(token, link), token]));
		Object.assign(this.#keys, brought);
		const tab = store("sessionStorage", this.#keys);
		return store("localStorage", { ...load("localStorage"), ...brought }) || tab;
	}

	/** Rooms in the order in which their keys came. */
	get rooms() {
		return Object.keys(this.#keys);
	}

	/** Whom the keys are made out to, as far as they tell. */
	get name() {
		return String(claims(this.token(this.address.room) || (Object.values(this.#keys)[0] ?? "")).name ?? "");
	}

	/** @param {(room: string, token: string) => void} forget called when another tab has forgotten a key that this one has too */
	onForgotten(forget) {
		addEventListener("storage", ({ key, newValue }) => {
			for (const [room, token] of Object.entries(this.#keys)) if (key === FORGOTTEN && token === newValue) forget(room, token);
		});
	}

	/** @param {string} room @returns {string} "" when there is none */
	token(room) {
		return Object.hasOwn(this.#keys, room) ? this.#keys[room] : ""; // a room may be called "constructor"
	}

	/** What the host says of a key ends its life in this browser; this tab goes on telling why. @param {string} room */
	drop(room) {
		if (load("localStorage")[room] === this.#keys[room]) strike(room);
	}

	/**
	 * This browser has no key for it any more, in no tab; where another tab has another one, that stays.
	 * @param {string} room @param {boolean} told by another tab, which has done the rest; what new tabs get may be newer by now
	 */
	forget(room, told) {
		const token = this.token(room);
		// Where nothing is stored, the address has it.
		history.replaceState(history.state, "", location.href.replace(token, ""));
		delete this.#keys[room];
		store("sessionStorage", this.#keys);
		if (told) return;
		strike(room);
		tell(token);
	}
}
