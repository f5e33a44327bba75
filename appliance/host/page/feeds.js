/** One watched room each: its socket and what is known of it. All rooms of the keyring are watched, whichever is looked at. */

import { askRooms, askToken } from "./address.js";
import { roomOf } from "./keyring.js";
import { Model } from "./model.js";
import { Presence } from "./presence.js";

/** So many rooms are watched at once. */
const MOST = 32;

export class Feed {
	model = new Model();
	/** Why the room cannot be shown, a key of the `end.` words; "" while it can. */
	ended = "";
	/** The socket is gone, and comes back by itself. */
	lost = false;
	opened = false;
	/** With the last message others began or ceased to speak. */
	turned = false;
	presence;
	#token;
	#keyring;
	#asked = false;
	/** Our token came from a proxy and was good: when it ends, there is another one. */
	#renews = false;
	#watcher;

	/** @param {string} room @param {string} token "" asks a proxy @param {import("./keyring.js").Keyring} keyring @param {FeedWatcher} watcher */
	constructor(room, token, keyring, watcher) {
		this.room = room;
		this.#token = token;
		this.#keyring = keyring;
		this.#watcher = watcher;
		this.presence = new Presence(room, () => this.#token, {
			message: (message) => this.#take(message),
			lost: () => this.#lose(),
			ended: (why) => this.end(why),
		});
	}

	/** What it is called: by its host, or until that has answered by its address. */
	get title() {
		return this.model.title || this.room;
	}

	get token() {
		return this.#token;
	}

	/** Whether this browser has a key for it; else a proxy lets us in. */
	get kept() {
		return this.#keyring.token(this.room) !== "";
	}

	/** A newer key than the one that it is watched with is used from now on. */
	renew() {
		const token = this.#keyring.token(this.room);
		if (!token || token === this.#token) return;
		this.#token = token;
		this.presence.close();
		this.open();
	}

	/** @param {object} message @returns {boolean} whether it was sent */
	send(message) {
		return this.presence.send(message);
	}

	/** Without a link one may still be signed in at a proxy in front of the host. */
	async open() {
		this.opened = true;
		this.ended = "";
		this.#renews = false;
		this.#asked ||= !this.#token;
		if (!this.#token) this.#token = await askToken(this.room, () => this.#lose());
		if (this.#token) this.presence.open();
		else this.end("invalid");
	}

	/** It cannot be shown any more. @param {string} why a key of the `end.` words */
	end(why) {
		if (why === "expired" || why === "invalid") {
			if (this.#renews) {
				this.#token = "";
				this.open(); // whom a proxy names stays signed in there
				return;
			}
			this.#keyring.drop(this.room);
		}
		this.presence.close();
		this.model.silence();
		this.ended = why;
		this.#watcher.ended(this, why);
	}

	/** @param {any} message */
	#take(message) {
		const hand = this.model.self()?.hand ?? false;
		const { turns } = this.model;
		const known = this.model.apply(message, performance.now());
		this.turned = turns !== this.model.turns;
		if (message.type === "welcome") {
			this.lost = false;
			this.#renews = this.#asked;
		}
		this.#watcher.message(this, message, known, hand);
	}

	#lose() {
		this.lost = true;
		this.model.silence();
		this.#watcher.lost(this);
	}
}

export class Feeds {
	/** By room, in the order of the keyring. @type {Map<string, Feed>} */
	all = new Map();
	/** What the host says of its rooms where there is no key: nothing yet, it cannot be reached, or it has answered. @type {"" | "away" | "told"} */
	answer = "";
	#keyring;
	#watcher;

	/** @param {import("./keyring.js").Keyring} keyring @param {FeedWatcher} watcher */
	constructor(keyring, watcher) {
		this.#keyring = keyring;
		this.#watcher = watcher;
		for (const room of keyring.rooms.slice(0, MOST)) this.#add(room, keyring.token(room));
	}

	/** In the order of the keyring, which never changes by what goes on in a room. */
	get list() {
		return [...this.all.values()];
	}

	/** Whether it is still to come who one is anywhere. */
	get isAsking() {
		return this.all.size ? this.list.some((feed) => !feed.model.you && !feed.ended && !feed.lost) : this.answer === "";
	}

	/** Watch all rooms that there is a key for. */
	open() {
		for (const room of this.all.keys()) this.get(room);
	}

	/** Without any key the host knows what whoever a proxy names may watch. @param {() => void} away called while it cannot be reached */
	async ask(away) {
		this.answer = "";
		const rooms = await askRooms(() => {
			this.answer = "away";
			away();
		});
		this.answer = "told";
		for (const { id, token } of rooms) this.get(id, token);
	}

	/** A link was opened while the page is: it is kept, and its rooms are watched. @param {import("./keyring.js").Link} link */
	add(link) {
		this.#keyring.add(link);
		for (const token of link.tokens) this.get(roomOf(token, link));
	}

	/** Its key is out of this browser, and it is watched no more. @param {string} room @param {boolean} told by another tab */
	forget(room, told) {
		this.all.get(room)?.presence.close();
		this.all.delete(room);
		this.#keyring.forget(room, told);
	}

	/** A room's feed; it is watched from now on. @param {string} room @param {string} [token] */
	get(room, token = this.#keyring.token(room)) {
		const feed = this.all.get(room) ?? this.#add(room, token);
		if (!feed.opened) feed.open();
		return feed;
	}

	/** @param {string} room @param {string} token */
	#add(room, token) {
		const feed = new Feed(room, token, this.#keyring, this.#watcher);
		this.all.set(room, feed);
		return feed;
	}
}
