/**
 * The three slots, made audible: one element each, made once, and each with the volume of whoever is in it.
 *
 * Volumes, 0 to 2, are this listener's own and kept for this visit; they change nothing for anybody else.
 */

export class Playback {
	#elements = [...document.querySelectorAll("audio")];
	/** @type {Array<string | null>} */
	#slots = [null, null, null];
	/** @type {Map<string, {gain: number, muted: boolean}>} */
	#volumes = new Map();
	#all = 1;
	/** @type {AudioContext | null} */
	#context = null;
	/** @type {Array<GainNode | null>} */
	#boosts = [null, null, null];

	/** @param {number} slot @param {MediaStreamTrack} track */
	play(slot, track) {
		this.#unboost(slot);
		const element = this.#elements[slot];
		element.srcObject = new MediaStream([track]);
		element.play().catch(() => {}); // refused only before a first press, and joining is one
		this.#apply(slot);
	}

	stop() {
		for (const [slot, element] of this.#elements.entries()) {
			this.#unboost(slot);
			element.srcObject = null;
		}
	}

	/** Who is heard in which slot. @param {Array<string | null>} slots */
	seat(slots) {
		this.#slots = slots;
		this.#applyAll();
	}

	/** @param {string | null} id of a member */
	volume(id) {
		return this.#volumes.get(id ?? "") ?? { gain: 1, muted: false };
	}

	/** @param {string} id of a member @param {Partial<{gain: number, muted: boolean}>} change */
	setVolume(id, change) {
		this.#volumes.set(id, { ...this.volume(id), ...change });
		this.#applyAll();
	}

	/** The volume of the whole room. */
	get all() {
		return this.#all;
	}

	set all(gain) {
		this.#all = gain;
		this.#applyAll();
	}

	#applyAll() {
		for (const slot of this.#elements.keys()) this.#apply(slot);
	}

	/**
	 * An element can only make quieter. Above 100 % it is muted, but goes on to pull the stream, and a gain node plays in its
	 * place.
	 * @param {number} slot
	 */
	#apply(slot) {
		const { gain, muted } = this.volume(this.#slots[slot]);
		const wanted = muted ? 0 : gain * this.#all;
		const element = this.#elements[slot];
		const boosted = wanted > 1 && element.srcObject instanceof MediaStream;
		if (boosted) this.#boost(slot, /** @type {MediaStream} */ (element.srcObject)).gain.value = wanted;
		else this.#unboost(slot);
		element.muted = boosted || wanted === 0;
		element.volume = Math.min(1, wanted);
	}

	/** @param {number} slot @param {MediaStream} stream */
	#boost(slot, stream) {
		const there = this.#boosts[slot];
		if (there) return there;
		this.#context ??= new AudioContext();
		const gain = new GainNode(this.#context);
		this.#context.createMediaStreamSource(stream).connect(gain).connect(this.#context.destination);
		this.#boosts[slot] = gain;
		return gain;
	}

	/** @param {number} slot */
	#unboost(slot) {
		this.#boosts[slot]?.disconnect();
		this.#boosts[slot] = null;
	}
}
