/** "You are muted": shown when the closed microphone hears its owner. The level is measured here and goes nowhere. */

import { byId, find } from "./dom.js";
import { Meter } from "./meters.js";
import { say } from "./say.js";
import { t } from "./words.js";

/** dBov from which on, and down to which, it counts as talking. */
const [ON, OFF] = [-50, -56];
/** Milliseconds: a pause within a sentence; talking until the hint comes; silence until it goes; until it is said again. */
const [PAUSE, TALKED, QUIET, AGAIN] = [400, 600, 3000, 10_000];

let hushed = false;

/** Who tries the microphone knows that nobody hears it. @param {boolean} on */
export function hush(on) {
	hushed = on;
}

export class Hint {
	#node = byId("hint");
	#meter = new Meter(find(this.#node, ".meter"));
	#began = 0;
	#heard = -Infinity;
	#said = -Infinity;

	/** @param {boolean} muted in the room, and the own microphone is closed @param {number} level dBov @param {number} now */
	update(muted, level, now) {
		const going = now - this.#heard < PAUSE;
		if (!muted || hushed) this.#heard = -Infinity;
		else if (level >= (going ? OFF : ON)) {
			if (!going) this.#began = now;
			this.#heard = now;
			if (this.#node.hidden && now - this.#began >= TALKED) this.#show(now);
		}
		if (now - this.#heard >= QUIET) this.#node.hidden = true;
		this.#meter.show(level, now);
	}

	/** @param {number} now */
	#show(now) {
		this.#node.hidden = false;
		if (now - this.#said < AGAIN) return;
		this.#said = now;
		say(`${t("hint.title")}. ${t("hint.text")}`);
	}
}
