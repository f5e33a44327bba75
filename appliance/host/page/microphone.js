/**
 * The member's own microphone, in two copies: one that may be sent, and one that is only measured here.
 *
 * The measured copy stays awake while muted, so that the page can say "You are muted"; its level never leaves the browser.
 */

import { SILENCE } from "./model.js";

const WISH = { echoCancellation: true, noiseSuppression: true, autoGainControl: true, channelCount: 1 };

export class Microphone {
	/** @type {"unknown" | "ready" | "none" | "blocked"} */
	state = "unknown";
	/** @type {MediaStreamTrack | null} what may be sent */
	track = null;
	/** @type {MediaStreamTrack | null} */
	#measured = null;
	/** @type {AudioContext | null} */
	#context = null;
	/** @type {AnalyserNode | null} */
	#analyser = null;
	#samples = new Float32Array(1024);
	#changed;

	/** @param {() => void} changed called when the state changes without our doing */
	constructor(changed) {
		this.#changed = changed;
		navigator.mediaDevices?.addEventListener("devicechange", () => this.state === "none" && this.open().then(changed));
	}

	/** Ask for the microphone; afterwards `state` says what came of it. */
	async open() {
		this.close();
		try {
			this.#take(await navigator.mediaDevices.getUserMedia({ audio: WISH }));
			this.state = "ready";
		} catch (error) {
			this.state = error instanceof DOMException && error.name === "NotFoundError" ? "none" : "blocked";
		}
	}

	close() {
		this.track?.stop();
		this.#measured?.stop();
		this.#context?.close();
		this.track = this.#measured = this.#context = this.#analyser = null;
		this.state = "unknown";
	}

	/** Let sound into the track that is sent, or silence at once. @param {boolean} on */
	let(on) {
		if (this.track) this.track.enabled = on;
	}

	/** @returns {number} dBov, RMS of the last 21 ms */
	level() {
		if (!this.#analyser) return SILENCE;
		this.#analyser.getFloatTimeDomainData(this.#samples);
		const power = this.#samples.reduce((sum, sample) => sum + sample * sample, 0) / this.#samples.length;
		return power > 0 ? Math.max(SILENCE, 10 * Math.log10(power)) : SILENCE;
	}

	/** @param {MediaStream} stream */
	#take(stream) {
		[this.#measured] = stream.getAudioTracks();
		this.track = this.#measured.clone();
		this.track.enabled = false;
		this.#measured.onended = () => {
			this.close();
			this.state = "none";
			this.#changed();
		};
		this.#context = new AudioContext();
		this.#analyser = new AnalyserNode(this.#context, { fftSize: this.#samples.length });
		this.#context.createMediaStreamSource(stream).connect(this.#analyser);
	}
}
