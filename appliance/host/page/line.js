/**
 * The one line of sound to the host: tried again until it holds, or until the host says that it never will.
 *
 * There are never two: whoever opens it anew takes the place of an older try, which comes to nothing from then on.
 */

import { Backoff } from "./backoff.js";
import { Refused } from "./media.js";

export class Line {
	/** Sound flows, as far as is known. */
	up = false;
	#media;
	/** Counts up with each opening and closing: only the last one has an effect. */
	#wish = 0;
	/** Ends the wait between two tries. */
	hurry = () => {};

	/** @param {Pick<import("./media.js").Media, "join" | "leave">} media */
	constructor(media) {
		this.#media = media;
	}

	/**
	 * Connect anew, and be done when sound flows. Throws `Refused` when it never will.
	 * @param {() => boolean} speaks whether a way up is wanted; asked at each try
	 * @param {() => void} missed called after each try that is worth another
	 * @returns {Promise<boolean>} false: it was closed meanwhile, or opened anew
	 */
	async open(speaks, missed) {
		const wish = this.#begin();
		const backoff = new Backoff();
		while (wish === this.#wish) {
			const error = await this.#media.join(speaks()).catch((/** @type {unknown} */ reason) => reason);
			if (wish !== this.#wish) break;
			if (!error) return (this.up = true);
			if (!(error instanceof Refused) || error.kind !== "network") throw error;
			missed();
			await new Promise((resolve) => {
				this.hurry = () => resolve(backoff.reset());
				setTimeout(resolve, backoff.next());
			});
		}
		return false;
	}

	/** Nothing flows, and nobody tries for it any more. */
	close() {
		this.#begin();
		this.#media.leave();
	}

	/** @returns {number} the wish that counts from now on */
	#begin() {
		this.up = false;
		this.#wish += 1;
		this.hurry(); // an older try need not wait to find that it is over
		return this.#wish;
	}
}
