/**
 * The floating window: the room, who speaks, the own key, Leave. Where the browser has it, it stays above all others (Document
 * Picture-in-Picture), else it is a small window of its own. This page draws it and hears its presses; it runs nothing itself.
 */

import { byId, find, h, icon, setAttribute, setIcon, setText } from "./dom.js";
import { pressOrHold } from "./hold.js";
import { Loudest } from "./loudest.js";
import { Meter } from "./meters.js";
import { SILENCE } from "./model.js";
import { isStill, prefs } from "./prefs.js";
import { drawMark, drawSign, makeSign } from "./signs.js";
import { isolated, t } from "./words.js";

const SIZE = { width: 320, height: 180 };
/** Milliseconds between two looks at the levels; a hidden page's own clock goes slower, so the window's is used. */
const PACE = 67;
const STILL_PACE = 490;

/** @type {Widget | null} */
let shown = null;
let opening = false;

/** Open the window, or close it. @param {House} house */
export async function toggleWidget(house) {
	if (shown) return shown.close();
	if (opening) return;
	if (!house.stay && !house.shown) return house.toast(t("widget.noRoom"), "widget");
	opening = true;
	const win = await openWindow();
	if (win) await dress(win).catch((error) => console.warn(`widget: ${error}`)); // it was closed at once
	opening = false;
	if (!win) house.toast(t("widget.blocked"), "warn", "alert");
	else if (!win.closed) shown = new Widget(win, house);
}

/** @returns {Promise<Window | null>} null: the browser does not allow it */
async function openWindow() {
	try {
		const above = /** @type {any} */ (window).documentPictureInPicture;
		if (above) return await above.requestWindow(SIZE);
	} catch (error) {
		console.warn(`picture in picture: ${error}`); // it is switched off, or another page has it: a window of its own will do
	}
	return open("", "kontor-widget", `popup,width=${SIZE.width},height=${SIZE.height}`);
}

/** The page's own styles, before anything is to be seen. @param {Window} win */
async function dress(win) {
	const { document: page } = win;
	page.head.replaceChildren(h("meta", { name: "color-scheme", content: "light dark" }));
	page.body.replaceChildren();
	const sheets = ["style.css", "widget.css"].map((name) => h("link", { rel: "stylesheet", href: `${location.origin}/page/${name}` }));
	const there = sheets.map((sheet) => new Promise((resolve) => (sheet.onload = sheet.onerror = resolve)));
	page.head.append(...sheets);
	const gone = new Promise((resolve) => win.addEventListener("pagehide", resolve));
	await Promise.race([Promise.all(there), gone]);
}

class Speaker {
	node = h("li");
	#sign = makeSign();
	#name = h("bdi");
	#state = h("span", { class: "reader" });
	#meter = new Meter(h("span", { class: "meter", "aria-hidden": true }));
	#shown = "";
	#audible = false;

	constructor() {
		this.node.append(this.#sign, h("span", { class: "line name" }, this.#name, " ", this.#state), this.#meter.node);
	}

	/** @param {Model} model @param {string} id "" is nobody @param {string} empty said then @param {number} now */
	show(model, id, empty, now) {
		const member = model.members.get(id);
		const sign = member ? model.signOf(member) : null;
		this.#audible = sign !== null && sign !== "muted";
		if (this.#shown !== id || !this.#audible) this.#meter.clear();
		this.#shown = id;
		drawSign(this.#sign, member ?? null);
		setAttribute(this.#sign, "data-state", sign);
		setAttribute(this.node, "data-hue", member?.sign.hue ?? null);
		setAttribute(this.node, "data-of", member ? "somebody" : "nobody");
		setText(this.#name, member?.name ?? empty);
		setText(this.#state, member ? t(`state.${model.stateOf(member)}`) : "");
		if (!this.#audible) this.#meter.show(SILENCE, now);
	}

	/** @param {Model} model @param {number} now */
	level(model, now) {
		this.#meter.show(this.#audible ? model.level(this.#shown) : SILENCE, now);
	}
}

/** The own key as it stands in the page, in every state: there is one truth about it, and this is its mirror. */
class Key {
	#page = byId("dock");
	#picture = h("span", { class: "own-icon" }, icon("mic-off"), find(byId("own"), ".mark").cloneNode());
	#first = h("span", { class: "first", id: "first" });
	#second = h("span", { class: "reader", id: "second" });
	#lamp = h("span", { class: "lamp", "data-lamp": "steady", "data-colour": "red", "aria-hidden": true });
	#meter = new Meter(h("span", { class: "meter ten", "aria-hidden": true }), 10);
	#leave;
	#said = h("p", { class: "reader", role: "status" });
	key = h("button", { class: "key own", type: "button", "aria-labelledby": "first", "aria-describedby": "second" });
	node;

	/** @param {() => void} leave */
	constructor(leave) {
		drawMark(this.#picture.lastElementChild ?? this.#picture);
		this.key.append(this.#picture, h("span", { class: "own-words" }, this.#first, this.#second), this.#lamp, this.#meter.node);
		this.#leave = h("button", { class: "key side", type: "button", onclick: leave }, icon("leave"));
		this.node = h("footer", { class: "dock" }, this.key, this.#leave, this.#said);
	}

	/** Whether a press there is one on Leave. @param {EventTarget | null} target */
	leaves(target) {
		return target === this.#leave;
	}

	show() {
		for (const name of ["data-own", "data-look"]) {
			if (this.node.getAttribute(name) === this.#page.getAttribute(name)) continue;
			setAttribute(this.node, name, this.#page.getAttribute(name));
			if (name === "data-own") this.#said.replaceChildren(byId("own-first").textContent, ". ", byId("own-second").textContent);
		}
		setAttribute(this.key, "aria-disabled", byId("own").getAttribute("aria-disabled"));
		setIcon(this.#picture, (find(byId("own"), "use").getAttribute("href") ?? "").split("#")[1] ?? "mic-off");
		setText(this.#first, byId("own-first").textContent);
		setText(this.#second, byId("own-second").textContent);
		setAttribute(this.#leave, "aria-label", t("leave"));
	}

	/** @param {number} level dBov, while live @param {number} now */
	level(level, now) {
		this.#meter.show(level, now);
	}
}

class Widget {
	#win;
	#house;
	#feed;
	#room = h("bdi");
	#count = h("span", { class: "second" });
	#speakers = [new Speaker(), new Speaker()];
	#loudest = new Loudest();
	#key;
	#drawn = 0;
	#timer;
	#releasing = 0;
	/** @type {Array<() => void>} */
	#ends;
	#closed = false;
	#wasIn = false; // leaving ends the window, not being out

	/** @param {Window} win dressed @param {House} house */
	constructor(win, house) {
		this.#win = win;
		this.#house = house;
		this.#feed = house.stay ?? house.shown;
		this.#key = new Key(() => house.leave());
		this.#build(win.document);
		const off = house.onChange(() => queueMicrotask(() => this.show())); // after the page's own key has changed
		const away = () => this.close();
		addEventListener("pagehide", away);
		this.#ends = [off, () => removeEventListener("pagehide", away)];
		this.#listen(win);
		this.#timer = win.setInterval(() => this.#draw(performance.now()), PACE);
		this.show();
	}

	/** It is closed from the page, from its own frame, or because one left. */
	close() {
		if (this.#closed) return;
		this.#closed = true;
		shown = null;
		this.#win.clearInterval(this.#timer);
		this.#house.session.release(true);
		for (const end of this.#ends) end();
		this.#win.close();
	}

	press() {
		const { session } = this.#house;
		if (session.phase === "out" && this.#feed) this.#house.join(this.#feed.room);
		else session.press();
	}

	hold() {
		this.#win.clearTimeout(this.#releasing);
		return this.#house.session.hold();
	}

	/** @param {boolean} [atOnce] by this window's clock: the page's own may sleep with it */
	release(atOnce = false) {
		this.#win.clearTimeout(this.#releasing);
		if (atOnce) this.#house.session.release(true);
		else this.#releasing = this.#win.setTimeout(() => this.#house.session.release(true), prefs.release);
	}

	show() {
		const { stay, shown: looked } = this.#house;
		this.#feed = stay ?? looked ?? this.#feed;
		if (this.#closed) return;
		if (!this.#feed || this.#feed.ended || (this.#wasIn && !stay)) return this.close();
		this.#wasIn = stay !== null;
		const page = this.#win.document;
		const { title, model } = this.#feed;
		page.title = `${isolated(title)} · Kontor`;
		setAttribute(page.documentElement, "lang", prefs.language);
		setAttribute(page.documentElement, "data-theme", prefs.theme);
		setAttribute(page.documentElement, "data-levels", model.realLevels ? "real" : "none");
		page.documentElement.toggleAttribute("data-still", isStill());
		setText(this.#room, title);
		const count = model.here().length;
		setText(this.#count, count ? t("here", { n: count }) : t("empty"));
		this.#key.show();
		this.#speak(performance.now());
	}

	/** @param {Document} page */
	#build(page) {
		page.body.className = "widget";
		setAttribute(page.body, "data-view", "room"); // its dock is the room's
		const head = h("header", {}, h("h1", { class: "line" }, this.#room), this.#count);
		const list = h("ol", { "aria-label": t("who") }, ...this.#speakers.map((speaker) => speaker.node));
		page.body.append(head, h("main", {}, list), this.#key.node);
	}

	/** @param {Window} win */
	#listen(win) {
		pressOrHold(this.#key.key, this);
		win.addEventListener("pagehide", () => this.close());
		win.addEventListener("blur", () => this.release(true));
		win.document.addEventListener("keydown", (event) => this.#down(event));
		win.document.addEventListener("keyup", (event) => {
			if (event.key !== " " || this.#key.leaves(event.target)) return;
			event.preventDefault();
			this.release();
		});
	}

	/** @param {KeyboardEvent} event */
	#down(event) {
		const { session } = this.#house;
		if (event.ctrlKey || event.altKey || event.metaKey) return;
		const key = event.key.toLowerCase();
		if (key === " " && !this.#key.leaves(event.target)) {
			event.preventDefault();
			if (!event.repeat && prefs.space) this.hold();
		} else if (event.repeat) {
			event.preventDefault(); // one press, one change
		} else if (key === "escape" || (key === "w" && prefs.letters)) {
			this.close();
		} else if (key === "m" && prefs.letters && ["muted", "live", "held"].includes(session.own)) {
			session.press();
		}
	}

	/** @param {number} now */
	#speak(now) {
		if (!this.#feed) return;
		const { model } = this.#feed;
		const two = this.#loudest.pick(model, now);
		for (const [n, speaker] of this.#speakers.entries()) speaker.show(model, two[n], n ? "" : t("nobodySpeaks"), now);
	}

	/** @param {number} now */
	#draw(now) {
		if (!this.#feed || now - this.#drawn < (isStill() ? STILL_PACE : 60)) return;
		this.#drawn = now;
		this.#speak(now);
		for (const speaker of this.#speakers) speaker.level(this.#feed.model, now);
		this.#key.level(this.#house.session.live ? this.#house.microphone.level() : SILENCE, now);
	}
}
