/**
 * The keyboard: single letters, space held to talk, Esc. Inert in text fields; space also on every control but the own key.
 * Leaving has no single key.
 */

import { byId } from "./dom.js";
import { pressOrHold } from "./hold.js";
import { prefs } from "./prefs.js";

const TEXT = "input:not([type=checkbox], [type=radio], [type=range]), textarea, select, [contenteditable]";
const CONTROL = `${TEXT}, button, a[href], input, summary, [role=switch]`;

const own = byId("own");

/** @param {EventTarget | null} target @param {string} selector */
const within = (target, selector) => target instanceof Element && target.closest(selector) !== null;

/** Whether space talks here. @param {EventTarget | null} target */
const talks = (target) => prefs.space && (target === own || !within(target, CONTROL));

/** @param {Actions} actions */
export function listen(actions) {
	document.addEventListener("keydown", (event) => press(event, actions));
	document.addEventListener("keyup", (event) => {
		if (event.key !== " ") return;
		if (talks(event.target)) event.preventDefault();
		actions.release();
	});
	addEventListener("blur", () => actions.release(true));
	document.addEventListener("visibilitychange", () => document.hidden && actions.release(true));
	pressOrHold(own, actions);
}

/** @param {KeyboardEvent} event @param {Actions} actions */
function press(event, actions) {
	if (event.ctrlKey || event.altKey || event.metaKey) return;
	const key = event.key.toLowerCase();
	if (key === " " && talks(event.target)) {
		event.preventDefault();
		if (!event.repeat) actions.hold();
	} else if (key === "enter" && event.target === own && event.repeat) {
		event.preventDefault(); // one press, one change
	} else if (key === "escape") {
		actions.close();
	} else if (!event.repeat && prefs.letters && !within(event.target, TEXT)) {
		if (/^[1-9]$/.test(key)) actions.room(Number(key));
		else actions.letters[key]?.();
	}
}
