/** Sheets: one native dialog at a time; Esc closes it. */

import { h, icon } from "./dom.js";
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
