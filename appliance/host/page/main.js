/** The house: keys, watched rooms, the own stay in one of them, and the views that show them. */

import { start as control } from "./controls.js";
import { byId, setAttribute, setText } from "./dom.js";
import { Feeds } from "./feeds.js";
import { Head } from "./head.js";
import { Hint } from "./hint.js";
import { Keyring } from "./keyring.js";
import { lazy } from "./lazy.js";
import { pace } from "./meters.js";
import { Model, SILENCE } from "./model.js";
import { OwnKey } from "./ownkey.js";
import { PanelLink } from "./panel.js";
import { Place, pathOf, spotOf } from "./place.js";
import { onPrefs } from "./prefs.js";
import { Recording } from "./recording.js";
import { Rooms } from "./rooms.js";
import { RoomView } from "./roomview.js";
import { closeToast, say, toast } from "./say.js";
import { closeSheet, sheet } from "./sheets.js";
import { Stay } from "./stay.js";
import { Views } from "./views.js";
import { onWake } from "./wake.js";
import { isolated, t } from "./words.js";

/** What is known where no room is. */
const NOTHING = new Model();
/** Milliseconds until a part that did not come is asked for again by itself. */
const AGAIN = 30_000;
/** States of the own key in which it is worth saying that nobody hears this. */
const SILENT = ["muted", "adminMuted", "asked", "guest"];

/** @implements {House} */
class Page {
	#keyring;
	feeds;
	/** @type {Feed | null} */
	shown = null;
	#own = new Stay(
		() => this.shown,
		() => this.#ownChanged(),
	);
	playback = this.#own.playback;
	microphone = this.#own.microphone;
	media = this.#own.media;
	session = this.#own.session;
	#place = new Place((spot) => this.#arrive(spot, true));
	/** @type {Set<(feed: Feed | null) => void>} */
	#watchers = new Set();
	/** @type {Set<(now: number) => void>} */
	#drawers = new Set();
	/** @type {Set<(feed: Feed, m: any) => void>} */
	#hearers = new Set();
	/** @type {Set<(code: string, text: string) => void>} */
	#refusals = new Set();
	#head = new Head();
	#views = new Views(this);
	#rooms = new Rooms(this);
	#ownKey = new OwnKey();
	#hint = new Hint();
	#recording = new Recording(this);
	#view;
	/** Whoever asks to be let in is asked about by it; it comes with the first who does. @type {Promise<import("./asks.js").Asks | null> | null} */
	#asks = null;
	/** Forgotten as soon as one is not in them any more: their keys by room. @type {Map<string, string>} */
	#gone = new Map();
	/** What is started after the first joining has been asked for. */
	#settled = false;

	/** @param {Keyring} keyring @param {import("./panel.js").PanelLink | null} panel of the demo */
	constructor(keyring, panel) {
		this.#keyring = keyring;
		this.feeds = new Feeds(keyring, {
			message: (feed, m, known, hand) => this.#message(feed, m, known, hand),
			lost: (feed) => this.#lost(feed),
			ended: (feed, why) => this.#ended(feed, why),
		});
		this.#view = new RoomView(this, panel, (why) => this.#again(why));
		if (!panel) return;
		panel.changed = () => this.#view.device.show();
		panel.open();
	}

	// ---- what the parts of the page work with

	get stay() {
		return this.#own.feed;
	}

	get #subject() {
		return this.shown ?? this.stay;
	}

	get model() {
		return this.#subject?.model ?? NOTHING;
	}

	get room() {
		return this.#subject?.room ?? "";
	}

	token = () => this.#subject?.token ?? "";

	time() {
		return (this.#subject ?? this.feeds.list[0])?.model.time(performance.now()) ?? Date.now() / 1000;
	}

	toast = toast;
	say = say;
	sheet = sheet;

	/** @param {object} message */
	send = (message) => this.#subject?.send(message) ?? false;

	/** @param {string} path */
	go(path) {
		this.#place.go(path);
	}

	/** @param {string} room */
	join(room) {
		this.#own.join(this.feeds.get(room));
	}

	leave() {
		this.#own.leave();
	}

	async knock(room = this.room) {
		(await lazy("asking.js"))?.knock(this, this.feeds.all.get(room));
	}

	/** @param {import("./keyring.js").Link} link */
	keep(link) {
		this.feeds.add(link);
		this.#renew();
	}

	/** @param {string} room @param {string} [told] the key that another tab has forgotten; a newer one stays */
	forget = (room, told = "") => {
		if (room === this.stay?.room) return void this.#gone.set(room, told);
		this.#gone.delete(room);
		if (told && told !== this.#keyring.token(room)) return;
		this.feeds.forget(room, told !== "");
		if (room === this.shown?.room) this.go("/");
		else this.#changed(null);
		if (!this.feeds.list.length) this.#ask();
	};

	onChange = listed(this.#watchers);
	onRefused = listed(this.#refusals);
	onMessage = listed(this.#hearers);
	onPace = listed(this.#drawers);

	// ---- the start, and where one is

	start() {
		onPrefs(() => this.#prefsChanged());
		this.#prefsChanged();
		control(this, { stay: this.#own, rooms: this.#rooms, view: this.#view });
		pace((now) => this.#draw(now));
		setInterval(() => this.#second(performance.now()), 1000);
		onWake((slept) => this.#woke(slept));
		this.#keyring.onForgotten(this.forget);
		addEventListener("pagehide", () => this.session.leave());
		if (matchMedia("(display-mode: standalone)").matches || navigator.serviceWorker?.controller) this.#settleIn();
		addEventListener("pageshow", (event) => event.persisted && location.reload());
		addEventListener("hashchange", () => location.reload()); // another link for this room
		this.#enter();
	}

	/** The room of the address is watched first, then the others. */
	#enter() {
		const { address } = this.#keyring;
		const spot = spotOf(location.pathname);
		if (spot.view === "overview" && address.room) history.replaceState(null, "", pathOf(address.room) + location.hash);
		this.#arrive(this.#place.spot);
		this.feeds.open();
		if (this.#keyring.rooms.length) this.#changed(null);
		else this.#ask();
	}

	/** Without any key, the host is asked for its rooms. */
	async #ask() {
		await this.feeds.ask(() => this.#changed(null));
		if (this.#place.spot.view === "overview") this.#arrive(this.#place.spot);
		else this.#changed(null);
	}

	/** @param {Spot} spot @param {boolean} [moved] somebody went there: the focus goes with them, to what the place is called */
	#arrive(spot, moved = false) {
		const { list } = this.feeds;
		/** @type {Spot} */
		const to = spot.view === "overview" && list.length === 1 ? { ...spot, view: "room", room: list[0].room } : spot;
		this.#rooms.close();
		closeSheet();
		this.shown = to.view === "room" ? this.feeds.get(to.room) : null;
		this.#views.show(to, moved);
		if (!this.stay) this.#own.turnTo(this.shown);
		this.#view.enter(this.shown);
		this.#changed(this.shown);
		if (moved && to.view === "room") byId("title").focus();
	}

	// ---- what the feeds hear

	/** @param {Feed} feed @param {any} m @param {boolean} known @param {boolean} hand whether our own was up before */
	#message(feed, m, known, hand) {
		if (m.type === "welcome" && feed === this.shown) this.#view.refuse("");
		if (m.type !== "levels" && feed === this.#own.target) this.#own.hear(m, hand);
		if (!known) this.#event(feed, m);
		else if (m.type !== "levels") this.#changed(feed);
		else if (feed.turned) this.#spoken(feed);
		if (m.type !== "levels") for (const hear of this.#hearers) hear(feed, m);
	}

	/** @param {Feed} feed @param {any} m that says something happened */
	#event(feed, m) {
		const near = feed === this.#own.target || feed === this.shown;
		if (m.type === "knock") this.#knocked(feed, m.by, near);
		else if (m.type === "error") for (const refused of this.#refusals) refused(String(m.code), String(m.text ?? ""));
		else if (near && m.type === "device_asks") toast(t("toast.deviceAsks", { name: m.device.name }), "knock");
	}

	/** Whom we may let in is asked about; whoever else knocks is told. @param {Feed} feed @param {{id: string, name: string}} by @param {boolean} near */
	async #knocked(feed, by, near) {
		if (by.id === feed.model.you?.id) return;
		if (near && feed.model.letsIn && (await this.#asker())?.knocked(feed, by)) return;
		const name = isolated(by.name);
		toast(near ? t("knocks", { name }) : t("knocksAt", { name, room: feed.title }), "knock");
	}

	/** A newer key takes the place of the older; in the room that one is in, once one has left. */
	#renew() {
		for (const feed of this.feeds.list) if (feed !== this.stay) feed.renew();
	}

	/** When it does not come, that is said, and it is asked for again later. */
	#asker() {
		this.#asks ??= lazy("asks.js").then((loaded) => {
			if (loaded) return new loaded.Asks(this);
			setTimeout(() => (this.#asks = null), AGAIN);
			return null;
		});
		return this.#asks;
	}

	/** @param {Feed} feed */
	#lost(feed) {
		if (feed === this.#own.target) this.#own.lost();
		this.#changed(feed);
	}

	/** @param {Feed} feed @param {string} why */
	#ended(feed, why) {
		const own = feed === this.#own.target;
		if (own) this.#own.end();
		if (feed === this.shown) this.#view.refuse(why);
		else if (own) {
			toast(`${isolated(feed.title)}: ${t(`end.${why}`)}`, "warn", "alert");
			this.#own.turnTo(this.shown);
		}
		this.#changed(feed);
	}

	/** @param {string} why it had ended */
	#again(why) {
		const feed = this.shown;
		if (!feed) return;
		this.#view.refuse("");
		if (why === "elsewhere") this.#own.join(feed);
		else feed.open();
	}

	/** @param {number} slept milliseconds */
	async #woke(slept) {
		if (await this.session.woke(slept)) for (const feed of this.feeds.list) feed.presence.renew();
	}

	// ---- what is shown

	#prefsChanged() {
		const reworded = this.#head.dress();
		this.#changed(this.shown);
		this.#ownChanged();
		this.#views.nameWindow();
		if (!reworded) return;
		closeToast(); // it has been read; what stands for a while does so in the language of now
		this.#own.show();
	}

	/** Something of a room is another: its view, the strip, and whoever watches draw it anew. @param {Feed | null} feed */
	#changed(feed) {
		const speaker = [this.shown, this.stay, ...this.feeds.list].find((one) => one?.model.you);
		this.#head.show(speaker?.model, this.#keyring.name, this.feeds.isAsking);
		this.#rooms.show();
		if (feed === this.shown) {
			setAttribute(document.documentElement, "data-levels", this.model.realLevels ? "real" : "none");
			this.#view.show(performance.now());
		}
		this.#told(feed);
	}

	/** The own stay is another. */
	#ownChanged() {
		this.#ownKey.show(this.#own.own);
		setAttribute(byId("hand"), "aria-pressed", this.session.hand);
		this.#rooms.show();
		this.#told(this.#own.target);
		this.#renew();
		for (const told of this.#gone) queueMicrotask(() => this.forget(...told));
		if (this.session.phase === "in") this.#settleIn();
	}

	/** @param {Feed | null} feed */
	#told(feed) {
		this.#showAway();
		this.#recording.show();
		for (const watcher of this.#watchers) watcher(feed);
		const { model } = this.stay ?? this;
		if (!this.#asks && model.letsIn && [...model.members.values()].some((member) => member.hand)) this.#asker();
	}

	/** Others speak than before; the levels themselves are drawn at the meters' pace. @param {Feed} feed */
	#spoken(feed) {
		if (feed === this.shown) {
			this.#view.show(performance.now());
			this.#view.announce();
		}
		for (const watcher of this.#watchers) watcher(feed);
	}

	/** Media keys, notifications, the worker: nobody misses them before the first stay; whoever comes again has them at once. */
	async #settleIn() {
		if (this.#settled) return;
		this.#settled = true;
		(await lazy("later.js"))?.start(this);
	}

	/** In one room, and looking elsewhere: where one is, the way back, and the way in here. */
	#showAway() {
		const { stay, shown } = this;
		const away = stay !== null && stay !== shown;
		setAttribute(document.body, "data-stay", stay ? (away ? "away" : "here") : null);
		byId("away").hidden = !away;
		setAttribute(document.body, "data-dock", stay || (shown && !shown.ended) ? null : "none");
		if (!away) return;
		setText(byId("away-room"), stay.title);
		setAttribute(byId("away-back"), "href", pathOf(stay.room));
		byId("away-join").hidden = !shown || shown.ended !== "";
	}

	/** The meters' pace. @param {number} now */
	#draw(now) {
		const level = this.microphone.level();
		this.#view.level(now);
		this.#rooms.level(now);
		this.#ownKey.level(this.session.live ? level : SILENCE, now);
		this.#hint.update(SILENT.includes(this.session.own), level, now);
		for (const draw of this.#drawers) draw(now);
	}

	/** @param {number} now */
	#second(now) {
		for (const feed of this.feeds.list) feed.model.tick(now);
		this.#view.second(now);
		for (const watcher of this.#watchers) watcher(null);
	}
}

/** @template T @param {Set<T>} all @returns {(one: T) => () => void} puts one of them down, and gives what strikes it out */
function listed(all) {
	return (one) => {
		all.add(one);
		return () => void all.delete(one);
	};
}

const keyring = new Keyring();
const { panel: word, room } = keyring.address;
const panel = word ? new PanelLink(word, room) : null;
new Page(keyring, panel).start();
