/**
 * The member's own microphone, in two copies: one that may be sent, and one that is only measured here.
 *
 * The measured copy stays awake while muted, so that the page can say "You are muted"; its level never leaves the browser.
 * A copy that may be sent is made closed, each time: whatever comes back comes back muted.
 */

import { SILENCE } from "./model.js";
import { prefs } from "./prefs.js";

/** What the browser can do to the sound. */
const PROCESSING = /** @type {const} */ ([["echoCancellation", "echo"], ["noiseSuppression", "noise"], ["autoGainControl", "gain"]]);

/** Ids that stand for another device of the list: the system's choice, and nothing told yet. */
const ALIASES = ["", "default", "communications"];

/** Why there is none, by the name of the error; any other is "none". @type {Record<string, "blocked" | "busy">} */
const ERRORS = { NotAllowedError: "blocked", SecurityError: "blocked", NotReadableError: "busy", AbortError: "busy" };

export class Microphone {
	/** @type {"unknown" | "asking" | "ready" | "none" | "blocked" | "busy" | "failed"} */
	state = "unknown";
	/** @type {MediaStreamTrack | null} what may be sent */
	track = null;
	/** @type {MediaStream | null} what is measured here, after the browser's processing */
	measured = null;
	/** @type {AudioContext | null} */
	#context = null;
	/** @type {AnalyserNode | null} */
	#analyser = null;
	#samples = new Float32Array(1024);
	#changed;
	/** Counts up with each opening and closing: what a browser grants to an earlier one is given back at once. */
	#turn = 0;
	/** Somebody wants it, if only it were there. */
	#wanted = false;

	/** @param {() => void} changed called when the state changes without our doing */
	constructor(changed) {
		this.#changed = changed;
		navigator.mediaDevices?.addEventListener("devicechange", () => this.#devicesChanged());
		navigator.permissions?.query({ name: /** @type {any} */ ("microphone") }).then(
			(permission) => (permission.onchange = () => this.state === "blocked" && permission.state === "granted" && this.#again()),
			() => {}, // a browser that does not tell: a press on the own key asks again
		);
	}

	/** Ask for the microphone that is chosen; afterwards `state` says what came of it. Until then an earlier one goes on. */
	async open() {
		const turn = ++this.#turn;
		this.#wanted = true;
		if (!this.track) this.state = "asking";
		const [state, stream] = await obtain();
		if (turn !== this.#turn) return stream?.getTracks().forEach((track) => track.stop());
		this.#drop();
		this.state = state;
		if (stream) this.#take(stream);
	}

	close() {
		this.#turn += 1;
		this.#wanted = false;
		this.#drop();
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
		return levelOf(this.#samples);
	}

	/** What the system calls it. */
	get name() {
		return this.measured?.getAudioTracks()[0].label ?? "";
	}

	/** @returns {MediaTrackSettings} what it really is and does */
	settings() {
		return this.measured?.getAudioTracks()[0].getSettings() ?? {};
	}

	/**
	 * Do to the sound what is chosen, without opening anything anew.
	 * @returns {Promise<boolean>} whether it is so; most browsers can only do it by `open`
	 */
	async process() {
		if (!this.track || !this.measured) return true;
		const tracks = [this.track, ...this.measured.getAudioTracks()];
		await Promise.allSettled(tracks.map((track) => track.applyConstraints(wish("ideal"))));
		return tracks.every((track) => fits(track.getSettings()));
	}

	#drop() {
		this.track?.stop();
		for (const track of this.measured?.getAudioTracks() ?? []) track.stop();
		this.#context?.close();
		this.track = this.measured = this.#context = this.#analyser = null;
	}

	/** @param {MediaStream} stream */
	#take(stream) {
		const [track] = stream.getAudioTracks();
		this.measured = stream;
		this.track = track.clone();
		this.track.enabled = false;
		track.onended = () => this.#lost();
		try {
			this.#measure(stream);
		} catch {
			this.#drop(); // the browser has no more sound to give: nobody speaks without seeing it
			this.state = "failed";
		}
	}

	/** @param {MediaStream} stream */
	#measure(stream) {
		const context = new AudioContext();
		this.#context = context;
		// A system that takes the sound away for a call, or sleeps, leaves the context standing.
		context.onstatechange = () => context === this.#context && context.state !== "running" && resume(context);
		this.#analyser = new AnalyserNode(context, { fftSize: this.#samples.length });
		context.createMediaStreamSource(stream).connect(this.#analyser);
	}

	/** It was unplugged: hollow and muted first, then perhaps another one. */
	#lost() {
		this.#drop();
		this.state = "none";
		this.#changed();
		this.#again();
	}

	async #again() {
		if (!this.#wanted) return;
		await this.open();
		this.#changed();
	}

	/** One is there again, or the chosen one is: not while sound of another one leaves. */
	async #devicesChanged() {
		if (["none", "busy", "failed"].includes(this.state)) return this.#again();
		if (this.state !== "ready" || this.track?.enabled || !prefs.microphone) return;
		const { deviceId } = this.settings();
		const there = await devices("audioinput");
		if (deviceId !== prefs.microphone && there.some((device) => device.deviceId === prefs.microphone)) this.#again();
	}
}

/**
 * Processing must be asked for by force: else a browser that has the device open gives another copy of what it has.
 * @param {"exact" | "ideal"} how @param {string} [device] @returns {MediaTrackConstraints}
 */
function wish(how, device) {
	const processing = Object.fromEntries(PROCESSING.map(([name, pref]) => [name, { [how]: prefs[pref] }]));
	return { ...processing, channelCount: 1, ...(device && { deviceId: { exact: device } }) };
}

/** @param {MediaTrackSettings} settings */
function fits(settings) {
	return PROCESSING.every(([name, pref]) => settings[name] === undefined || settings[name] === prefs[pref]);
}

/**
 * The chosen microphone, else any.
 * @returns {Promise<readonly ["ready" | "none" | "blocked" | "busy", MediaStream | null]>}
 */
async function obtain() {
	const wishes = [wish("exact", prefs.microphone), ...(prefs.microphone ? [wish("exact")] : []), wish("ideal")];
	let name = "";
	for (const audio of wishes) {
		try {
			return ["ready", await navigator.mediaDevices.getUserMedia({ audio })];
		} catch (error) {
			name = error instanceof Error ? error.name : "";
			if (name === "NotAllowedError") break;
		}
	}
	return [ERRORS[name] ?? "none", null];
}

/**
 * The devices that this page may know of; before anybody has granted a microphone they have no names.
 * @param {MediaDeviceKind} kind @returns {Promise<MediaDeviceInfo[]>}
 */
export async function devices(kind) {
	const all = (await navigator.mediaDevices?.enumerateDevices().catch(() => [])) ?? [];
	return all.filter((device) => device.kind === kind && !ALIASES.includes(device.deviceId));
}

/** Let it sound; what refuses now is asked again at its next change. @param {AudioContext} context */
export async function resume(context) {
	try {
		await context.resume();
	} catch {
		// It may also throw at once.
	}
}

/** @param {Float32Array} samples @returns {number} dBov, RMS */
export function levelOf(samples) {
	const power = samples.reduce((sum, sample) => sum + sample * sample, 0) / samples.length;
	return power > 0 ? Math.max(SILENCE, 10 * Math.log10(power)) : SILENCE;
}
