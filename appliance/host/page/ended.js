/** When the room cannot be shown: one sentence, what to do, one key. No names and no levels. */

import { byId, setText } from "./dom.js";
import { say } from "./say.js";
import { t } from "./words.js";

export class Ended {
	/** "expired", "invalid", "noRoom", "elsewhere", or "" while the room is shown. */
	why = "";

	/** @param {(why: string) => void} again what the key does */
	constructor(again) {
		byId("end-key").onclick = () => again(this.why);
	}

	/** @param {string} why "" shows the room again */
	begin(why) {
		this.why = why;
		document.documentElement.toggleAttribute("data-ended", why !== "");
		byId("end").hidden = !why;
		this.show();
		if (why) say(t(`end.${why}`), "alert");
	}

	show() {
		if (!this.why) return;
		setText(byId("title"), "Kontor");
		setText(byId("end-first"), t(`end.${this.why}`));
		setText(byId("end-second"), t(`end.${this.why}2`));
		setText(byId("end-key"), t(this.why === "elsewhere" ? "end.take" : "end.again"));
	}
}
