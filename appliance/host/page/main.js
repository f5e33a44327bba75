/** Puts the page together: address, model, socket, sound, and the parts that show them. */

import { askToken, readAddress } from "./address.js";
import { Bar } from "./bar.js";
import { Device } from "./device.js";
import { byId, checkField, h, setAttribute, setIcon, setText } from "./dom.js";
import { Ended } from "./ended.js";
import { Enrol } from "./enrol.js";
import { Hint } from "./hint.js";
import { listen } from "./keys.js";
import { Media } from "./media.js";
import { Members } from "./members.js";
import { pace } from "./meters.js";
import { Microphone } from "./microphone.js";
import { Model, SILENCE } from "./model.js";
import { OwnKey } from "./ownkey.js";
import { PanelLink } from "./panel.js";
import { Playback } from "./playback.js";
import { onPrefs, prefs, setPrefs } from "./prefs.js";
import { Presence } from "./presence.js";
import { Recording } from "./recording.js";
import { Rooms } from "./rooms.js";
import { closeToast, notice, say, toast } from "./say.js";
import { Session } from "./session.js";
import { closeSheet, keyboardSheet, settingsSheet, sheet, soundSheet } from "./sheets.js";
import { drawMark, drawSign, makeSign } from "./signs.js";
import { setLanguage, t, translate } from "./words.js";

const root = document.documentElement;
const wide = matchMedia("(min-width: 68.75rem)");
/** Milliseconds after which a lost socket is called "no network". */
const PATIENCE = 2000;
const THEMES = /** @type {const} */ (["auto", "light", "dark"]);

class Page {
	#address = readAddress(location);
	#token = this.#address.token;
	/** Our token came from a proxy and was good: when it ends, there is another one. */
	#renews = false;
	#model = new Model();
	#bar = new Bar(this.#model);
	#rooms = new Rooms();
	#ownKey = new OwnKey();
	#hint = new Hint();
	#recording = new Recording();
	#ownSign = makeSign();
	#playback = new Playback();
	#microphone = new Microphone(() => this.#microphoneChanged());
	#ended = new Ended((why) => this.#again(why));
	#presence;
	#session;
	#members;
	#device;
	#enrol;
	#announced = "";
	#toldOfMute = false;
	/** Join as soon as the room answers: it is taken from another window. */
	#takes = false;
	#fullTimer = 0;
	#lostTimer = 0;

	constructor() {
		const { room, panel } = this.#address;
		const token = () => this.#token;
		const media = new Media(room, token, {
			track: (slot, track) => this.#playback.play(slot, track),
			lost: () => this.#session.mediaLost(),
		});
		this.#presence = new Presence(room, token, {
			message: (message) => this.#message(message),
			lost: () => this.#presenceLost(),
			ended: (why) => this.#end(why),
		});
		const send = (/** @type {object} */ message) => this.#presence.send(message);
		const changed = () => this.#showOwn();
		const tell = (/** @type {string} */ event, /** @type {any} */ detail) => this.#tell(event, detail);
		this.#session = new Session({ media, microphone: this.#microphone, send, changed, tell });
		const link = panel ? new PanelLink(panel, () => this.#device.show()) : null;
		this.#device = new Device(this.#model, link, send);
		this.#members = new Members(this.#model, this.#playback, send);
		this.#enrol = new Enrol(room, token);
		link?.open();
	}

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
		addEventListener("pagehide", () => this.#session.leave());
		addEventListener("pageshow", (event) => event.persisted && location.reload());
		if (this.#token) this.#presence.open();
		else this.#signIn();
	}

	/** Without a link one may still be signed in at a proxy in front of the host. */
	async #signIn() {
		this.#renews = false;
		this.#token = await askToken(this.#address.room);
		if (this.#token) this.#presence.open();
		else this.#end("invalid");
	}

	#buttons() {
		/** @type {Record<string, () => void>} */
		const presses = {
			skip: () => byId("own").focus(),
			language: () => setPrefs({ language: prefs.language === "de" ? "en" : "de" }),
			theme: () => setPrefs({ theme: THEMES[(THEMES.indexOf(prefs.theme) + 1) % 3] }),
			settings: () => settingsSheet(() => this.#roomSettings()),
			knock: () => this.#knock(),
			hand: () => this.#session.raiseHand(!this.#session.hand),
			leave: () => this.#session.leave(),
			"recording-leave": () => this.#session.leave(),
			sound: () => soundSheet(this.#playback),
			"lamp-strip": () => this.#deviceSheet(),
			"device-add": () => this.#enrol.open(),
		};
		for (const [id, press] of Object.entries(presses)) byId(id).onclick = press;
	}

	/** @returns {Actions} */
	#actions() {
		const session = this.#session;
		return {
			press: () => session.press(),
			hold: () => session.hold(),
			release: (atOnce) => session.release(atOnce),
			room: (n) => this.#rooms.go(n),
			close: () => closeSheet() || this.#members.closeMenu() || this.#rooms.close() || closeToast() || this.#stopWaiting(),
			letters: {
				m: () => ["muted", "live", "held"].includes(session.own) && session.press(),
				j: () => session.join(),
				h: () => session.raiseHand(!session.hand),
				k: () => this.#knock(),
				d: () => (wide.matches ? byId("aside").focus() : this.#deviceSheet()),
				"?": () => closeSheet() || keyboardSheet(),
			},
		};
	}

	/** @param {any} m of the host */
	#message(m) {
		const now = performance.now();
		const hand = this.#session.hand;
		if (this.#model.apply(m, now)) {
			if (m.type === "welcome") this.#welcome();
			if (this.#model.isOwn(m)) this.#selfChanged(hand);
			if (m.type === "welcome" || m.type === "slots") this.#playback.seat(this.#model.slots);
			if (m.type === "levels") this.#announce();
			this.#showRoom(now);
		} else if (m.type === "muted_by_admin") this.#mutedByAdmin();
		else if (m.type === "admin_mute_lifted") toast(t("toast.canSpeak"), "mic");
		else if (m.type === "asked_to_unmute") toast(t("toast.asked", { name: m.by.name }), "mic");
		else if (m.type === "knock" && m.by.id !== this.#model.you?.id) toast(t("knocks", { name: m.by.name }), "knock");
		else if (m.type === "device_asks") toast(t("toast.deviceAsks", { name: m.device.name }), "knock");
		else if (m.type === "recording") this.#recording.apply(m);
	}

	#welcome() {
		this.#ended.begin("");
		clearTimeout(this.#lostTimer);
		this.#lostTimer = 0;
		if (this.#session.phase !== "in") this.#rest();
		this.#renews = !this.#address.token;
		this.#permit(this.#model.you?.role ?? "");
		this.#session.welcomed(this.#model.self()?.joined ?? false);
		setAttribute(root, "data-levels", this.#model.realLevels ? "real" : "none");
		if (this.#takes) this.#session.join();
		this.#takes = false;
	}

	/** @param {boolean} hand whether it was up before */
	#selfChanged(hand) {
		this.#showSelf();
		const self = this.#model.self();
		if (!self) return;
		this.#permit(self.role);
		this.#session.told(self);
		this.#toldOfMute &&= self.admin_muted;
		if (self.hand !== hand) say(t(self.hand ? "said.handUp" : "said.handDown"));
	}

	/** @param {string} role */
	#permit(role) {
		this.#session.permit(role, this.#model.listenOnly !== null);
	}

	/** What an admin sets for everybody. */
	#roomSettings() {
		if (this.#model.you?.role !== "admin") return [];
		const muteNew = checkField("set.muteNew", this.#model.muteNew, (on) => this.#presence.send({ type: "mute_new", on }));
		return [muteNew, h("button", { class: "key", type: "button", onclick: () => this.#enrol.open() }, t("enrol"))];
	}

	/** Told once for each mute, though the host says it again whenever the socket comes back. */
	#mutedByAdmin() {
		this.#session.muteByAdmin();
		if (this.#toldOfMute || this.#session.phase !== "in") return;
		this.#toldOfMute = true;
		toast(t("toast.adminMuted"), "lock", "alert");
	}

	#presenceLost() {
		this.#session.presenceLost();
		this.#model.silence();
		this.#showRoom(performance.now());
		this.#lostTimer ||= setTimeout(() => this.#noNetwork(), PATIENCE);
	}

	#noNetwork() {
		notice(t("end.network"), t("end.network2"));
	}

	/** @param {string} event of the session @param {any} detail */
	#tell(event, detail) {
		this.#stopWaiting();
		if (event === "left") {
			this.#playback.stop();
			this.#rest();
		}
		if (event === "full") this.#waitForPlace(Math.ceil(detail));
		else if (event === "ended") this.#end(detail);
		else if (event === "admitted") toast(t("toast.canSpeak"), "mic");
		else if (event !== "network") say(t(`said.${event}`));
		else if (detail) this.#noNetwork();
		else this.#rest();
	}

	/** Nothing is the matter, but for what holds as long as this page is open. */
	#rest() {
		const open = this.#session.phase === "out" && this.#model.listenOnly === "no_https";
		notice(open ? t("noHttps") : "", open ? t("noHttps2") : "");
	}

	/** @param {number} seconds until the next try */
	#waitForPlace(seconds) {
		const show = () => notice(t("end.full"), t("end.full2", { n: seconds }), () => this.#session.join());
		show();
		this.#fullTimer = setInterval(() => {
			seconds -= 1;
			if (seconds > 0) show();
			else this.#session.join();
		}, 1000);
	}

	#stopWaiting() {
		if (this.#fullTimer) notice("");
		clearInterval(this.#fullTimer);
		this.#fullTimer = 0;
	}

	/** @param {string} why */
	#end(why) {
		if (this.#renews && ["expired", "invalid"].includes(why)) {
			this.#signIn(); // whom a proxy names stays signed in there
			return;
		}
		notice("");
		this.#stopWaiting();
		clearTimeout(this.#lostTimer);
		this.#presence.close();
		this.#session.end();
		this.#playback.stop();
		this.#model.silence();
		this.#ended.begin(why);
	}

	/** @param {string} why it had ended */
	#again(why) {
		this.#takes = why === "elsewhere";
		this.#ended.begin("");
		if (this.#token) this.#presence.open();
		else this.#signIn();
	}

	#knock() {
		if (this.#presence.send({ type: "knock" })) toast(t("knocked"), "knock");
	}

	#microphoneChanged() {
		this.#session.mute();
		this.#showOwn();
	}

	#prefsChanged() {
		setLanguage(prefs.language);
		setAttribute(root, "data-theme", prefs.theme);
		root.toggleAttribute("data-still", prefs.still);
		translate(document);
		for (const node of byId("language").children) node.classList.toggle("on", node.textContent.toLowerCase() === prefs.language);
		setIcon(byId("theme"), `theme-${prefs.theme}`);
		setAttribute(byId("theme"), "aria-label", `${t("set.theme")}: ${t(`set.${prefs.theme}`)}`);
		this.#recording.show();
		this.#ended.show();
		this.#showSelf();
		this.#showRoom(performance.now());
		this.#showOwn();
	}

	#showSelf() {
		const { you } = this.#model;
		const { sign, initials } = this.#model.self() ?? you ?? {};
		setText(byId("self-name"), you?.name ?? this.#address.name);
		drawSign(this.#ownSign, { kind: "person", initials: initials ?? "", sign });
	}

	/** @param {number} now */
	#showRoom(now) {
		if (this.#ended.why) return;
		const count = this.#model.here().length;
		const title = this.#model.title || this.#address.room;
		document.title = title ? `${title} · Kontor` : "Kontor";
		setText(byId("title"), title);
		this.#rooms.show(title, count);
		this.#bar.show(now);
		this.#members.show();
		this.#device.show();
		if (!this.#model.title) return;
		setText(byId("count"), count ? t("here", { n: count }) : t("empty"));
		setText(byId("door"), this.#device.door && `, ${this.#device.door}`);
	}

	#showOwn() {
		this.#ownKey.show(this.#session.own);
		setAttribute(byId("hand"), "aria-pressed", this.#session.hand);
	}

	/** Who speaks, for screen readers, only where it was asked for. */
	#announce() {
		const names = [...this.#model.speaking].map((id) => this.#model.members.get(id)?.name).join(", ");
		if (prefs.announce && names && names !== this.#announced) say(t("speaks", { name: names }));
		this.#announced = names;
	}

	/** The meters' pace. @param {number} now */
	#draw(now) {
		const level = this.#microphone.level();
		this.#bar.levels(now);
		this.#rooms.level(Math.max(SILENCE, ...this.#model.levels.values()), now);
		this.#device.level(now);
		this.#ownKey.level(this.#session.live ? level : SILENCE, now);
		this.#hint.update(["muted", "adminMuted", "asked", "guest"].includes(this.#session.own), level, now);
	}

	/** @param {number} now */
	#second(now) {
		this.#model.tick(now);
		if (!this.#ended.why) this.#bar.show(now);
	}

	/** The device stands beside the room where there is space for it, else it comes in a sheet. */
	#deviceSheet() {
		if (!wide.matches) sheet(t("device"), [this.#device.node], () => byId("aside").append(this.#device.node));
	}
}

new Page().start();
