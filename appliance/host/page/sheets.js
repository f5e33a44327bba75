/** Sheets: one native dialog at a time; Esc closes it. */

import { byId, h, icon } from "./dom.js";
import { t } from "./words.js";

let closeCurrent = () => false;

/** What speaks to people is dead outside of a modal dialog, for eyes and for readers: it goes into it. @param {HTMLElement | null} dialog */
function carry(dialog) {
	const [toast, notice] = [byId("toast"), byId("notice")];
	(dialog ?? document.body).append(byId("status"), byId("alert"));
	if (dialog) dialog.append(toast);
	else notice.before(toast);
}

/** @param {string} title @param {Node[]} content @param {() => void} [closed] called when it is gone */
export function sheet(title, content, closed) {
	closeCurrent();
	const key = h("button", { class: "bare", type: "button", "aria-label": t("close"), onclick: closeSheet }, icon("close"));
	const head = h("div", { class: "sheet-head" }, h("h2", { id: "sheet-title" }, title), key);
	const dialog = h("dialog", { "aria-labelledby": "sheet-title" }, head, h("div", { class: "sheet-body" }, ...content));
	closeCurrent = () => {
		const open = dialog.isConnected;
		dialog.close();
		if (!open) return false;
		closed?.();
		carry(null);
		dialog.remove();
		return true;
	};
	dialog.onclick = (event) => void (event.target === dialog && closeSheet());
	dialog.onclose = closeCurrent;
	document.body.append(dialog);
	dialog.showModal();
	carry(dialog);
}

/** @returns {boolean} whether one was open */
export function closeSheet() {
	return closeCurrent();
}
