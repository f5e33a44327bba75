/**
 * The strip that says, for as long as it is so, that a room is recorded; it is announced before it begins.
 *
 * It is about the room that one is in, or else the one that is looked at. All times are the host's: whoever's own clock is a
 * day off reads the same as everybody.
 */

import { byId, renew, setText } from "./dom.js";
import { say } from "./say.js";
import { isolated, t } from "./words.js";

/** Milliseconds for which the end of a recording is shown. */
const STAYS = 6000;
/** Seconds that the announcement may have been on its way: five are five. */
const WAY = 0.25;

/** @param {number} seconds @returns {string} as on the face of a recorder: 12:40, 1:02:40 */
function runningTime(seconds) {
	const two = (/** @type {number} */ n) => String(n).padStart(2, "0");
	const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor(seconds / 60)];
	return hours ? `${hours}:${two(minutes % 60)}:${two(seconds % 60)}` : `${minutes}:${two(seconds % 60)}`;
}

export class Recording {
	#house;
	#strip = byId("recording");
	/** @type {Feed | null} the room it is about, */
	#feed = null;
	/** @type {Recorded | null} and what is so there */
	#state = null;
	#began = false;
	/** Until then its end is shown, in milliseconds. */
	#endsAt = 0;
	#timer = 0;

	/** @param {House} house */
	constructor(house) {
		this.#house = house;
	}

	/** Draw what is so now: after every change of a room, in another language, and by itself with every second. */
	show() {
		const feed = this.#concerned();
		if (!this.#isOurs(this.#feed)) this.#forget();
		const state = feed?.model.recording ?? null;
		if (!state && this.#state) this.#end();
		else if (state && (feed !== this.#feed || state.starts !== this.#state?.starts)) this.#announce(feed, state);
		else if (state) this.#state = state;
		else if (performance.now() >= this.#endsAt) this.#forget();
		this.#draw();
	}

	/** The room that one is in comes first: what one says there is kept. @returns {Feed | null} */
	#concerned() {
		const { stay, shown } = this.#house;
		return [stay, shown].find((feed) => this.#isOurs(feed) && feed?.model.recording) ?? null;
	}

	/** @param {Feed | null} feed */
	#isOurs(feed) {
		return feed !== null && !feed.ended && (feed === this.#house.stay || feed === this.#house.shown);
	}

	/** Of a room that one is no longer at, nothing is said. */
	#forget() {
		this.#feed = this.#state = null;
		this.#endsAt = 0;
	}

	/** @param {Feed | null} feed @param {Recorded} state */
	#announce(feed, state) {
		this.#feed = feed;
		this.#state = state;
		this.#endsAt = 0;
		this.#began = this.#left <= 0;
		say(this.#began ? t("rec.began") : [this.#first, this.#second].filter(Boolean).join(", "), "alert");
	}

	#end() {
		this.#state = null;
		this.#endsAt = performance.now() + STAYS;
		say(t("rec.stopped"), "alert");
	}

	#draw() {
		const [ending, state] = [performance.now() < this.#endsAt, this.#state];
		clearTimeout(this.#timer);
		const hidden = !state && !ending;
		if (this.#strip.hidden !== hidden) renew(byId("count").parentNode); // on phones it gives way
		this.#strip.hidden = hidden;
		if (hidden) return;
		if (state && !this.#began && this.#left <= 0) {
			this.#began = true;
			say(t("rec.began"), "alert"); // from now on what is said is kept
		}
		setText(byId("recording-first"), this.#first);
		setText(byId("recording-second"), this.#second);
		byId("recording-leave").hidden = !state || this.#began || this.#feed !== this.#house.stay;
		this.#timer = setTimeout(() => this.show(), (state ? 1000 * this.#next : this.#endsAt - performance.now()) + 5);
	}

	/** Seconds until it begins. */
	get #left() {
		return (this.#state?.starts ?? 0) - this.#house.time();
	}

	/** Seconds until another number is shown. */
	get #next() {
		const left = this.#left;
		const counted = left > 0 ? left - WAY : left;
		return left > 0 && counted <= 1 ? left : counted - Math.ceil(counted) + 1;
	}

	get #first() {
		if (!this.#state) return t("rec.stopped");
		const left = this.#left;
		return left > 0 ? t("rec.starts", { n: Math.max(1, Math.ceil(left - WAY)) }) : t("rec.running", { time: runningTime(Math.floor(-left)) });
	}

	/** In which room, where that is not the one that is looked at; and by whom. */
	get #second() {
		const room = this.#feed && this.#feed !== this.#house.shown ? isolated(this.#feed.title) : "";
		const by = this.#state?.by ? t("rec.startsBy", { name: isolated(this.#state.by.name) }) : "";
		return [room, by].filter(Boolean).join(", ");
	}
}
