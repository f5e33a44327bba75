/** The devices page, for admins: every device of the rooms that this browser has an admin's key for, and one of them whole. */

import { DeviceCard } from "./devicecard.js";
import { lampsOf, placeWords } from "./devicefacts.js";
import { focusHeading, h, icon, setAttribute, setText } from "./dom.js";
import { makeLamp } from "./lamps.js";
import { lazy } from "./lazy.js";
import { t, tag } from "./words.js";

/** @typedef {import("./devicecard.js").Entry} Entry */
/** @typedef {"wait" | "away" | "admins" | "none" | "list"} Stage what there is to show */

/** Milliseconds between two looks: seconds are counted, dots fade. */
const EVERY = 500;
/** Milliseconds after which a room that has not answered is not waited for any more. */
const PATIENCE = 3000;

/** @param {Feed} feed */
const isAdmins = (feed) => feed.model.you?.role === "admin";
/** @param {Feed} feed whether it is known by now what one is there */
const isSettled = (feed) => Boolean(feed.model.you || feed.ended || feed.lost);

/** Every device that was told of since this page was opened. None loses its place: rows that come later stand below. */
class Fleet {
	/** @type {Map<string, Entry>} by room and id */
	#entries = new Map();
	#feeds;
	#began = performance.now();

	/** @param {import("./feeds.js").Feeds} feeds */
	constructor(feeds) {
		this.#feeds = feeds;
	}

	get entries() {
		return [...this.#entries.values()];
	}

	/** @returns {Feed[]} of the rooms that one is an admin of */
	get rooms() {
		return this.#feeds.list.filter(isAdmins);
	}

	/** @param {number} now milliseconds @returns {boolean} whether all rooms have answered, or should have by now */
	isKnown(now) {
		const { list, answer } = this.#feeds;
		return (list.length ? list.every(isSettled) : answer !== "") || now - this.#began > PATIENCE;
	}

	/** Whether it is not known what one is in some room, as nobody answers there. */
	get isAway() {
		const { list, answer } = this.#feeds;
		return list.length ? list.some((feed) => !feed.model.you && !feed.ended) : answer !== "told";
	}

	/** @param {number} now milliseconds */
	look(now) {
		for (const entry of this.#entries.values()) this.#refresh(entry, now);
		for (const feed of this.rooms) {
			const sites = [...feed.model.members.values()].filter((member) => member.kind === "site");
			sites.sort((a, b) => a.name.localeCompare(b.name) || a.id.localeCompare(b.id));
			for (const member of sites) this.#meet(feed, member, now);
		}
	}

	/** @param {Feed} feed @param {Member} member @param {number} now */
	#meet(feed, member, now) {
		const key = `${feed.room} ${member.id}`;
		if (this.#entries.has(key)) return;
		const entry = { key, feed, member, seen: { lost: false, gone: false, connectingSince: null, now: 0 } };
		this.#entries.set(key, entry);
		this.#refresh(entry, now);
	}

	/** @param {Entry} entry @param {number} now */
	#refresh(entry, now) {
		const { feed, seen } = entry;
		const member = feed.model.members.get(entry.member.id);
		entry.member = member ?? entry.member;
		seen.now = feed.model.time(now);
		seen.lost = !feed.model.welcomed;
		seen.gone = !seen.lost && !member;
		seen.connectingSince = entry.member.state === "connecting" ? (seen.connectingSince ?? seen.now) : null;
	}

	/** A device's address: by its id, and where two rooms have the same one by its room too. @param {Entry} entry */
	pathOf({ feed, member }) {
		const same = this.entries.filter((other) => other.member.id === member.id);
		return `/devices/${encodeURIComponent(same.length > 1 ? `${feed.room}:${member.id}` : member.id)}`;
	}

	/** @param {string} name the last part of an address */
	find(name) {
		return this.entries.find((entry) => [entry.member.id, `${entry.feed.room}:${entry.member.id}`].includes(name));
	}
}

/** A row of the list: its name leads to the device, MIC and ROOM say their lamps in words too. */
class Row {
	#link = h("a", { class: "device-link" });
	#name = h("bdi", { class: "line" });
	#place = h("span", { class: "second line" });
	#lamps = ["red", "green"].map((colour) => makeLamp(colour, "off"));
	#words = [h("span", { class: "reader" }), h("span", { class: "reader" })];
	node = h(
		"tr",
		{},
		h("th", { scope: "row" }, this.#link),
		...this.#lamps.map((lamp, n) => h("td", {}, lamp, this.#words[n])),
	);

	constructor() {
		this.#link.append(this.#name, this.#place);
	}

	focus() {
		this.#link.focus();
	}

	/** @param {Entry} entry @param {string} path @param {boolean} chosen */
	show(entry, path, chosen) {
		setAttribute(this.#link, "href", path);
		setAttribute(this.#link, "aria-current", chosen ? "true" : null);
		setText(this.#name, entry.member.name);
		setText(this.#place, placeWords(entry.member, entry.seen));
		const { mic, room } = lampsOf(entry.member, entry.seen);
		for (const [n, lit] of [mic, room].entries()) {
			setAttribute(this.#lamps[n], "data-lamp", lit ?? "none");
			setText(this.#words[n], lit ? t(`lamp.${lit}`) : t("devices.unknown"));
		}
	}
}

/** @param {KeyboardEvent} event of the list: the arrows go from device to device */
function walk(event) {
	const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
	if (!step || !(event.currentTarget instanceof Element)) return;
	const links = [...event.currentTarget.querySelectorAll("a")];
	const next = links[links.findIndex((link) => link === document.activeElement) + step];
	if (!next) return;
	event.preventDefault();
	next.focus();
}

/** @implements {View} */
class DevicesPage {
	#house;
	#fleet;
	#device;
	#language = "";
	/** @type {Map<string, Row>} */
	#rows = new Map();
	#body = h("tbody");
	#count = h("th", { scope: "col", class: "label" });
	/** @type {DeviceCard | null} */
	#card = null;
	/** The device that the card was made for. */
	#shown = "";
	#wide = matchMedia("(min-width: 68.75rem)");
	#frame = 0;
	#soon = () => void (this.#frame ||= requestAnimationFrame(() => this.#draw()));
	#off;
	#timer;
	node = h("div", { class: "devices" });

	/** @param {House} house @param {string} device of the address, or "" */
	constructor(house, device) {
		this.#house = house;
		this.#device = device;
		this.#fleet = new Fleet(house.feeds);
		this.#off = house.onChange(this.#soon);
		this.#timer = setInterval(this.#soon, EVERY);
		this.#wide.addEventListener("change", this.#soon);
		this.#draw();
	}

	close() {
		this.#off();
		clearInterval(this.#timer);
		this.#wide.removeEventListener("change", this.#soon);
		cancelAnimationFrame(this.#frame);
	}

	/** Another device was chosen, or on narrow pages the list. @param {Spot} spot */
	show({ device }) {
		const before = this.#device;
		this.#device = device;
		this.#draw();
		if (this.#wide.matches) return;
		if (device) this.#card?.focus();
		else this.#rows.get(this.#fleet.find(before)?.key ?? "")?.focus();
	}

	#draw() {
		this.#frame = 0;
		const now = performance.now();
		this.#fleet.look(now);
		if (this.#language !== tag()) this.#build();
		const stage = this.#stage(now);
		const focused = this.node.dataset.stage !== stage && this.node.contains(document.activeElement);
		if (this.node.dataset.stage !== stage) this.#begin(stage);
		if (stage === "list") this.#list(now);
		if (focused) focusHeading(this.node); // what had it is gone
	}

	/** @param {number} now @returns {Stage} */
	#stage(now) {
		if (this.node.dataset.stage === "list") return "list"; // what is shown stays, whatever becomes of the network
		if (!this.#fleet.isKnown(now)) return "wait";
		if (!this.#fleet.rooms.length) return this.#fleet.isAway ? "away" : "admins";
		return this.#fleet.entries.length ? "list" : "none";
	}

	/** Everything anew, in the language of now. */
	#build() {
		this.#language = tag();
		delete this.node.dataset.stage;
		this.#card = null;
		this.#rows.clear();
		this.#body.replaceChildren();
	}

	/** @param {Stage} stage */
	#begin(stage) {
		this.node.dataset.stage = stage;
		if (stage === "list") this.node.replaceChildren(this.#listNode());
		else if (stage === "wait") this.node.replaceChildren(notice("devices", "state.connecting"));
		else if (stage === "away") this.node.replaceChildren(notice("devices", "overview.away"));
		else if (stage === "admins") this.node.replaceChildren(notice("devices.admins", "devices.admins2"));
		else this.node.replaceChildren(notice("devices", "devices.none", this.#adder()));
	}

	#listNode() {
		const heads = ["MIC", "ROOM"].map((word) => h("th", { scope: "col", class: "label" }, word));
		const head = h("thead", {}, h("tr", {}, this.#count, ...heads));
		const table = h("table", { onkeydown: walk, "aria-label": t("devices") }, head, this.#body);
		return h("nav", { class: "device-list", "aria-label": t("devices") }, h("h1", { tabindex: -1 }, t("devices")), table, this.#adder());
	}

	#adder() {
		return h("button", { class: "key device-add", type: "button", onclick: () => this.#add() }, t("enrol"));
	}

	/** @param {number} now milliseconds */
	#list(now) {
		const { entries } = this.#fleet;
		const n = entries.length;
		setText(this.#count, n === 1 ? t("devices.one") : t("devices.many", { n }));
		const chosen = this.#fleet.find(this.#device) ?? (this.#device ? null : entries[0]);
		for (const entry of entries) this.#row(entry.key).show(entry, this.#fleet.pathOf(entry), entry === chosen);
		setAttribute(this.node, "data-open", this.#device ? "device" : "list");
		this.#showCard(chosen ?? null, now);
	}

	/** @param {string} key */
	#row(key) {
		let row = this.#rows.get(key);
		if (!row) {
			row = new Row();
			this.#rows.set(key, row);
			this.#body.append(row.node);
		}
		return row;
	}

	/** @param {Entry | null} entry @param {number} now */
	#showCard(entry, now) {
		if (!this.#card || this.#shown !== entry?.key) {
			this.#card = null;
			this.#shown = entry?.key ?? "";
			if (entry) this.#card = new DeviceCard(this.#house, back());
			this.node.querySelector(".device-page")?.remove();
			this.node.append(this.#card?.node ?? h("div", { class: "device-page" }, back(), notice("devices.gone", "devices.gone2")));
		}
		if (entry) this.#card?.show(entry, now);
	}

	/** Into one of the rooms that one is an admin of; at first the one of the device that is looked at is meant. */
	async #add() {
		const loaded = await lazy("enrol.js");
		const rooms = this.#fleet.rooms.map((feed) => ({ room: feed.room, title: feed.model.title, token: () => feed.token }));
		const seen = this.#fleet.find(this.#device) ?? this.#fleet.entries[0];
		if (loaded && rooms.length) loaded.openEnrol(this.#house, rooms, seen?.feed.room);
	}
}

/** The way back to the list, on narrow pages. */
function back() {
	return h("a", { class: "device-back", href: "/devices" }, icon("back"), t("devices.back"));
}

/** @param {string} first @param {string} second @param {...Node} more */
function notice(first, second, ...more) {
	return h("div", { class: "devices-notice" }, h("h1", { tabindex: -1 }, t(first)), h("p", {}, t(second)), ...more);
}

/** @param {House} house @param {string} [device] the id in the address @returns {View} */
export function openDevices(house, device = "") {
	return new DevicesPage(house, device);
}
