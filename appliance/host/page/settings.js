/** Sheets that are seldom wanted: settings, the keyboard, and on narrow screens what else there is. */

import { byId, h, icon } from "./dom.js";
import { checkField, choice } from "./fields.js";
import { mayForget, openForget } from "./forget.js";
import { lazy } from "./lazy.js";
import { notifyField } from "./notify.js";
import { prefs, setPrefs } from "./prefs.js";
import { closeSheet } from "./sheets.js";
import { t } from "./words.js";

/** @param {string} word @param {() => void} press */
const key = (word, press) => h("button", { class: "key", type: "button", onclick: press }, t(word));

/** @param {House} house */
export function openSettings(house) {
	const { shown } = house;
	const languages = /** @type {const} */ ([["en", "English"], ["de", "Deutsch"]]);
	const themes = /** @type {const} */ (["auto", "light", "dark"]).map((theme) => /** @type {const} */ ([theme, t(`set.${theme}`)]));
	house.sheet(t("settings"), [
		choice("set.language", languages, prefs.language, (language) => {
			setPrefs({ language });
			openSettings(house);
		}),
		choice("set.theme", themes, prefs.theme, (theme) => setPrefs({ theme })),
		checkField("set.still", prefs.still, (still) => setPrefs({ still })),
		checkField("set.letters", prefs.letters, (letters) => setPrefs({ letters })),
		checkField("set.announce", prefs.announce, (announce) => setPrefs({ announce })),
		...notifyField(),
		...(house.room && house.model.you?.role === "admin" ? [key("admin", () => openRoom(house))] : []),
		key("keyboard", () => openKeyboard(house)),
		...(shown && mayForget(house, shown) ? [key("forget.name", () => openForget(house, shown))] : []),
	]);
}

/** What an admin sets for everybody. @param {House} house */
async function openRoom(house) {
	(await lazy("admin.js"))?.openAdmin(house, "room");
}

/** @param {House} house */
export function openKeyboard(house) {
	const rows = [
		["M", "key.m"],
		[t("key.nameSpace"), "key.space"],
		["J", "own.join"],
		["H", "key.h"],
		["K", "knock"],
		["W", "widget"],
		["D", "device"],
		["1 – 9", "key.rooms"],
		[t("key.nameArrows"), "key.arrows"],
		["Enter", "key.enter"],
		["Esc", "key.esc"],
		["?", "key.help"],
	].flatMap(([name, word]) => [h("dt", {}, h("kbd", {}, name)), h("dd", {}, t(word))]);
	house.sheet(t("keyboard"), [h("dl", { class: "keys" }, ...rows)]);
}

/** What stands at the title where there is space for it. @param {House} house */
export function openMore(house) {
	const entries = [["knock", "knock"], ["link", "link"], ["widget", "widget"], ["sound", "sound"], ["settings", "settings"]].filter(([id]) => !byId(id).hidden).map(([id, word]) => {
		const press = () => {
			closeSheet(); // the focus is at its key again, and comes back there from what is opened now
			byId(id).click();
		};
		return h("button", { class: "entry-key", type: "button", onclick: press }, icon(id), t(word));
	});
	house.sheet(t("more"), entries);
}
