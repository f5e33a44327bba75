/**
 * Somebody asks to speak or knocks, and we may let them: that stands above the dock, with the key that answers, until it is
 * answered, withdrawn or put off.
 */

import { byId, find, h, icon, setAttribute, setIcon, setText } from "./dom.js";
import { mayAnswer, ordersOf } from "./orders.js";
import { say } from "./say.js";
import { isolated, t } from "./words.js";

/** Milliseconds after which a knock is over. A hand stays up. */
const KNOCK = 60_000;

export class Asks {
	#house;
	/** When each knocked last, in milliseconds. @type {Map<string, number>} */
	#knocks = new Map();
	/** Whose hands are put off until they come up anew. @type {Set<string>} */
	#later = new Set();
	/** @type {Feed | null} */
	#feed = null;
	#shown = "";
	#picture = icon("hand");
	#first = h("b");
	#second = h("span", { class: "second" });
	#answer = h("button", { class: "key", type: "button" });
	#put = h("button", { class: "bare", type: "button" }, icon("close"));
	#node = h("div", { class: "asks", hidden: "" }, this.#picture, h("div", {}, this.#first, this.#second), this.#answer, this.#put);

	/** @param {House} house */
	constructor(house) {
		this.#house = house;
		find(byId("dock"), ".over").prepend(this.#node);
		this.#put.onclick = () => this.#putOff();
		house.onChange(() => this.show());
		this.show();
	}

	/**
	 * Somebody knocked. Whoever is not in the room yet is asked about once they come in.
	 * @param {Feed} feed @param {{id: string}} by @returns {boolean} whether it is shown here
	 */
	knocked(feed, by) {
		if (feed !== this.#subject) return false;
		this.#knocks.set(by.id, performance.now());
		setTimeout(() => this.show(), KNOCK + 5);
		this.show();
		return this.#shown === by.id;
	}

	show() {
		if (this.#subject !== this.#feed) this.#forget();
		const [member, ...more] = this.#asking();
		this.#node.hidden = !member;
		if (member) this.#draw(member, more.length);
		else if (this.#shown) this.#close();
	}

	/** The room that one is in, or else the one that is looked at. */
	get #subject() {
		return this.#house.stay ?? this.#house.shown;
	}

	#forget() {
		this.#feed = this.#subject;
		this.#knocks.clear();
		this.#later.clear();
		this.#close();
	}

	/** Whoever is asked about already comes first: the key under a finger does not become another's. @returns {Member[]} */
	#asking() {
		if (!this.#feed || this.#feed.ended) return [];
		const { model } = this.#feed;
		const mine = model.self()?.role ?? model.you?.role ?? "";
		const asking = [...model.members.values()].filter((member) => member !== model.self() && this.#asks(member) && mayAnswer(member, mine));
		return asking.sort((a, b) => Number(b.id === this.#shown) - Number(a.id === this.#shown));
	}

	/** @param {Member} member */
	#asks({ id, hand }) {
		if (!hand) this.#later.delete(id);
		return (hand && !this.#later.has(id)) || this.#knocked(id);
	}

	/** @param {string} id */
	#knocked(id) {
		return performance.now() - (this.#knocks.get(id) ?? -Infinity) < KNOCK;
	}

	/** @param {Member} member @param {number} more how many others ask */
	#draw(member, more) {
		const feed = /** @type {Feed} */ (this.#feed);
		const mine = feed.model.self()?.role ?? feed.model.you?.role ?? "";
		const [word, ...messages] = ordersOf(member, mine)[0];
		const knocks = this.#knocked(member.id);
		const state = t(`state.${member.role === "guest" ? "guest" : feed.model.stateOf(member)}`);
		setIcon(this.#picture, knocks ? "knock" : "hand");
		setText(this.#first, t(knocks ? "knocks" : "ask.hand", { name: isolated(member.name) }));
		setText(this.#second, more ? `${state}, ${t("ask.more", { n: more })}` : state);
		setText(this.#answer, t(word));
		setAttribute(this.#answer, "aria-label", `${t(word)}: ${member.name}`);
		setAttribute(this.#put, "aria-label", t("ask.later"));
		this.#answer.onclick = () => {
			for (const message of messages) feed.send(message);
			this.#putOff();
		};
		if (this.#shown !== member.id) say(this.#first.textContent ?? "");
		this.#shown = member.id;
	}

	/** Answered, or not now: who asks again is shown again. */
	#putOff() {
		this.#knocks.delete(this.#shown);
		this.#later.add(this.#shown);
		this.#close();
		this.show();
	}

	/** The focus does not get lost with the keys that had it. */
	#close() {
		if (this.#node.contains(document.activeElement)) byId("own").focus();
		this.#shown = "";
	}
}
