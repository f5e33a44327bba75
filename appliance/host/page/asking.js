/** A room is asked to open its microphone, and what came of it is said. The host answers only what it refuses. */

import { refusalWords } from "./ask.js";
import { t } from "./words.js";

/** Milliseconds after which a refusal would have come, */
const SOON = 600;
/** and for which one that comes later is told all the same. */
const LATE = 10_000;

/** @param {House} house @param {Feed | null} feed @param {string} member a device of that room */
export function askToUnmute(house, feed, member) {
	if (!feed?.send({ type: "ask_unmute", member })) return house.toast(`${t("end.network")} ${t("end.network2")}`, "warn", "alert");
	const asked = setTimeout(() => house.toast(t("device.asked"), "mic"), SOON);
	const off = house.onRefused((code, text) => {
		clearTimeout(asked);
		off();
		house.toast(refusalWords(code, text), "warn", "alert");
	});
	setTimeout(off, LATE);
}
