/** What the page says: to screen readers, in one toast at a time, and in a notice that stays while its reason does. */

import { byId, find, h, setAttribute, setIcon, setText } from "./dom.js";
import { t } from "./words.js";

/** Milliseconds that a toast stays. */
const STAYS = 6000;

/** Say a sentence to screen readers; the same one again is said again. @param {string} text @param {"status" | "alert"} [how] */
export function say(text, how = "status") {
	byId(how).replaceChildren(h("span", {}, text));
}

const toastNode = byId("toast");
let timer = 0;

/** @returns {boolean} whether there was a toast to close */
export function closeToast() {
	const there = !toastNode.hidden;
	clearTimeout(timer);
	toastNode.hidden = true;
	return there;
}

function arm() {
	clearTimeout(timer);
	timer = setTimeout(() => (toastNode.matches(":hover, :focus") ? arm() : closeToast()), STAYS);
}

/** Show a toast, and say it; a press ends it, a newer one takes its place. @param {string} text @param {string} picture @param {"status" | "alert"} [how] */
export function toast(text, picture, how) {
	setIcon(toastNode, picture);
	setText(find(toastNode, "span"), text);
	toastNode.onclick = closeToast;
	toastNode.hidden = false;
	arm();
	say(text, how);
}

const noticeNode = byId("notice");

/**
 * Show a notice above the dock until it is taken away with "". It is said once; changes of its second line are not.
 * @param {string} first
 * @param {string} [second]
 * @param {() => void} [again] what its key does; without it there is no key
 * @param {string} [word] what the key says
 * @param {() => void} [stop] what its cross does; without it there is none
 */
export function notice(first, second = "", again, word = "end.again", stop) {
	const line = find(noticeNode, "b");
	const news = noticeNode.hidden || line.textContent !== first;
	if (!again && noticeNode.contains(document.activeElement)) byId("own").focus();
	noticeNode.hidden = !first;
	setText(line, first);
	setText(find(noticeNode, ".second"), second);
	const [key, cross] = noticeNode.querySelectorAll("button");
	key.hidden = !again;
	key.onclick = again;
	cross.hidden = !stop;
	cross.onclick = stop;
	setAttribute(key, "data-word", word);
	setText(key, t(word));
	if (first && news) say(`${first} ${second}`, "alert");
}
