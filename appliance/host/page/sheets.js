/** Sheets: settings, sound, keyboard, and on narrow screens the device. One native dialog at a time; Esc closes it. */

import { checkField, h, icon, volumeField } from "./dom.js";
import { prefs, setPrefs } from "./prefs.js";
import { t } from "./words.js";

let closeCurrent = () => false;

/** @param {string} title @param {Node[]} content @param {() => void} [closed] called when it is gone */
export function sheet(title, content, closed) {
	closeCurrent();
	const key = h("button", { class: "bare", type: "button", "aria-label": t("close"), onclick: closeSheet }, icon("close"));
	const head = h("div", { class: "sheet-head" }, h("h2", { id: "sheet-title" }, title), key);
	const dialog = h("dialog", { "aria-labelledby": "sheet-title" }, head, h("div", { class: "sheet-body" }, ...content));
	closeCurrent = () => {
		const open = dialog.isConnected;
		dialog.close();
		if (open) closed?.();
		dialog.remove();
		return open;
	};
	dialog.onclick = (event) => void (event.target === dialog && closeSheet());
	dialog.onclose = closeCurrent;
	document.body.append(dialog);
	dialog.showModal();
}

/** @returns {boolean} whether one was open */
export function closeSheet() {
	return closeCurrent();
}

/**
 * @template {string} V
 * @param {string} word @param {ReadonlyArray<readonly [V, string]>} choices value and text @param {V} chosen
 * @param {(value: V) => void} change
 */
function choice(word, choices, chosen, change) {
	const labels = choices.map(([value, text]) => {
		const radio = h("input", { type: "radio", name: word, onchange: () => change(value) });
		radio.checked = value === chosen;
		return h("label", {}, radio, text);
	});
	return h("fieldset", {}, h("legend", { class: "label" }, t(word)), h("div", { class: "choices" }, ...labels));
}

/** @param {() => Node[]} [more] what else can be set here and now */
export function settingsSheet(more = () => []) {
	const languages = /** @type {const} */ ([["en", "English"], ["de", "Deutsch"]]);
	const themes = /** @type {const} */ (["auto", "light", "dark"]).map((theme) => /** @type {const} */ ([theme, t(`set.${theme}`)]));
	sheet(t("settings"), [
		choice("set.language", languages, prefs.language, (language) => {
			setPrefs({ language });
			settingsSheet(more);
		}),
		choice("set.theme", themes, prefs.theme, (theme) => setPrefs({ theme })),
		checkField("set.still", prefs.still, (still) => setPrefs({ still })),
		checkField("set.letters", prefs.letters, (letters) => setPrefs({ letters })),
		checkField("set.announce", prefs.announce, (announce) => setPrefs({ announce })),
		...more(),
		h("button", { class: "key", type: "button", onclick: keyboardSheet }, t("keyboard")),
	]);
}

export function keyboardSheet() {
	const rows = [
		["M", "key.m"],
		[t("key.nameSpace"), "key.space"],
		["J", "own.join"],
		["H", "key.h"],
		["K", "key.k"],
		["D", "device"],
		["1 – 9", "key.rooms"],
		[t("key.nameArrows"), "key.arrows"],
		["Enter", "key.enter"],
		["Esc", "key.esc"],
		["?", "key.help"],
	].flatMap(([key, word]) => [h("dt", {}, h("kbd", {}, key)), h("dd", {}, t(word))]);
	sheet(t("keyboard"), [h("dl", { class: "keys" }, ...rows)]);
}

/** @param {import("./playback.js").Playback} playback */
export function soundSheet(playback) {
	sheet(t("sound"), [volumeField("sound.all", playback.all, (gain) => (playback.all = gain))]);
}
