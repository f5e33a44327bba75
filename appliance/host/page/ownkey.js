/** The member's own key: how it looks and what it says in each state. What a press does is the session's affair. */

import { byId, find, setAttribute, setIcon, setText } from "./dom.js";
import { Meter } from "./meters.js";
import { prefs } from "./prefs.js";
import { t } from "./words.js";

/**
 * Picture ("" is the walking ring), look, and words of both lines. Filled ("live") leaves the microphone, hollow does not;
 * "well" lies pressed in.
 * @type {Record<Own, readonly [string, "join" | "hollow" | "well" | "live" | "plain", string, string]>}
 */
const LOOKS = {
	join: ["listen", "join", "own.join", "own.join2"],
	listen: ["listen", "join", "own.listen", "own.listen2"],
	listening: ["listen", "plain", "state.listening", "own.listen2"],
	guest: ["hand", "hollow", "own.adminMuted", "own.guest2"],
	connecting: ["", "well", "state.connecting", "own.connecting2"],
	reconnecting: ["", "well", "own.reconnecting", "own.reconnecting2"],
	muted: ["mic-off", "hollow", "own.muted", "own.muted2"],
	live: ["mic", "live", "own.live", "own.live2"],
	held: ["mic", "live", "own.live", "own.held2"],
	adminMuted: ["hand", "hollow", "own.adminMuted", "own.adminMuted2"],
	asked: ["hand", "well", "own.asked", "own.asked2"],
	asking: ["mic-off", "well", "own.asking", "own.asking2"],
	none: ["mic-off", "hollow", "own.none", "own.none2"],
	blocked: ["mic-off", "hollow", "own.blocked", "own.blocked2"],
	busy: ["mic-off", "hollow", "own.busy", "own.none2"],
	failed: ["mic-off", "hollow", "own.failed", "own.failed2"],
	unable: ["warn", "plain", "own.unable", "own.unable2"],
};
/** States in which a press does nothing. */
const INERT = ["listening", "connecting", "reconnecting", "asking", "unable"];
const touch = matchMedia("(pointer: coarse)");

export class OwnKey {
	#dock = byId("dock");
	#key = byId("own");
	#meter = new Meter(find(this.#key, ".meter"), 10);

	/** @param {Own} state */
	show(state) {
		const [picture, look, first, second] = LOOKS[state];
		if (picture) setIcon(this.#key, picture);
		setAttribute(this.#dock, "data-own", state);
		setAttribute(this.#dock, "data-look", look);
		if (look === "join") setAttribute(this.#dock, "data-as", state); // what the stay began as
		setText(byId("own-first"), t(first));
		setText(byId("own-second"), t(state === "muted" && (touch.matches || !prefs.space) ? "own.muted2touch" : second));
		setAttribute(this.#key, "aria-disabled", INERT.includes(state) ? "true" : null);
	}

	/** @param {number} level dBov, while live @param {number} now */
	level(level, now) {
		this.#meter.show(level, now);
	}
}
