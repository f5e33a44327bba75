/** The overview: a card for each room, with its door, who spoke last and how loud, and the way in. Cards never change places. */

import { byId, find, h, icon, setAttribute, setText } from "./dom.js";
import { mayForget, openForget } from "./forget.js";
import { makeLamp } from "./lamps.js";
import { Meter } from "./meters.js";
import { SILENCE } from "./model.js";
import { pathOf } from "./place.js";
import { seat } from "./seats.js";
import { drawSign, makeSign } from "./signs.js";
import { isolated, t, timeWords } from "./words.js";

/** How long ago, as short as it can be told. @param {number} seconds */
function agoWords(seconds) {
	if (seconds < 60) return t("ago.s", { n: Math.max(1, Math.round(seconds)) });
	return seconds < 5400 ? t("ago.min", { n: Math.round(seconds / 60) }) : t("ago.h", { n: Math.round(seconds / 3600) });
}

/** One of the last three who spoke. */
class Row {
	#sign = makeSign();
	#name = h("bdi", { class: "line name" });
	#bars = h("span", { class: "meter", "aria-hidden": true });
	#meter = new Meter(this.#bars);
	#said = h("span", { class: "reader" });
	#word = h("span", { class: "second line" });
	node = h("li", { class: "row" }, this.#sign, this.#name, this.#said, this.#word, this.#bars);
	#shown = "";
	#speaks = false;

	/** @param {Member | undefined} member @param {Model} model @param {number} now */
	show(member, model, now) {
		if (this.#shown !== member?.id) this.#meter.clear();
		this.#shown = member?.id ?? "";
		this.#speaks = member !== undefined && model.speaking.has(member.id);
		const loud = this.#speaks && model.realLevels;
		setAttribute(this.node, "data-state", member ? (this.#speaks ? "speaking" : "quiet") : "none");
		setAttribute(this.node, "data-hue", member?.sign.hue ?? null);
		drawSign(this.#sign, member ?? null);
		setAttribute(this.#sign, "data-state", member ? model.signOf(member) : null);
		setText(this.#name, member?.name ?? "");
		const words = member ? this.#words(member, model, now) : "";
		setText(this.#word, loud ? "" : words);
		setText(this.#said, loud ? words : "");
		this.#bars.hidden = !loud;
	}

	/** @param {Model} model @param {number} now */
	level(model, now) {
		this.#meter.show(this.#speaks ? model.level(this.#shown) : SILENCE, now);
	}

	/** @param {Member} member @param {Model} model @param {number} now */
	#words(member, model, now) {
		const state = model.stateOf(member);
		if (state !== "listening") return t(`state.${state}`);
		const heard = model.heardAt(member.id);
		return heard === null ? "" : agoWords(model.time(now) - heard);
	}
}

class Card {
	#house;
	#feed;
	#link = h("a", {}, h("bdi"));
	#tag = h("span", { class: "tag", hidden: "" }, "REC");
	#count = h("span", { class: "second n" });
	#lamp = makeLamp("green", "off");
	#door = h("span", { class: "line" });
	#rows = [0, 1, 2].map(() => new Row());
	#list = h("ul", { class: "rows" }, ...this.#rows.map((row) => row.node));
	#first = h("b");
	#second = h("span", { class: "second" });
	#body = h("p", { class: "card-body" }, this.#first, this.#second);
	#also = h("p", { class: "second also" });
	#key = h("button");
	#forget = h("button", { class: "bare forget", type: "button", onclick: () => openForget(this.#house, this.#feed) }, icon("close"));
	/** @type {"join" | "open" | "knock" | "take" | ""} what its key does */
	#does = "";
	/** @type {Array<string | null>} who stands in which row */
	#seats = [null, null, null];
	node;

	/** @param {House} house @param {Feed} feed */
	constructor(house, feed) {
		this.#house = house;
		this.#feed = feed;
		this.#link.href = pathOf(feed.room);
		const head = h("div", { class: "card-head" }, h("h2", {}, this.#link), this.#tag, this.#count);
		const door = h("p", { class: "second card-door" }, this.#lamp, this.#door);
		this.node = h("li", { class: "card" }, head, door, this.#list, this.#body, h("div", { class: "card-foot" }, this.#also, this.#key), this.#forget);
	}

	/** @param {number} now */
	show(now) {
		const { model, title, ended } = this.#feed;
		const here = ended ? [] : model.here();
		setText(find(this.#link, "bdi"), title);
		setText(this.#count, !model.you || (!model.welcomed && !this.#feed.lost) ? "" : here.length ? t("here", { n: here.length }) : t("empty"));
		this.#count.hidden = ended !== "";
		this.#tag.hidden = !model.recording || ended !== "";
		setAttribute(this.node, "data-in", this.#feed === this.#house.stay);
		setAttribute(this.#forget, "aria-label", `${t("forget.name")}: ${title}`);
		this.#forget.hidden = !mayForget(this.#house, this.#feed);
		this.#showDoor();
		this.#showRows(here, now);
		this.#showBody(here);
		this.#showFoot(here);
	}

	/** @param {number} now */
	level(now) {
		for (const row of this.#rows) row.level(this.#feed.model, now);
	}

	/** Its device's lamp and state in words; first comes what is not as it should be. */
	#showDoor() {
		const { model, ended, lost } = this.#feed;
		const [lit, words] = ended ? ["", ""] : lost ? ["slow", t("own.reconnecting")] : model.welcomed ? doorOf(model) : ["slow", t("state.connecting")];
		this.#lamp.hidden = !lit;
		setAttribute(this.#lamp, "data-lamp", lit || "off");
		setText(this.#door, words);
	}

	/** @param {Member[]} here @param {number} now */
	#showRows(here, now) {
		const { model } = this.#feed;
		this.#list.hidden = here.length === 0;
		this.#seats = seat(this.#seats, here, model);
		for (const [n, row] of this.#rows.entries()) row.show(here.find((m) => m.id === this.#seats[n]), model, now);
	}

	/** What stands where nobody does. @param {Member[]} here */
	#showBody(here) {
		const { model, ended, lost } = this.#feed;
		const site = model.site();
		const quiet = site?.site?.door === "closed" && site.site.reasons.includes("quiet hours") ? site.site.quiet_until : null;
		this.#body.hidden = here.length > 0;
		setText(this.#first, ended ? t(`end.${ended}`) : lost ? t("end.network") : "");
		const open = site?.site && site.site.door !== "closed" ? t("overview.nobodyOpen") : t("nobody");
		const empty = quiet ? t("overview.quiet", { time: timeWords(quiet, this.#house.time()) }) : open;
		setText(this.#second, ended ? t(`end.${ended}2`) : lost ? t("end.network2") : model.welcomed ? empty : "");
		setAttribute(this.#second, "class", ended ? "second" : "plain");
	}

	/** @param {Member[]} here */
	#showFoot(here) {
		this.#does = this.#whatToDo(here);
		const others = here.filter((m) => !this.#seats.includes(m.id)).map((m) => isolated(m.name));
		const spoke = this.#feed.model.lastSpoke?.room;
		const idle = this.#does === "knock" ? t("overview.chime") : spoke && !here.length ? t("overview.lastSpoke", { time: timeWords(spoke, this.#house.time()) }) : "";
		const also = others.length ? t("overview.also", { names: others.join(", ") }) : idle;
		setText(this.#also, this.#feed.ended ? "" : this.#does === "open" ? t("overview.in") : also);
		this.#nameKey();
	}

	/** @param {Member[]} here @returns {"join" | "open" | "knock" | "take" | ""} */
	#whatToDo(here) {
		const { model, ended } = this.#feed;
		if (ended) return ended === "elsewhere" ? "take" : "";
		if (this.#feed === this.#house.stay) return "open";
		const shut = model.site()?.site?.door === "closed" && !here.some((m) => m.kind === "person");
		return shut ? "knock" : "join";
	}

	/** A key that does something else is another key: nothing moves, and no press meant for the old one reaches it. */
	#nameKey() {
		const does = this.#does;
		const listens = this.#feed.model.you?.role === "listener" || this.#feed.model.listenOnly !== null;
		const word = t({ join: listens ? "own.listen" : "own.join", open: "overview.open", knock: "knock", take: "end.take", "": "own.join" }[does]);
		const name = `${word}: ${this.#feed.title}`;
		if (this.#key.getAttribute("data-does") === does + name) return;
		const focused = this.#key === document.activeElement;
		const key = h("button", { class: "key", type: "button", "data-does": does + name, "aria-label": name, onclick: () => this.#press() }, ...(does === "knock" ? [icon("knock")] : []), word);
		key.hidden = !does;
		this.#key.replaceWith(key);
		this.#key = key;
		if (focused) key.focus();
	}

	/** Join and knock without going there first; whoever joins stands in the room, at the own key. */
	#press() {
		const { room } = this.#feed;
		if (this.#does === "knock") return this.#house.knock(room);
		if (this.#does === "join" || this.#does === "take") this.#house.join(room);
		this.#house.go(pathOf(room));
		byId("own").focus();
	}
}

/** Lamp and words of a room's device. @param {Model} model @returns {["" | Lit, string]} */
function doorOf(model) {
	const sites = model.sites();
	const away = sites.find((m) => m.state === "connecting" || m.site?.lamps.room === "slow");
	if (away) return ["slow", t("overview.reconnecting", { name: isolated(away.name) })];
	const site = sites.find((m) => m.site)?.site;
	if (!site) return ["", sites.length ? "" : t("overview.noDevice")];
	return [site.door === "closed" ? "off" : "steady", t(`door.${site.door}`)];
}

class Overview {
	#house;
	#title = h("h1", { tabindex: -1 });
	#sum = h("p", { class: "count" });
	#settings = h("button", { class: "bare", type: "button", onclick: () => byId("settings").click() }, icon("settings"));
	#list = h("ul", { class: "cards" });
	#none = h("p", { class: "none", role: "status" });
	node = h("section", { class: "overview" }, h("div", { class: "overview-head" }, this.#title, this.#sum, this.#settings), this.#list, this.#none);
	/** @type {Map<Feed, Card>} */
	#cards = new Map();
	/** @type {Set<Card>} levels are drawn only of what can be seen */
	#inSight = new Set();
	#sight = new IntersectionObserver((entries) => this.#seen(entries), { rootMargin: "64px" });
	#offs;

	/** @param {House} house */
	constructor(house) {
		this.#house = house;
		this.#offs = [house.onChange((feed) => this.#show(feed)), house.onPace((now) => this.#draw(now))];
		this.#show(null);
	}

	close() {
		for (const off of this.#offs) off();
		this.#sight.disconnect();
	}

	/** @param {Feed | null} changed null: all of them */
	#show(changed) {
		const now = performance.now();
		const { all, list } = this.#house.feeds;
		for (const feed of this.#cards.keys()) if (all.get(feed.room) !== feed) this.#drop(feed);
		for (const feed of list) if (!changed || changed === feed || !this.#cards.has(feed)) this.#card(feed).show(now);
		setText(this.#title, t("rooms"));
		setAttribute(this.#settings, "aria-label", t("settings"));
		this.#list.hidden = list.length === 0;
		this.#none.hidden = list.length > 0;
		setText(this.#none, t({ "": "state.connecting", away: "overview.away", told: "overview.none" }[this.#house.feeds.answer]));
		this.#showSum(list.map((feed) => feed.model.speaking.size).filter(Boolean));
	}

	/** @param {number[]} speaking how many, in each room where somebody does */
	#showSum(speaking) {
		const n = speaking.reduce((sum, one) => sum + one, 0);
		const key = n === 0 ? "nobodySpeaks" : n === 1 ? "overview.oneSpeaks" : speaking.length === 1 ? "overview.speakingOne" : "overview.speaking";
		setText(this.#sum, this.#house.feeds.list.length ? t(key, { n, rooms: speaking.length }) : "");
	}

	/** @param {Feed} feed */
	#card(feed) {
		const there = this.#cards.get(feed);
		if (there) return there;
		const card = new Card(this.#house, feed);
		this.#cards.set(feed, card);
		this.#list.append(card.node);
		this.#sight.observe(card.node);
		return card;
	}

	/** Its room was forgotten. @param {Feed} feed */
	#drop(feed) {
		const card = this.#card(feed);
		this.#cards.delete(feed);
		this.#inSight.delete(card);
		this.#sight.unobserve(card.node);
		card.node.remove();
	}

	/** @param {IntersectionObserverEntry[]} entries */
	#seen(entries) {
		for (const { target, isIntersecting } of entries) {
			const card = [...this.#cards.values()].find((one) => one.node === target);
			if (card && isIntersecting) this.#inSight.add(card);
			else if (card) this.#inSight.delete(card);
		}
	}

	/** @param {number} now */
	#draw(now) {
		for (const card of this.#inSight) card.level(now);
	}
}

/** @param {House} house @returns {View} */
export const openOverview = (house) => new Overview(house);
