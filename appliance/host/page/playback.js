/**
 * The three slots, made audible: one element each, made once, and each with the volume of whoever is in it.
 *
 * Volumes, 0 to 2, are this listener's own; they change nothing for anybody else. What is louder than 100 %, and what the page
 * itself plays on a press, goes through one more element, so that all of it comes out of the chosen device.
 */

import { devices, resume } from "./microphone.js";
import { prefs, setPrefs, setVolumeOf, volumeOf } from "./prefs.js";

/** Whether another output can be chosen than the system's. */
export const CHOOSES = "setSinkId" in HTMLMediaElement.prototype;

export class Playback {
	/** The browser plays nothing before a press. */
	blocked = false;
	#elements = [...document.querySelectorAll("audio")];
	/** @type {Array<string | null>} */
	#slots = [null, null, null];
	#all = Math.min(2, Math.max(0, prefs.volume));
	#storing = 0;
	/** While the page itself plays something the room is this loud. */
	#aside = 1;
	/** @type {AudioContext | null} */
	#context = null;
	/** @type {MediaStreamAudioDestinationNode | null} */
	#out = null;
	#outElement = new Audio();
	/** @type {Array<GainNode | null>} */
	#boosts = [null, null, null];
	/** The browser gives no more than 100 %. */
	#weak = false;
	/** The device that plays now; "" is the system's. */
	#speaker = "";
	#changed;

	/** @param {(event: "blocked" | "weak" | "speaker", detail?: string) => void} changed told when `blocked` changes, when nothing is louder than 100 %, and when the output changes without a press */
	constructor(changed = () => {}) {
		this.#changed = changed;
		navigator.mediaDevices?.addEventListener("devicechange", () => this.#devicesChanged());
		document.addEventListener("click", () => this.blocked && this.unblock()); // any press will do
		if (prefs.speaker) this.#devicesChanged();
	}

	/** @param {number} slot @param {MediaStreamTrack} track */
	play(slot, track) {
		this.#unboost(slot);
		const element = this.#elements[slot];
		element.srcObject = new MediaStream([track]);
		this.#start(element);
		this.#apply(slot);
	}

	stop() {
		for (const [slot, element] of this.#elements.entries()) {
			this.#unboost(slot);
			element.srcObject = null;
		}
		this.#block(false);
	}

	/** Start what the browser held back; only within a press. */
	unblock() {
		this.#block(false);
		if (this.#context) resume(this.#context);
		for (const element of [...this.#elements, this.#outElement]) if (element.srcObject) this.#start(element);
	}

	/** Who is heard in which slot. @param {Array<string | null>} slots */
	seat(slots) {
		this.#slots = slots;
		this.#applyAll();
	}

	/** @param {string | null} id of a member */
	volume(id) {
		return volumeOf(id ?? "");
	}

	/** @param {string} id of a member @param {Partial<Volume>} change */
	setVolume(id, change) {
		setVolumeOf(id, { ...volumeOf(id), ...change });
		this.#applyAll();
	}

	/** The volume of the whole room. */
	get all() {
		return this.#all;
	}

	set all(gain) {
		this.#all = gain;
		clearTimeout(this.#storing); // a slider says it many times
		this.#storing = setTimeout(() => setPrefs({ volume: gain }), 300);
		this.#applyAll();
	}

	/** The room steps aside for what the page plays itself. @param {number} gain 1 is the room alone */
	set aside(gain) {
		this.#aside = gain;
		this.#applyAll();
	}

	/** @param {string} id of the device that shall play from now on, "" for the system's @returns {Promise<boolean>} */
	async choose(id) {
		const chosen = await this.#sink(id);
		if (chosen) setPrefs({ speaker: id });
		return chosen;
	}

	/** Where the page plays something of its own, in a press. Throws where the browser has no more sound to give; the next call asks again. @returns {AudioNode} */
	out() {
		this.#context ??= new AudioContext();
		if (!this.#out) {
			this.#out = new MediaStreamAudioDestinationNode(this.#context);
			this.#outElement.srcObject = this.#out.stream;
		}
		resume(this.#context);
		if (this.#outElement.paused) this.#start(this.#outElement);
		return this.#out;
	}

	/** @param {HTMLMediaElement} element */
	#start(element) {
		element.play().catch((error) => error.name === "NotAllowedError" && this.#block(true));
	}

	/** @param {boolean} blocked */
	#block(blocked) {
		if (this.blocked === blocked) return;
		this.blocked = blocked;
		this.#changed("blocked");
	}

	/** @param {string} id @returns {Promise<boolean>} whether all of it comes out there */
	async #sink(id) {
		if (!CHOOSES) return id === "";
		const before = this.#speaker;
		this.#speaker = id;
		const done = await Promise.allSettled([...this.#elements, this.#outElement].map((element) => element.setSinkId(id)));
		if (done.every((one) => one.status === "fulfilled")) return true;
		if (this.#speaker !== id) return false; // chosen again meanwhile
		this.#speaker = before;
		await Promise.allSettled([...this.#elements, this.#outElement].map((element) => element.setSinkId(before)));
		return false;
	}

	/** The chosen device is gone: the system's plays, until it is there again. */
	async #devicesChanged() {
		if (!CHOOSES || !prefs.speaker) return;
		const there = (await devices("audiooutput")).find((device) => device.deviceId === prefs.speaker);
		const wanted = there ? prefs.speaker : "";
		if (wanted === this.#speaker) return;
		await this.#sink(wanted);
		this.#changed("speaker", there?.label ?? "");
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
		const wanted = muted ? 0 : gain * this.#all * this.#aside;
		const element = this.#elements[slot];
		const boost = wanted > 1 && element.srcObject instanceof MediaStream && this.#boost(slot, element.srcObject);
		if (boost) boost.gain.value = wanted;
		else this.#unboost(slot);
		element.muted = Boolean(boost) || wanted === 0;
		element.volume = Math.min(1, wanted);
	}

	/** @param {number} slot @param {MediaStream} stream @returns {GainNode | null} null: it cannot be had, and that is told once */
	#boost(slot, stream) {
		const weak = this.#weak;
		try {
			this.#boosts[slot] ??= this.#amplifier(stream);
			this.#weak = false;
		} catch {
			this.#weak = true;
			if (!weak) this.#changed("weak");
		}
		return this.#boosts[slot];
	}

	/** @param {MediaStream} stream */
	#amplifier(stream) {
		const out = this.out();
		const gain = new GainNode(out.context);
		/** @type {AudioContext} */ (out.context).createMediaStreamSource(stream).connect(gain).connect(out);
		return gain;
	}

	/** @param {number} slot */
	#unboost(slot) {
		this.#boosts[slot]?.disconnect();
		this.#boosts[slot] = null;
	}
}
