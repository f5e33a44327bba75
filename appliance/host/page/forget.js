/** A room is forgotten: its key leaves this browser. Only after a question, and never the room that one is in. */

import { byId, h } from "./dom.js";
import { closeSheet } from "./sheets.js";
import { isolated, t } from "./words.js";

/** @param {House} house @param {Feed} feed @returns {boolean} whether there is anything to forget, and it may be now */
export const mayForget = (house, feed) => feed.kept && feed !== house.stay;

/** @param {House} house @param {Feed} feed */
export function openForget(house, feed) {
	const room = isolated(feed.title);
	const key = (/** @type {string} */ word, /** @type {() => void} */ press) => h("button", { class: "key", type: "button", onclick: press }, t(word));
	const forget = () => {
		closeSheet();
		if (!mayForget(house, feed)) return;
		house.forget(feed.room);
		house.toast(t("forget.done", { room }), "check");
		byId(house.shown ? "title" : "page").focus(); // what had it is gone
	};
	house.sheet(t("forget.ask"), [h("p", {}, t("forget.what", { room })), key("cancel", closeSheet), key("forget.sure", forget)]);
}
