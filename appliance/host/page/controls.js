/** What the keys do, those of the page and those of the keyboard. What they open comes when it is first asked for. */

import { byId } from "./dom.js";
import { listen } from "./keys.js";
import { lazy } from "./lazy.js";
import { closeToast } from "./say.js";
import { closeSheet, sheet } from "./sheets.js";
import { t } from "./words.js";

const wide = matchMedia("(min-width: 68.75rem)");

/** @typedef {{stay: import("./stay.js").Stay, rooms: import("./rooms.js").Rooms, view: import("./roomview.js").RoomView}} Seen */

/** @param {House} house @param {Seen} seen */
export function start(house, seen) {
	const device = seen.view.device.node;
	const deeds = does(house, device);
	buttons(house, deeds);
	listen(keyboard(house, seen, deeds));
	wide.addEventListener("change", () => device.closest("dialog") && closeSheet() && byId("aside").focus()); // it stands there now
}

/** What more than one key does. @param {House} house @param {HTMLElement} device */
function does(house, device) {
	const { session } = house;
	/** It brings its own style. @param {string} module @param {string} name of what opens it @param {...any} what */
	const open = async (module, name, ...what) => (await lazy(module))?.[name](house, ...what);
	return {
		open,
		join: () => house.shown && house.join(house.shown.room),
		knock: () => house.knock(),
		leave: () => house.leave(),
		hand: () => session.raiseHand(!session.hand),
		widget: () => open("widget.js", "toggleWidget"),
		/** It stands beside the room where there is space for it, else it comes in a sheet. */
		device: () => house.shown && !wide.matches && sheet(t("device"), [device], () => byId("aside").append(device)),
	};
}

/** @param {House} house @param {ReturnType<typeof does>} deeds */
function buttons(house, { open, join, knock, leave, hand, widget, device }) {
	/** @type {Record<string, () => void>} */
	const presses = {
		skip: () => byId(document.body.dataset.dock ? (house.shown ? "title" : "page") : "own").focus(),
		settings: () => open("settings.js", "openSettings"),
		more: () => open("settings.js", "openMore"),
		sound: () => open("soundsheet.js", "openSound"),
		link: () => open("admin.js", "openAdmin", "link"),
		"device-add": () => open("enrol.js", "openEnrol"),
		"recording-leave": leave,
		"away-join": join,
		"lamp-strip": device,
		knock,
		hand,
		leave,
		widget,
	};
	for (const [id, press] of Object.entries(presses)) byId(id).onclick = press;
}

/** @param {House} house @param {Seen} seen @param {ReturnType<typeof does>} deeds @returns {Actions} */
function keyboard({ session }, { stay, rooms, view }, { open, join, knock, hand, widget, device }) {
	return {
		press: () => (session.own === "join" ? join() : session.press()),
		hold: () => session.hold(),
		release: (atOnce) => session.release(atOnce),
		room: (n) => rooms.go(n),
		close: () => closeSheet() || view.members.closeMenu() || rooms.close() || closeToast() || stay.stopWaiting(),
		letters: {
			m: () => ["muted", "live", "held"].includes(session.own) && session.press(),
			j: join,
			h: hand,
			k: knock,
			w: widget,
			d: () => (wide.matches ? byId("aside").focus() : device()),
			"?": () => closeSheet() || open("settings.js", "openKeyboard"),
		},
	};
}
