/** One device on the devices page: gate and reasons, direction, proof of mute, settings, health. Fixed places, changing texts. */

import { askToUnmute } from "./asking.js";
import { openBundle } from "./bundle.js";
import { configFacts, figure, gateRows, healthRows, proofWords, REASONS, stateWords } from "./devicefacts.js";
import { h, icon, setAttribute, setIcon, setText } from "./dom.js";
import { UNKNOWN, makeLamp } from "./lamps.js";
import { Polar } from "./polar.js";
import { t } from "./words.js";

/** @typedef {{key: string, feed: Feed, member: Member, seen: import("./devicefacts.js").Seen}} Entry of the list of devices */

/** A cell of the sheet with its title. @param {string} name @param {...Node} content */
function cell(name, ...content) {
	const title = h("h2", { id: `device-${name}-title` }, t(name === "gate" ? "gate.closed" : name));
	return { title, node: h("section", { class: `cell cell-${name}`, "aria-labelledby": title.id }, title, ...content) };
}

/** A line of terms and their values that are written later. @param {string} className @param {number} n */
function lines(className, n) {
	const rows = [...Array(n).keys()].map(() => {
		const [mark, term, value] = [h("span", { class: "mark-of" }), h("span"), h("dd")];
		return { mark, term, value, node: h("div", {}, h("dt", {}, mark, term), value) };
	});
	return { rows, node: h("dl", { class: className }, ...rows.map((row) => row.node)) };
}

/** Why a part of the details is not there. @param {Site} site @param {string} [word] for a device that tells others */
const missing = (site, word = "devices.untold") => t(site.details ? word : "devices.older");

class Gate {
	#note = h("p", { class: "second" });
	#lines = lines("facts", REASONS.length);
	#lamps = this.#lines.rows.map(({ mark }) => {
		const lamp = makeLamp("red", "off");
		mark.append(lamp);
		return lamp;
	});
	#cell = cell("gate", this.#note, this.#lines.node);
	node = this.#cell.node;

	/** @param {Site} site @param {number} now */
	show(site, now) {
		const open = site.gate === "open";
		setText(this.#cell.title, t(open ? "gate.open" : "gate.closed"));
		setText(this.#note, t(open ? (site.details?.held ? "gate.clear" : "gate.clearOnly") : "device.hand"));
		const rows = gateRows(site, now);
		for (const [n, { node, term, value }] of this.#lines.rows.entries()) {
			const row = rows[n];
			node.hidden = !row;
			if (!row) continue;
			setText(term, row.word);
			setText(value, row.words);
			setAttribute(this.#lamps[n], "data-lamp", row.holds ? "steady" : "off");
			node.classList.toggle("holds", row.holds);
			node.classList.toggle("brief", row.words.length < 6);
		}
	}
}

class Proof {
	#number = h("b");
	#sign = icon("warn");
	#words = h("p", { class: "second" });
	node = cell("proof", h("p", { class: "proof-number" }, this.#number, this.#sign), this.#words).node;

	/** @param {Site} site @param {number} now */
	show(site, now) {
		const proof = site.details?.proof;
		setText(this.#number, proof?.violations === undefined ? "–" : figure(proof.violations));
		setText(this.#words, proof ? proofWords(proof, now) : missing(site));
		setAttribute(this.#sign, "class", proof?.violations ? "icon bad" : "icon unknown");
	}
}

class Config {
	#lines = lines("facts", 5);
	#older = h("p", { class: "second" });
	node = cell("config", this.#older, this.#lines.node).node;

	/** @param {Site} site @param {number} now */
	show(site, now) {
		const config = site.details?.config;
		setText(this.#older, config ? "" : missing(site, "config.none"));
		this.#older.hidden = Boolean(config);
		for (const [n, fact] of configFacts(config ?? {}, now).entries()) {
			const { term, value } = this.#lines.rows[n];
			setText(term, t(fact.word));
			setText(value, fact.value);
			setAttribute(value, "class", fact.mono ? "mono" : null);
			setAttribute(value, "title", fact.full ?? null);
		}
	}
}

class Health {
	#older = h("p", { class: "second" });
	#rows = healthRows(undefined).map(() => {
		const [picture, term, value, limit, said] = [icon("check"), h("span"), h("b"), h("span", { class: "second" }), h("span", { class: "reader" })];
		limit.setAttribute("aria-hidden", "true");
		return { picture, term, value, limit, said, node: h("div", {}, h("dt", {}, picture, term), h("dd", {}, value, limit, said)) };
	});
	#ways = h("ul", { class: "ways second" });
	node = cell("health", this.#older, h("dl", { class: "health" }, ...this.#rows.map((row) => row.node)), this.#ways).node;

	/** @param {Site} site */
	show(site) {
		const told = site.details?.health;
		setText(this.#older, told ? "" : missing(site));
		this.#older.hidden = Boolean(told);
		const rows = healthRows(told);
		for (const [n, row] of rows.entries()) {
			const { picture, term, value, limit, said } = this.#rows[n];
			setIcon(picture, row.good === false ? "warn" : "check");
			setAttribute(picture, "class", row.good === null ? "icon unknown" : row.good ? "icon" : "icon bad");
			setText(term, row.word);
			setText(value, row.value);
			setText(limit, row.limit);
			setText(said, row.good === null ? "" : `, ${row.limitInFull}: ${t(row.good ? "health.good" : "health.bad")}`);
		}
		const ways = rows.map((row) => row.way).filter(Boolean);
		if (this.#ways.getAttribute("data-of") === ways.join("|")) return;
		setAttribute(this.#ways, "data-of", ways.join("|"));
		this.#ways.replaceChildren(...ways.map((way) => h("li", {}, icon("warn"), way)));
	}
}

export class DeviceCard {
	#house;
	/** @type {Entry | null} */
	#entry = null;
	#title = h("h1", { tabindex: -1 });
	#name = h("bdi");
	#state = h("p", { class: "device-state" });
	#mute = this.#key("devices.mute", () => this.#muteIt());
	#ask = this.#key("device.ask", () => this.#askRoom());
	#bundle = this.#key("bundle", () => this.#openBundle());
	#gate = new Gate();
	#polar = new Polar();
	#proof = new Proof();
	#config = new Config();
	#health = new Health();

	/** @param {House} house @param {Node} back the way back to the list, on narrow pages */
	constructor(house, back) {
		this.#house = house;
		this.#title.append(this.#name);
		const keys = h("div", { class: "device-keys" }, this.#mute, this.#ask, this.#bundle);
		const head = h("div", { class: "device-head" }, h("div", { class: "device-names" }, this.#title, this.#state), keys);
		const plot = cell("polar", h("p", { class: "second" }, t("polar.when")), this.#polar.node).node;
		const facts = h("div", { class: "device-facts" }, this.#proof.node, this.#config.node);
		const sheet = h("div", { class: "device-sheet" }, this.#gate.node, plot, facts, this.#health.node);
		this.node = h("article", { class: "device-page" }, back, head, sheet);
	}

	/** @param {string} word @param {() => void} press */
	#key(word, press) {
		return h("button", { class: "key", type: "button", onclick: press }, t(word));
	}

	focus() {
		this.#title.focus();
	}

	/** @param {Entry} entry @param {number} now milliseconds */
	show(entry, now) {
		this.#entry = entry;
		const { member, feed, seen } = entry;
		const site = member.site ?? UNKNOWN;
		setText(this.#name, member.name);
		setText(this.#state, stateWords(member, seen));
		this.#showKeys(site.gate === "open", Boolean(site.details?.bundle));
		this.#gate.show(site, seen.now);
		this.#proof.show(site, seen.now);
		this.#config.show(site, seen.now);
		this.#health.show(site);
		this.#polar.show(heard(site, feed.model, member, seen.lost), now);
	}

	/** Mute gives its place to the question and back; whoever stood on it with the keyboard stays there. @param {boolean} open @param {boolean} bundle */
	#showKeys(open, bundle) {
		const [shown, gone] = open ? [this.#mute, this.#ask] : [this.#ask, this.#mute];
		const focused = document.activeElement === gone;
		shown.hidden = false;
		gone.hidden = true;
		this.#bundle.hidden = !bundle;
		if (focused) shown.focus();
	}

	#muteIt() {
		const sent = this.#entry?.feed.send({ type: "mute", member: this.#entry.member.id });
		if (!sent) this.#house.toast(`${t("end.network")} ${t("end.network2")}`, "warn", "alert");
	}

	/** Opening can only be asked for: a hand in the room decides. */
	#askRoom() {
		if (this.#entry) askToUnmute(this.#house, this.#entry.feed, this.#entry.member.id);
	}

	#openBundle() {
		if (!this.#entry) return;
		const { feed, member } = this.#entry;
		openBundle(this.#house, { room: feed.room, token: feed.token, device: member.id }, member.name);
	}
}

/**
 * What the plot is drawn of; nothing of a closed gate, and nothing while the page itself does not hear.
 * @param {Site} site @param {Model} model @param {Member} member @param {boolean} lost
 * @returns {import("./polar.js").Heard}
 */
function heard(site, model, member, lost) {
	const mics = site.details?.array?.mics ?? [];
	const direction = site.gate === "open" && !lost ? (site.direction ?? null) : null;
	return {
		open: site.gate === "open",
		direction,
		level: model.realLevels ? model.level(member.id) : -12,
		speaking: model.speaking.has(member.id),
		mics,
		error: site.details?.direction_error ?? null,
		tells: direction !== null || mics.length > 1,
	};
}
