/** The house: keys, watched rooms, the own stay in one of them, and the views that show them. */

import { askRooms } from "./address.js";
import { Asks } from "./asks.js";
import { byId, setAttribute, setIcon, setText } from "./dom.js";
import { Feeds } from "./feeds.js";
import { Hint } from "./hint.js";
import { Keyring } from "./keyring.js";
import { listen } from "./keys.js";
import { lazy } from "./lazy.js";
import { Media } from "./media.js";
import { pace } from "./meters.js";
import { Microphone } from "./microphone.js";
import { Model, SILENCE } from "./model.js";
import { OwnKey } from "./ownkey.js";
import { PanelLink } from "./panel.js";
import { Place, pathOf, spotOf } from "./place.js";
import { Playback } from "./playback.js";
import { onPrefs, prefs, setPrefs } from "./prefs.js";
import { Recording } from "./recording.js";
import { Rooms } from "./rooms.js";
import { RoomView } from "./roomview.js";
import { closeToast, notice, say, toast } from "./say.js";
import { Session } from "./session.js";
import { closeSheet, sheet } from "./sheets.js";
import { drawMark, drawSign, makeSign } from "./signs.js";
import { onWake } from "./wake.js";
import { isolated, setLanguage, t, translate } from "./words.js";

const root = document.documentElement;
const wide = matchMedia("(min-width: 68.75rem)");
/** Milliseconds after which a lost socket is called "no network". */
const PATIENCE = 2000;
const THEMES = /** @type {const} */ (["auto", "light", "dark"]);
/** What is known where no room is. */
const NOTHING = new Model();
/** The views that are not there at the first look: module and style. */
const VIEWS = {
	overview: ["overview.js", "overview.css", "openOverview"],
	devices: ["devices.js", "devices.css", "openDevices"],
};

/** @implements {House} */
class Page {
	#keyring = new Keyring();
	feeds = new Feeds(this.#keyring, {
		message: (feed, m, known, hand) => this.#message(feed, m, known, hand),
		lost: (feed) => this.#lost(feed),
		ended: (feed, why) => this.#ended(feed, why),
	});
	#place = new Place((spot) => this.#arrive(spot));
	/** @type {Spot} */
	#spot = { view: "overview", room: "", device: "" };
	/** @type {Feed | null} */
	shown = null;
	/** The room that the own stay is about. @type {Feed | null} */
	#target = null;
	playback = new Playback((event, detail) => this.#played(event, detail));
	microphone = new Microphone(() => this.session.microphoneChanged());
	media = new Media(
		() => this.#target?.room ?? "",
		() => this.#target?.token ?? "",
		{ track: (slot, track) => this.playback.play(slot, track), lost: () => this.session.mediaLost() },
	);
	session = new Session({
		media: this.media,
		microphone: this.microphone,
		send: (message) => this.#target?.send(message) ?? false,
		changed: () => this.#ownChanged(),
		tell: (event, detail) => this.#tell(event, detail),
	});
	#view;
	#rooms = new Rooms(this);
	#ownKey = new OwnKey();
	#hint = new Hint();
	#recording = new Recording(this);
	#ownSign = makeSign();
	/** @type {View | null} */
	#other = null;
	#otherView = "";
	/** @type {Set<(feed: Feed | null) => void>} */
	#watchers = new Set();
	/** @type {Set<(now: number) => void>} */
	#drawers = new Set();
	/** @type {Set<(feed: Feed, m: any) => void>} */
	#hearers = new Set();
	/** What is started after the first joining has been asked for. */
	#settled = false;
	/** @type {Set<(code: string, text: string) => void>} */
	#refusals = new Set();
	#asks = new Asks(this);
	#toldOfMute = false;
	/** Join as soon as this room answers. */
	#joins = "";
	#offline = false;
	#fullTimer = 0;
	#lostTimer = 0;

	constructor() {
		const { panel, room } = this.#keyring.address;
		const link = panel ? new PanelLink(panel, room, () => this.#view?.device.show()) : null;
		this.#view = new RoomView(this, link, (why) => this.#again(why));
		link?.open();
	}

	// ---- what the parts of the page work with

	get stay() {
		return this.session.phase === "out" ? null : this.#target;
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
		const feed = this.feeds.get(room);
		if (this.stay === feed) return;
		if (this.stay) this.session.leave();
		this.#turnTo(feed);
		this.#joins = feed.model.you && !feed.ended ? "" : room; // what we may do there is not known yet
		if (!this.#joins) this.session.join();
		else if (feed.ended) feed.open();
		this.#ownChanged();
	}

	leave() {
		this.#joins = "";
		this.session.leave();
		this.#ownChanged();
	}

	knock(room = this.room) {
		if (this.feeds.all.get(room)?.send({ type: "knock" })) toast(t("knocked"), "knock");
	}

	/** @param {(feed: Feed | null) => void} changed */
	onChange(changed) {
		this.#watchers.add(changed);
		return () => void this.#watchers.delete(changed);
	}

	/** @param {(code: string, text: string) => void} refused */
	onRefused(refused) {
		this.#refusals.add(refused);
		return () => void this.#refusals.delete(refused);
	}

	/** @param {(feed: Feed, m: any) => void} heard */
	onMessage(heard) {
		this.#hearers.add(heard);
		return () => void this.#hearers.delete(heard);
	}

	/** @param {(now: number) => void} draw */
	onPace(draw) {
		this.#drawers.add(draw);
		return () => void this.#drawers.delete(draw);
	}

	// ---- the start, and where one is

	start() {
		for (const mark of document.querySelectorAll(".mark")) drawMark(mark);
		byId("self-sign").append(this.#ownSign);
		onPrefs(() => this.#prefsChanged());
		this.#prefsChanged();
		wide.addEventListener("change", closeSheet);
		this.#buttons();
		listen(this.#actions());
		pace((now) => this.#draw(now));
		setInterval(() => this.#second(performance.now()), 1000);
		onWake((slept) => this.#woke(slept));
		addEventListener("pagehide", () => this.session.leave());
		if (matchMedia("(display-mode: standalone)").matches || navigator.serviceWorker?.controller) this.#settleIn();
		addEventListener("pageshow", (event) => event.persisted && location.reload());
		addEventListener("hashchange", () => location.reload()); // another link for this room
		this.#enter();
	}

	/** The room of the address is watched first, then the others. */
	async #enter() {
		const { address } = this.#keyring;
		const spot = spotOf(location.pathname);
		if (spot.view === "overview" && address.room) history.replaceState(null, "", pathOf(address.room) + location.hash);
		this.#arrive(this.#place.spot);
		this.feeds.open();
		if (this.#keyring.rooms.length) return this.#changed(null);
		for (const { id, token } of await askRooms()) this.feeds.get(id, token);
		if (this.#spot.view === "overview") this.#arrive(this.#place.spot);
		else this.#changed(null);
	}

	/** @param {Spot} spot */
	async #arrive(spot) {
		const { list } = this.feeds;
		this.#spot = spot.view === "overview" && list.length === 1 ? { ...spot, view: "room", room: list[0].room } : spot;
		const { view, room } = this.#spot;
		setAttribute(document.body, "data-view", view);
		this.#rooms.close();
		closeSheet();
		this.shown = view === "room" ? this.feeds.get(room) : null;
		if (!this.stay) this.#turnTo(this.shown);
		this.#view.enter(this.shown);
		for (const [name, id] of [["room", "place-rooms"], ["overview", "place-rooms"], ["devices", "place-devices"]]) {
			if (name === view || id === "place-devices") setAttribute(byId(id), "aria-current", name === view ? "page" : null);
			else if (view === "devices") setAttribute(byId(id), "aria-current", null);
		}
		this.#changed(this.shown);
		await this.#showOther();
	}

	/** The overview and the devices page come when they are first wanted. */
	async #showOther() {
		const { view } = this.#spot;
		if (view === this.#otherView) return this.#other?.show?.(this.#spot);
		this.#other?.close?.();
		this.#other = null;
		this.#otherView = view;
		byId("page").replaceChildren();
		if (view === "room") return;
		this.#nameWindow();
		const [module, style, open] = VIEWS[view];
		const loaded = await lazy(module, style);
		if (view !== this.#otherView || this.#other) return; // one is elsewhere by now, or came here twice meanwhile
		if (!loaded) {
			this.#otherView = ""; // it can be tried again
			return;
		}
		const opened = loaded[open](this, this.#spot.device);
		this.#other = opened instanceof Node ? { node: /** @type {HTMLElement} */ (opened) } : opened;
		byId("page").replaceChildren(/** @type {View} */ (this.#other).node);
	}

	/** A room names it by itself. */
	#nameWindow() {
		const { view } = this.#spot;
		if (view !== "room") document.title = `${t(view === "devices" ? "devices" : "rooms")} · Kontor`;
	}

	/** From now on the own stay is about this room. @param {Feed | null} feed */
	#turnTo(feed) {
		if (feed === this.#target) return;
		this.#target = feed;
		this.#toldOfMute = false;
		if (this.#joins !== feed?.room) this.#joins = "";
		this.#stopWaiting();
		clearTimeout(this.#lostTimer);
		this.#lostTimer = 0;
		this.#offline = false;
		notice("");
		const self = feed?.model.self();
		const known = self ?? feed?.model.you;
		if (known) this.#permit(known.role);
		if (feed?.model.welcomed) this.#settle(feed);
		else this.session.presenceLost();
		if (self) this.session.told(self);
		else this.session.hand = false;
		this.#ownChanged();
	}

	#buttons() {
		/** @type {Record<string, () => void>} */
		const presses = {
			skip: () => byId(document.body.dataset.dock ? "page" : "own").focus(),
			language: () => setPrefs({ language: prefs.language === "de" ? "en" : "de" }),
			theme: () => setPrefs({ theme: THEMES[(THEMES.indexOf(prefs.theme) + 1) % 3] }),
			settings: () => this.#open("settings.js", "openSettings"),
			more: () => this.#open("settings.js", "openMore"),
			knock: () => this.knock(),
			hand: () => this.session.raiseHand(!this.session.hand),
			leave: () => this.leave(),
			"recording-leave": () => this.leave(),
			sound: () => this.#open("soundsheet.js", "openSound"),
			widget: () => this.#open("widget.js", "toggleWidget"),
			link: () => this.#open("admin.js", "openAdmin", "link"),
			"away-join": () => this.shown && this.join(this.shown.room),
			"lamp-strip": () => this.#deviceSheet(),
			"device-add": () => this.#open("enrol.js", "openEnrol"),
		};
		for (const [id, press] of Object.entries(presses)) byId(id).onclick = press;
	}

	/** Open what is not there at the first look; it brings its own style. @param {string} module @param {string} name of what opens it @param {...any} what */
	async #open(module, name, ...what) {
		(await lazy(module))?.[name](this, ...what);
	}

	/** @returns {Actions} */
	#actions() {
		const { session } = this;
		return {
			press: () => this.#press(),
			hold: () => session.hold(),
			release: (atOnce) => session.release(atOnce),
			room: (n) => this.#rooms.go(n),
			close: () => closeSheet() || this.#view.members.closeMenu() || this.#rooms.close() || closeToast() || this.#stopWaiting(),
			letters: {
				m: () => ["muted", "live", "held"].includes(session.own) && session.press(),
				j: () => this.shown && this.join(this.shown.room),
				h: () => session.raiseHand(!session.hand),
				k: () => this.knock(),
				w: () => this.#open("widget.js", "toggleWidget"),
				d: () => (wide.matches ? byId("aside").focus() : this.#deviceSheet()),
				"?": () => closeSheet() || this.#open("settings.js", "openKeyboard"),
			},
		};
	}

	#press() {
		if (this.session.phase === "out" && this.shown && !this.session.listener) this.join(this.shown.room);
		else this.session.press();
	}

	// ---- what the feeds hear

	/** @param {Feed} feed @param {any} m @param {boolean} known @param {boolean} hand whether our own was up before */
	#message(feed, m, known, hand) {
		const own = feed === this.#target;
		if (known) {
			if (m.type === "welcome") this.#welcome(feed);
			if (own && feed.model.isOwn(m)) this.#selfChanged(feed, hand);
			if (own && (m.type === "welcome" || m.type === "slots")) this.playback.seat(feed.model.slots);
			if (m.type !== "levels") this.#changed(feed);
			else if (feed.turned) this.#spoken(feed);
		} else if (m.type === "knock" && m.by.id !== feed.model.you?.id) this.#knocked(feed, m.by);
		else if (feed === this.#target || feed === this.shown) this.#event(feed, m);
		if (m.type !== "levels") for (const hear of this.#hearers) hear(feed, m);
	}

	/** @param {Feed} feed @param {any} m that says something happened */
	#event(feed, m) {
		const own = feed === this.#target;
		if (own && m.type === "muted_by_admin") this.#mutedByAdmin();
		else if (own && m.type === "admin_mute_lifted") toast(t("toast.canSpeak"), "mic");
		else if (own && m.type === "asked_to_unmute") toast(t("toast.asked", { name: m.by.name }), "mic");
		else if (m.type === "error") for (const refused of this.#refusals) refused(String(m.code), String(m.text ?? ""));
		else if (m.type === "device_asks") toast(t("toast.deviceAsks", { name: m.device.name }), "knock");
	}

	/** Whom we may let in is asked about; whoever else knocks is told. @param {Feed} feed @param {{id: string, name: string}} by */
	#knocked(feed, by) {
		if (this.#asks.knocked(feed, by)) return;
		const name = isolated(by.name);
		const near = feed === this.#target || feed === this.shown;
		toast(near ? t("knocks", { name }) : t("knocksAt", { name, room: feed.title }), "knock");
	}

	/** @param {Feed} feed */
	#welcome(feed) {
		if (feed === this.shown) this.#view.refuse("");
		if (feed !== this.#target) return;
		clearTimeout(this.#lostTimer);
		this.#lostTimer = 0;
		this.#settle(feed);
		if (this.#joins === feed.room) this.#joinNow();
	}

	#joinNow() {
		this.#joins = "";
		this.session.join();
	}

	/** The host has answered: what we may do there, and what of our stay it still has. @param {Feed} feed */
	#settle(feed) {
		if (this.session.phase !== "in") this.#rest();
		this.#permit(feed.model.you?.role ?? "");
		this.session.welcomed(feed.model.self()?.joined ?? false);
		this.playback.seat(feed.model.slots);
	}

	/** @param {Feed} feed @param {boolean} hand whether it was up before */
	#selfChanged(feed, hand) {
		const self = feed.model.self();
		if (!self) return;
		this.#permit(self.role);
		this.session.told(self);
		this.#toldOfMute &&= self.admin_muted;
		if (self.hand !== hand) say(t(self.hand ? "said.handUp" : "said.handDown"));
	}

	/** @param {string} role */
	#permit(role) {
		this.session.permit(role, this.#target?.model.listenOnly !== null);
	}

	/** Told once for each mute, though the host says it again whenever the socket comes back. */
	#mutedByAdmin() {
		this.session.muteByAdmin();
		if (this.#toldOfMute || this.session.phase !== "in") return;
		this.#toldOfMute = true;
		toast(t("toast.adminMuted"), "lock", "alert");
	}

	/** @param {Feed} feed */
	#lost(feed) {
		if (feed === this.#target) {
			this.session.presenceLost();
			this.#lostTimer ||= setTimeout(() => this.#noNetwork(), PATIENCE);
		}
		this.#changed(feed);
	}

	#noNetwork() {
		this.#offline = true;
		notice(t("end.network"), t("end.network2"));
	}

	/** @param {Feed} feed @param {string} why */
	#ended(feed, why) {
		if (feed === this.#target) {
			this.#joins = "";
			this.#offline = false;
			notice("");
			this.#stopWaiting();
			clearTimeout(this.#lostTimer);
			this.session.end();
			this.playback.stop();
		}
		if (feed === this.shown) this.#view.refuse(why);
		else if (feed === this.#target) {
			toast(`${isolated(feed.title)}: ${t(`end.${why}`)}`, "warn", "alert");
			this.#turnTo(this.shown);
		}
		this.#changed(feed);
	}

	/** @param {string} why it had ended */
	#again(why) {
		const feed = this.shown;
		if (!feed) return;
		if (why === "elsewhere") this.#joins = feed.room;
		this.#view.refuse("");
		feed.open();
	}

	// ---- the own stay

	/** @param {string} event of the session @param {any} detail */
	#tell(event, detail) {
		this.#stopWaiting();
		if (event === "left") {
			this.playback.stop();
			this.#rest();
		}
		if (event === "full") this.#waitForPlace(Math.ceil(detail));
		else if (event === "ended") this.#target?.end(detail);
		else if (event === "admitted") toast(t("toast.canSpeak"), "mic");
		else if (event === "microphone") toast(t("toast.microphone", { name: detail }), "mic-off");
		else if (event !== "network") say(t(`said.${event}`));
		else if (detail) this.#noNetwork();
		else this.#rest();
		if (event === "left" && this.shown !== this.#target) queueMicrotask(() => this.stay || this.#turnTo(this.shown));
	}

	/** Nothing is the matter, but for what holds as long as this page is open. */
	#rest() {
		this.#offline = false;
		if (this.playback.blocked) return notice(t("blocked"), t("blocked2"), () => this.playback.unblock(), "blocked.start");
		const open = this.session.phase === "out" && this.#target?.model.listenOnly === "no_https";
		notice(open ? t("noHttps") : "", open ? t("noHttps2") : "");
	}

	/** @param {number} seconds until the next try */
	#waitForPlace(seconds) {
		const show = () => notice(t("end.full"), t("end.full2", { n: seconds }), () => this.session.join());
		show();
		this.#fullTimer = setInterval(() => {
			seconds -= 1;
			if (seconds > 0) show();
			else this.session.join();
		}, 1000);
	}

	#stopWaiting() {
		if (this.#fullTimer) notice("");
		clearInterval(this.#fullTimer);
		this.#fullTimer = 0;
	}

	/** @param {string} event of the playback @param {string} [name] of the device that plays now; "" is the system's */
	#played(event, name) {
		if (event === "blocked") this.#rest();
		else if (event === "weak") toast(t("toast.weak"), "sound");
		else toast(name ? t("toast.speaker", { name }) : t("toast.speakerGone"), "sound");
	}

	/** @param {number} slept milliseconds */
	async #woke(slept) {
		if (await this.session.woke(slept)) for (const feed of this.feeds.list) feed.presence.renew();
	}

	// ---- what is shown

	#prefsChanged() {
		const reworded = root.lang !== prefs.language;
		setLanguage(prefs.language);
		setAttribute(root, "data-theme", prefs.theme);
		root.toggleAttribute("data-still", prefs.still);
		translate(document);
		for (const node of byId("language").children) node.classList.toggle("on", node.textContent.toLowerCase() === prefs.language);
		setIcon(byId("theme"), `theme-${prefs.theme}`);
		setAttribute(byId("theme"), "aria-label", `${t("set.theme")}: ${t(`set.${prefs.theme}`)}`);
		this.#changed(this.shown);
		this.#ownChanged();
		this.#nameWindow();
		if (reworded) this.#reword();
	}

	/** What stands for a while does so in the language of now; a toast has been read. */
	#reword() {
		closeToast();
		if (this.#offline) this.#noNetwork();
		else if (!this.#fullTimer) this.#rest();
	}

	/** Something of a room is another: its view, the strip, and whoever watches draw it anew. @param {Feed | null} feed */
	#changed(feed) {
		const now = performance.now();
		this.#showSelf();
		this.#rooms.show();
		if (feed === this.shown) {
			setAttribute(root, "data-levels", this.model.realLevels ? "real" : "none");
			this.#view.show(now);
		}
		this.#showAway();
		this.#recording.show();
		for (const watcher of this.#watchers) watcher(feed);
	}

	/** Others speak than before; the levels themselves are drawn at the meters' pace. @param {Feed} feed */
	#spoken(feed) {
		if (feed === this.shown) {
			this.#view.show(performance.now());
			this.#view.announce();
		}
		for (const watcher of this.#watchers) watcher(feed);
	}

	#showSelf() {
		const { model } = [this.shown, this.stay, ...this.feeds.list].find((feed) => feed?.model.you) ?? { model: NOTHING };
		const { sign, initials } = model.self() ?? model.you ?? {};
		setText(byId("self-name"), model.you?.name ?? this.#keyring.address.name);
		drawSign(this.#ownSign, { kind: "person", initials: initials ?? "", sign });
	}

	#ownChanged() {
		this.#ownKey.show(this.#joins ? "connecting" : this.session.own);
		setAttribute(byId("hand"), "aria-pressed", this.session.hand);
		this.#rooms.show();
		this.#showAway();
		this.#recording.show();
		for (const watcher of this.#watchers) watcher(this.#target);
		if (this.session.phase === "in") this.#settleIn();
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
		this.#hint.update(["muted", "adminMuted", "asked", "guest"].includes(this.session.own), level, now);
		for (const draw of this.#drawers) draw(now);
	}

	/** @param {number} now */
	#second(now) {
		for (const feed of this.feeds.list) feed.model.tick(now);
		this.#view.second(now);
		for (const watcher of this.#watchers) watcher(null);
	}

	/** The device stands beside the room where there is space for it, else it comes in a sheet. */
	#deviceSheet() {
		if (this.shown && !wide.matches) sheet(t("device"), [this.#view.device.node], () => byId("aside").append(this.#view.device.node));
	}
}

new Page().start();
