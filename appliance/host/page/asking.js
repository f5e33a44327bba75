/** A room is asked to open its microphone, or knocked at, and what came of it is said. */

import { refusalWords } from "./ask.js";
import { t } from "./words.js";

/** Milliseconds after which a refusal would have come, */
const SOON = 600;
/** after which a knock would have been told, */
const TOLD = 2000;
/** and for which what comes later is said all the same. */
const LATE = 10_000;
/** What the host refuses such a question by: a refusal does not name what it is of, and others may be on their way. */
const REFUSALS = ["too_often", "unknown_member"];

/**
 * @param {House} house @param {Feed | null | undefined} feed @param {object} message
 * @param {() => void} silent what is said when nothing has come of it @param {number} after milliseconds
 * @param {(m: any) => boolean} answered says what came of it, if `m` tells that
 */
function ask(house, feed, message, silent, after, answered) {
	if (!feed?.send(message)) return house.toast(`${t("end.network")} ${t("end.network2")}`, "warn", "alert");
	const timer = setTimeout(silent, after);
	const off = house.onMessage((from, m) => {
		if (from !== feed || !answered(m)) return;
		clearTimeout(timer);
		off();
	});
	setTimeout(off, LATE);
}

/** The host answers only what it refuses. @param {House} house @param {Feed | null} feed @param {string} member a device of that room */
export function askToUnmute(house, feed, member) {
	const asked = () => house.toast(t("device.asked"), "mic");
	ask(house, feed, { type: "ask_unmute", member }, asked, SOON, ({ type, code, text }) => {
		const refused = type === "error" && REFUSALS.includes(code);
		if (refused) house.toast(refusalWords(code, text ?? ""), "warn", "alert");
		return refused;
	});
}

/** The host tells everybody of a knock, us too; of one that comes too soon it tells nobody. @param {House} house @param {Feed | undefined} feed */
export function knock(house, feed) {
	const unheard = () => house.toast(t("knock.soon"), "warn", "alert");
	ask(house, feed, { type: "knock" }, unheard, TOLD, ({ type, by }) => {
		const told = type === "knock" && by.id === feed?.model.you?.id;
		if (told) house.toast(t("knocked"), "knock");
		return told;
	});
}
