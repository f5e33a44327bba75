/**
 * Notifications for whoever has the page open and works elsewhere: a knock, a hand that one may answer, being asked to speak.
 * Only while the page is out of sight, only where a press in the settings asked for them, and gone once the page is seen.
 */

import { h } from "./dom.js";
import { checkField } from "./fields.js";
import { mayAnswer } from "./orders.js";
import { pathOf } from "./place.js";
import { prefs, setPrefs } from "./prefs.js";
import { isolated, t } from "./words.js";

const ICON = "/page/icon-192.png";

/** @returns {boolean} whether they are wished for and allowed */
const wanted = () => prefs.notify && "Notification" in window && Notification.permission === "granted";

/** A check box for the settings; none where the browser has no notifications. @returns {Node[]} */
export function notifyField() {
	if (!("Notification" in window)) return [];
	const note = h("p", { class: "second" }, t("notify.when"));
	const field = checkField("notify", wanted(), async (on) => {
		const answer = on ? await Notification.requestPermission() : "granted";
		setPrefs({ notify: on && answer === "granted" });
		box.checked = wanted();
		note.textContent = t(answer === "denied" ? "notify.blocked" : "notify.when");
	});
	const box = /** @type {HTMLInputElement} */ (field.querySelector("input"));
	if (prefs.notify && !wanted()) note.textContent = t("notify.blocked");
	return [field, note];
}

class Notifier {
	#house;
	/** Whose hands are up, by room. @type {Map<string, Set<string>>} */
	#hands = new Map();
	/** @type {Set<Notification>} */
	#open = new Set();

	/** @param {House} house */
	constructor(house) {
		this.#house = house;
		document.addEventListener("visibilitychange", () => document.hidden || this.#close());
		for (const feed of house.feeds.list) this.#raised(feed);
	}

	/** @param {Feed} feed @param {any} m of the host */
	hear(feed, m) {
		const name = isolated(String(m.by?.name ?? ""));
		const hands = m.type === "member" || m.type === "members" || m.type === "welcome" ? this.#raised(feed) : [];
		for (const member of hands) {
			if (m.type !== "welcome" && mayAnswer(member, feed.model.you?.role ?? "")) this.#tell(feed, t("ask.hand", { name: isolated(member.name) }), member.id);
		}
		if (m.type === "knock" && m.by?.id !== feed.model.you?.id) this.#tell(feed, t("knocks", { name }), m.by?.id);
		else if (m.type === "asked_to_unmute" && feed === this.#house.stay) this.#tell(feed, t("toast.asked", { name }), "asked");
	}

	/** Whose hands have come up since the last look. @param {Feed} feed */
	#raised(feed) {
		const before = this.#hands.get(feed.room) ?? new Set();
		const up = feed.model.here().filter((member) => member.hand && member.id !== feed.model.you?.id);
		this.#hands.set(feed.room, new Set(up.map((member) => member.id)));
		return up.filter((member) => !before.has(member.id));
	}

	/** The same one again takes its own place, without another sound. @param {Feed} feed @param {string} text @param {string} about */
	async #tell(feed, text, about) {
		if (!document.hidden || !wanted()) return;
		const path = pathOf(feed.room);
		const options = { body: isolated(feed.title), icon: ICON, tag: `${feed.room} ${about}`, lang: prefs.language, data: { path } };
		try {
			const notification = new Notification(text, options);
			this.#open.add(notification);
			notification.onclose = () => this.#open.delete(notification);
			notification.onclick = () => this.#go(notification, path);
		} catch {
			// Phones show those of a worker only.
			const registration = await navigator.serviceWorker?.getRegistration();
			await registration?.showNotification(text, options);
		}
	}

	/** Looking at a room leaves none. @param {Notification} notification @param {string} path */
	#go(notification, path) {
		window.focus();
		notification.close();
		this.#house.go(path);
	}

	async #close() {
		for (const notification of this.#open) notification.close();
		this.#open.clear();
		const registration = await navigator.serviceWorker?.getRegistration();
		for (const notification of (await registration?.getNotifications()) ?? []) notification.close();
	}
}

/** @param {House} house */
export function start(house) {
	if (!("Notification" in window)) return;
	const notifier = new Notifier(house);
	house.onMessage((feed, m) => notifier.hear(feed, m));
	navigator.serviceWorker?.addEventListener("message", ({ data }) => typeof data?.path === "string" && house.go(data.path));
}
