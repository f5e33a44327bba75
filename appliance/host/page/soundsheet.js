/** The sound sheet: microphone and loudspeaker with their meters and tests, processing, push-to-talk, and the connection. */

import { h, icon, setIcon, setText } from "./dom.js";
import { EchoTest } from "./echotest.js";
import { checkField, volumeField } from "./fields.js";
import { Meter } from "./meters.js";
import { devices, levelOf } from "./microphone.js";
import { SILENCE } from "./model.js";
import { CHOOSES } from "./playback.js";
import { prefs, setPrefs } from "./prefs.js";
import { Quality } from "./quality.js";
import { t, tag } from "./words.js";

/** Notes of the chime: hertz, and seconds after its start. */
const CHIME = [[659, 0], [880, 0.16]];
const FIGURES = /** @type {const} */ ([["loss", "%"], ["jitter", "ms"], ["roundTrip", "ms"]]);
/** Milliseconds between two steps of the release delay, and its longest. */
const [STEP, LONGEST] = [50, 1000];

/** It goes on while the sheet is closed, so that the next look finds a judgement. */
const quality = new Quality();

/** @param {House} house */
export function openSound(house) {
	const { media } = house;
	media.counted = (reports) => quality.take(reports, performance.now());
	new SoundSheet(house).open();
}

/** @param {string} word @param {string} picture @param {() => void} press */
function key(word, picture, press) {
	return h("button", { class: "key", type: "button", onclick: press }, icon(picture), h("span", {}, t(word)));
}

/** @param {number} figure @param {number} digits behind the comma */
const shown = (figure, digits) => figure.toLocaleString(tag(), { minimumFractionDigits: digits, maximumFractionDigits: digits, useGrouping: false });

/** @param {string} word @param {...(Node | string)} content */
function part(word, ...content) {
	const title = h("h3", { class: "label" }, t(word));
	return h("section", { "aria-label": t(word) }, title, ...content);
}

/** One of the devices of a kind, or the system's choice. */
class Choice {
	#kind;
	#chosen;
	node = h("select", {});

	/** @param {MediaDeviceKind} kind @param {string} word @param {() => string} chosen @param {(id: string) => void} choose */
	constructor(kind, word, chosen, choose) {
		this.#kind = kind;
		this.#chosen = chosen;
		this.node.setAttribute("aria-label", t(word));
		this.node.onchange = () => choose(this.node.value);
		this.node.append(h("option", { value: "" }, t("sound.system")));
	}

	/** @returns {Promise<number>} how many there are */
	async fill() {
		const there = await devices(this.#kind);
		const chosen = this.#chosen();
		const options = there.map((device, n) => h("option", { value: device.deviceId }, device.label || t("sound.unnamed", { n: n + 1 })));
		const known = !chosen || there.some((device) => device.deviceId === chosen);
		if (!known) options.push(h("option", { value: chosen }, t("sound.away")));
		this.node.replaceChildren(h("option", { value: "" }, t("sound.system")), ...options);
		this.node.value = chosen;
		return there.length;
	}
}

class SoundSheet {
	#house;
	#echo;
	#ends = /** @type {Array<() => void>} */ ([]);
	/** @type {AnalyserNode | null} what the page itself plays */
	#played = null;
	#samples = new Float32Array(1024);
	#microphones;
	#speakers;
	#microphoneNode = h("span", { class: "meter", "aria-hidden": true });
	#speakerNode = h("span", { class: "meter", "aria-hidden": true });
	#microphoneMeter = new Meter(this.#microphoneNode);
	#speakerMeter = new Meter(this.#speakerNode);
	#says = h("p", { class: "second" });
	#try;
	#echoKey;
	#echoSays = h("p", { class: "second", role: "status" });
	#quality = h("b", {});
	#figures = FIGURES.map(([name]) => /** @type {const} */ ([name, h("dd", {})]));
	#speakerChoice;

	/** @param {House} house */
	constructor(house) {
		this.#house = house;
		this.#echo = new EchoTest(house, (node) => this.#hear(node), () => this.#show());
		this.#microphones = new Choice("audioinput", "sound.microphone", () => prefs.microphone, (id) => this.#chooseMicrophone(id));
		this.#speakers = new Choice("audiooutput", "sound.speaker", () => prefs.speaker, (id) => this.#chooseSpeaker(id));
		this.#speakerChoice = h("div", {}, CHOOSES ? this.#speakers.node : h("p", { class: "second" }, t("sound.fixed")));
		this.#try = key("sound.try", "mic", () => this.#tryMicrophone());
		this.#echoKey = key("echo.start", "listen", () => (this.#echo.runs ? this.#echo.stop() : this.#echo.start()));
	}

	open() {
		const house = this.#house;
		const listens = house.session.listener;
		const own = listens ? [] : [h("div", {}, this.#microphonePart(), this.#testPart())];
		const heard = h("div", {}, this.#speakerPart(), ...(listens ? [] : [this.#talkPart()]), this.#connectionPart());
		house.sheet(t("sound"), [h("div", { class: "sound" }, ...own, heard)], () => this.#close());
		const filled = () => this.#fill();
		navigator.mediaDevices?.addEventListener("devicechange", filled);
		this.#ends = [
			house.onChange(() => this.#changed()),
			house.onPace((now) => this.#draw(now)),
			() => navigator.mediaDevices?.removeEventListener("devicechange", filled),
		];
		this.#fill();
		this.#show();
	}

	#close() {
		for (const end of this.#ends) end();
		this.#echo.stop();
		this.#played?.disconnect();
		if (this.#house.session.phase === "out") this.#house.microphone.close();
	}

	// ---- its parts

	#microphonePart() {
		const { session } = this.#house;
		const processing = /** @type {const} */ (["noise", "echo", "gain"]).map((name) =>
			checkField(`sound.${name}`, prefs[name], (on) => {
				setPrefs({ [name]: on });
				session.processMicrophone();
			}),
		);
		return part("sound.microphone", this.#microphones.node, this.#microphoneNode, this.#says, ...processing);
	}

	#testPart() {
		return part("echo.title", h("div", { class: "test" }, this.#try, this.#echoKey, this.#echoSays));
	}

	#speakerPart() {
		const { playback } = this.#house;
		const chime = key("sound.chime", "sound", () => this.#chime());
		const volume = volumeField("sound.all", playback.all, (gain) => (playback.all = gain));
		return part("sound.speaker", this.#speakerChoice, this.#speakerNode, h("div", { class: "test" }, chime), volume);
	}

	#talkPart() {
		const output = h("output", { "aria-hidden": true });
		const range = h("input", { type: "range", min: 0, max: LONGEST, step: STEP, value: prefs.release, "aria-label": t("talk.release") });
		const show = () => range.setAttribute("aria-valuetext", (output.value = `${range.value} ms`));
		range.oninput = show;
		range.onchange = () => setPrefs({ release: Number(range.value) });
		show();
		const space = checkField("talk.space", prefs.space, (on) => setPrefs({ space: on }));
		return part("talk.title", space, h("div", { class: "field" }, h("span", {}, t("talk.release")), output), range);
	}

	#connectionPart() {
		const rows = this.#figures.flatMap(([name, node]) => [h("dt", {}, t(`quality.${name}`)), node]);
		const figures = h("details", {}, h("summary", {}, t("quality.figures")), h("dl", {}, ...rows));
		return part("quality.title", h("p", { role: "status" }, this.#quality), figures);
	}

	// ---- what can be done

	async #tryMicrophone() {
		const opened = this.#house.microphone.open();
		this.#show();
		await opened;
		this.#fill(); // they have names now
		this.#show();
	}

	/** @param {string} id */
	async #chooseMicrophone(id) {
		const { session, microphone } = this.#house;
		setPrefs({ microphone: id });
		if (microphone.measured) await session.changeMicrophone();
		this.#show();
	}

	/** @param {string} id */
	async #chooseSpeaker(id) {
		if (!(await this.#house.playback.choose(id))) this.#speakers.node.value = prefs.speaker;
	}

	/** Firefox names an output only after it was chosen in a list of its own. */
	async #pickSpeaker() {
		const { mediaDevices } = /** @type {any} */ (navigator);
		const picked = await mediaDevices.selectAudioOutput().catch(() => null);
		if (picked) await this.#house.playback.choose(picked.deviceId);
		this.#fill();
	}

	#chime() {
		try {
			this.#ring();
		} catch {
			this.#house.toast(t("sound.dead"), "warn", "alert");
		}
	}

	#ring() {
		const { context } = this.#house.playback.out();
		for (const [frequency, after] of CHIME) {
			const at = context.currentTime + 0.05 + after;
			const tone = new OscillatorNode(context, { frequency });
			const fading = new GainNode(context, { gain: 0 });
			fading.gain.setValueAtTime(0, at);
			fading.gain.linearRampToValueAtTime(0.3, at + 0.01);
			fading.gain.exponentialRampToValueAtTime(0.0005, at + 0.9);
			this.#hear(tone.connect(fading));
			tone.start(at);
			tone.stop(at + 1);
		}
	}

	/** Play it, through the meter. @param {AudioNode} node */
	#hear(node) {
		const out = this.#house.playback.out();
		if (!this.#played) {
			this.#played = new AnalyserNode(out.context, { fftSize: this.#samples.length });
			this.#played.connect(out);
		}
		node.connect(this.#played);
	}

	// ---- what is shown

	/** Who opens the microphone ends the test: the room would hear it. */
	#changed() {
		if (this.#house.session.live && this.#echo.runs) this.#echo.stop();
		this.#show();
	}

	async #fill() {
		await this.#microphones.fill();
		const outputs = await this.#speakers.fill();
		const picks = CHOOSES && !outputs && "selectAudioOutput" in (navigator.mediaDevices ?? {});
		const pick = h("button", { class: "key", type: "button", onclick: () => this.#pickSpeaker() }, t("sound.choose"));
		if (CHOOSES) this.#speakerChoice.replaceChildren(picks ? pick : this.#speakers.node);
	}

	#show() {
		const { session, microphone } = this.#house;
		const open = microphone.measured !== null;
		this.#microphoneNode.classList.toggle("hollow", !session.live);
		this.#try.hidden = open;
		this.#echoKey.hidden = !open;
		setText(this.#says, open ? t(session.live ? "sound.leaves" : "sound.closed") : this.#why(microphone.state));
		const { state, runs } = this.#echo;
		setIcon(this.#echoKey, runs ? "close" : "listen");
		setText(/** @type {Element} */ (this.#echoKey.lastChild), t(runs ? "echo.stop" : session.live ? "echo.mute" : "echo.start"));
		if (state !== "recording") setText(this.#echoSays, t(state === "idle" ? "echo.stays" : `echo.${state}`));
	}

	/** Why there is no microphone. @param {string} state */
	#why(state) {
		const known = ["asking", "none", "blocked", "busy", "failed"].includes(state);
		return known ? `${t(`own.${state}`)}. ${t(`own.${state}2`)}.` : t("sound.nothing");
	}

	/** @param {number} now */
	#draw(now) {
		const { microphone, session } = this.#house;
		const level = microphone.level();
		this.#echo.hear(level);
		if (this.#echo.state === "recording") setText(this.#echoSays, t("echo.recording", { n: this.#echo.left(now) }));
		this.#microphoneMeter.show(level, now);
		this.#speakerMeter.show(Math.max(this.#own(), session.phase === "in" ? this.#room() : SILENCE), now);
		this.#judge();
	}

	/** @returns {number} dBov of what the page itself plays */
	#own() {
		this.#played?.getFloatTimeDomainData(this.#samples);
		return this.#played ? levelOf(this.#samples) : SILENCE;
	}

	/** @returns {number} dBov of whoever is heard, as loud as they are here */
	#room() {
		const { playback, stay } = this.#house;
		const levels = (stay?.model.slots ?? []).map((id) => {
			const { gain, muted } = playback.volume(id);
			const level = (id && stay?.model.levels.get(id)) || SILENCE;
			return muted ? SILENCE : level + 20 * Math.log10(gain * playback.all || 1e-6);
		});
		return Math.max(SILENCE, ...levels);
	}

	#judge() {
		const grade = this.#house.session.phase === "in" ? quality.grade : null;
		setText(this.#quality, t(grade === null ? "quality.none" : `quality.${grade}`));
		for (const [n, [name, node]] of this.#figures.entries()) {
			const figure = grade === null ? null : quality.figures[name];
			setText(node, figure === null ? t("quality.unknown") : `${shown(figure, name === "loss" ? 1 : 0)} ${FIGURES[n][1]}`);
		}
	}
}
