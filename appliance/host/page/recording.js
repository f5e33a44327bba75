/** The strip that says, for as long as it is so, that the room is recorded; it is announced before it begins. */

import { byId, setText } from "./dom.js";
import { say } from "./say.js";
import { t } from "./words.js";

/** Milliseconds for which the end of a recording is shown. */
const STAYS = 6000;

export class Recording {
	#strip = byId("recording");
	#timer = 0;
	#on = false;
	/** Unix milliseconds. */
	#starts = 0;
	#by = "";

	/** @param {{on: boolean, in?: number, by?: {name: string}}} m `in`: seconds until it begins */
	apply(m) {
		if (m.on === this.#on) return;
		clearInterval(this.#timer);
		this.#on = m.on;
		this.#by = m.by?.name ?? "";
		this.#starts = Date.now() + (m.in ?? 0) * 1000;
		this.#strip.hidden = false;
		this.show();
		say(m.on ? t(m.in ? "rec.starts" : "rec.began", { n: m.in ?? 0 }) : t("rec.stopped"), "alert");
		this.#timer = m.on ? setInterval(() => this.show(), 1000) : setTimeout(() => (this.#strip.hidden = true), STAYS);
	}

	show() {
		const seconds = Math.floor((Date.now() - this.#starts) / 1000);
		const soon = this.#on && seconds < 0;
		setText(byId("recording-first"), this.#words(seconds));
		setText(byId("recording-second"), soon && this.#by ? t("rec.startsBy", { name: this.#by }) : "");
		byId("recording-leave").hidden = !soon;
	}

	/** @param {number} seconds since it began */
	#words(seconds) {
		if (!this.#on) return t("rec.stopped");
		if (seconds < 0) return t("rec.starts", { n: -seconds });
		return t("rec.running", { time: `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}` });
	}
}
