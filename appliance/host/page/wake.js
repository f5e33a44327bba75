/**
 * When the machine wakes from sleep, or comes into another network: nobody tells a page of the first, so it looks at the clock.
 *
 * What was connected then may be broken without knowing it. Whoever listens looks now, and not when a timeout says so.
 */

/** Milliseconds between two looks, and how late one must be to have slept: a busy page is late too, but not by seconds. */
const [LOOK, LATE] = [1000, 4000];

/** How long was slept between two looks. @param {number} before milliseconds @param {number} now @returns {number} 0: not at all */
export function sleptBetween(before, now) {
	const late = now - before - LOOK;
	return late >= LATE ? late : 0;
}

/** @type {Array<(slept: number) => void>} */
const sleepers = [];

/** @param {(slept: number) => void} woke told how many milliseconds were slept; 0: the network is another one */
export function onWake(woke) {
	sleepers.push(woke);
}

/** @param {number} slept */
function tell(slept) {
	for (const woke of sleepers) woke(slept);
}

let looked = Date.now(); // the clock of the wall goes on in sleep, that of the page need not

setInterval(() => {
	const slept = sleptBetween(looked, Date.now());
	looked = Date.now();
	if (slept) tell(slept);
}, LOOK);
addEventListener("online", () => tell(0));
/** @type {any} */ (navigator).connection?.addEventListener("change", () => tell(0));
