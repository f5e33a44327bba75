/** Waits between tries: the first is short, each may be longer, none is longer than the cap, and no two pages agree. */
export class Backoff {
	#tries = 0;

	/** @param {number} [first] milliseconds @param {number} [cap] milliseconds */
	constructor(first = 150, cap = 1500) {
		this.first = first;
		this.cap = cap;
	}

	/** @returns {number} milliseconds to wait before the next try */
	next() {
		return Math.min(this.cap, this.first * 2 ** this.#tries++) * (0.5 + Math.random() / 2);
	}

	reset() {
		this.#tries = 0;
	}
}
