/**
 * Levels as lit segments. A meter jumps by whole segments, at most 15 times a second; the highest segment of the last
 * 1.5 s stays lit. Standing still, it has five steps and changes at most twice a second.
 */

import { setAttribute } from "./dom.js";
import { isStill } from "./prefs.js";

/** dBov of a meter's left end; its right end is 0. */
export const FLOOR = -60;
const HOLD = 1500;

export class Meter {
	/** @type {Array<{at: number, n: number}>} falling in n, rising in time: the first is the peak */
	#peaks = [];

	/** @param {Element} node @param {number} [count] segments */
	constructor(node, count = 20) {
		this.node = node;
		this.count = count;
	}

	/** @param {number} level dBov @param {number} now milliseconds */
	show(level, now) {
		const part = Math.min(1, Math.max(0, 1 - level / FLOOR));
		const n = isStill() ? (Math.round(part * 5) * this.count) / 5 : Math.round(part * this.count);
		this.#peaks = this.#peaks.filter((peak) => peak.n > n && now - peak.at <= HOLD);
		this.#peaks.push({ at: now, n });
		setAttribute(this.node, "data-n", n);
		setAttribute(this.node, "data-p", this.#peaks[0].n);
	}

	/** Somebody else's level is shown from now on: the old peak is not theirs. */
	clear() {
		this.#peaks = [];
	}
}

/** Call `draw` at the meters' pace while the page is visible. @param {(now: number) => void} draw */
export function pace(draw) {
	let last = 0;
	setInterval(() => {
		const now = performance.now();
		if (document.hidden || now - last < (isStill() ? 490 : 60)) return;
		last = now;
		draw(now);
	}, 67);
}
