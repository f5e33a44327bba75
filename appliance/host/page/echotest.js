/**
 * "This is how you sound": five seconds of the microphone, after all processing, and back through the chosen loudspeaker.
 *
 * Nothing of it leaves the browser. Whoever is live is muted first; who opens the microphone meanwhile ends the test at once,
 * or the room would hear it out of the loudspeaker.
 */

import { hush } from "./hint.js";
import { SILENCE } from "./model.js";

/** Milliseconds. */
const LENGTH = 5000;
/** dBov below which nobody spoke. */
const HEARD = -55;

export class EchoTest {
	/** @type {"idle" | "recording" | "playing" | "silent" | "failed"} */
	state = "idle";
	#house;
	#changed;
	#play;
	#loudest = SILENCE;
	#until = 0;
	/** Ends what goes on; an earlier turn's end has no effect. */
	#turn = 0;
	#end = () => {};

	/** @param {House} house @param {(node: AudioNode) => void} play connects what shall be heard @param {() => void} changed called after every change of `state` */
	constructor(house, play, changed) {
		this.#house = house;
		this.#play = play;
		this.#changed = changed;
	}

	get runs() {
		return this.state === "recording" || this.state === "playing";
	}

	/** Seconds of recording that are left. @param {number} now */
	left(now) {
		return Math.max(1, Math.ceil((this.#until - now) / 1000));
	}

	/** @param {number} level dBov of the microphone now */
	hear(level) {
		if (this.state === "recording") this.#loudest = Math.max(this.#loudest, level);
	}

	async start() {
		const { session, microphone, playback } = this.#house;
		session.mute();
		this.stop();
		const turn = this.#turn;
		if (!microphone.measured) return;
		this.#loudest = SILENCE;
		hush(true);
		try {
			const sound = await this.#record(microphone.measured);
			if (turn !== this.#turn) return;
			if (this.#loudest < HEARD) return this.stop("silent");
			const context = /** @type {AudioContext} */ (playback.out().context);
			const buffer = await context.decodeAudioData(sound);
			if (turn === this.#turn) this.#replay(new AudioBufferSourceNode(context, { buffer }));
		} catch {
			if (turn === this.#turn) this.stop("failed");
		}
	}

	/** Nothing is recorded or heard from here on. @param {"idle" | "silent" | "failed"} [state] */
	stop(state = "idle") {
		this.#turn += 1;
		this.#end();
		this.#end = () => {};
		hush(false);
		this.#house.playback.aside = 1;
		this.#go(state);
	}

	/** @param {MediaStream} stream @returns {Promise<ArrayBuffer>} */
	#record(stream) {
		return new Promise((resolve, reject) => {
			const recorder = new MediaRecorder(stream);
			/** @type {Blob[]} */
			const parts = [];
			const timer = setTimeout(() => recorder.stop(), LENGTH);
			recorder.ondataavailable = (event) => parts.push(event.data);
			recorder.onstop = () => resolve(new Blob(parts).arrayBuffer());
			recorder.onerror = reject;
			recorder.start();
			this.#end = () => {
				clearTimeout(timer);
				if (recorder.state !== "inactive") recorder.stop();
			};
			this.#until = performance.now() + LENGTH;
			this.#go("recording");
		});
	}

	/** @param {AudioBufferSourceNode} source */
	#replay(source) {
		this.#end = () => {
			source.onended = null;
			source.stop();
			source.disconnect();
		};
		source.onended = () => this.stop();
		this.#play(source);
		this.#house.playback.aside = 0;
		source.start();
		this.#go("playing");
	}

	/** @param {EchoTest["state"]} state */
	#go(state) {
		this.state = state;
		this.#changed();
	}
}
