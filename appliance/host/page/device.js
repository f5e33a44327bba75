/** The device of the room: its front, its lamps in words, why it is muted, and what may be asked of it from here. */

import { byId, find, h, icon, setAttribute, setText } from "./dom.js";
import { Faceplate, voiceOf } from "./faceplate.js";
import { LAMP_NAMES, UNKNOWN, lampWords, makeLamp, makeLamps, reasonWords, showLamps } from "./lamps.js";
import { lazy } from "./lazy.js";
import { FLOOR, Meter } from "./meters.js";
import { SILENCE } from "./model.js";
import { isolated, t, timeWords, translate } from "./words.js";

/** Who reads this wants to know until when, on a clock of their own. @param {Site} site @param {number} now Unix seconds, by the host */
function quietWords(site, now) {
	return site.quiet_until ? t("door.quietUntil", { time: timeWords(site.quiet_until, now) }) : t("reason.quiet hours");
}

/** @param {Site} site @param {number} now Unix seconds, by the host */
function doorWords(site, now) {
	return site.door === "closed" && site.reasons.includes("quiet hours") ? quietWords(site, now) : t(`door.${site.door}`);
}

export class Device {
	node = byId("device");
	#house;
	#demo;
	#faces;
	#strip = makeLamps("one");
	#stripWords = find(byId("lamp-strip"), ".reader");
	#meanings = [...this.node.querySelectorAll("dd")];
	#loudness = find(this.node, ".loudness");
	#meter = new Meter(find(this.#loudness, ".meter"));
	#key = byId("device-key");
	#reasons = find(this.node, ".reasons");
	#voice = find(this.node, ".voice");
	#print = find(this.node, ".print");

	/** @param {House} house @param {import("./panel.js").PanelLink | null} demo the panel of the demo, which stands in the room that the page was opened with */
	constructor(house, demo) {
		this.#house = house;
		this.#demo = demo;
		this.#faces = { picture: new Faceplate(null), demo: demo && new Faceplate(demo) };
		byId("plate").append(this.#faces.picture.node);
		this.#stripWords.before(...this.#strip);
		this.#key.onclick = () => this.#ask();
	}

	get #panel() {
		return this.#demo?.room === this.#house.room ? this.#demo : null;
	}

	/** Of the demo's device the front can be used, of any other it is a picture. */
	get #face() {
		const face = (this.#panel && this.#faces.demo) ?? this.#faces.picture;
		if (!face.node.isConnected) {
			byId("plate").replaceChildren(face.node);
			translate(face.node); // it was not there when the page was last translated
		}
		return face;
	}

	/** What the device tells: in the demo by its panel, else by presence. @returns {Site | null} null: there is no device */
	get #site() {
		const member = this.#house.model.site();
		return this.#panel?.state ?? (member ? (member.site ?? UNKNOWN) : null);
	}

	/** The door in words, or "". */
	get door() {
		const site = this.#site;
		return site ? doorWords(site, this.#house.time()) : "";
	}

	show() {
		const member = this.#house.model.site();
		const site = this.#site;
		byId("device-whole").hidden = !site;
		find(this.node, ".says").hidden = this.#loudness.hidden = !this.#panel;
		byId("device-none").hidden = Boolean(site);
		const admin = this.#house.model.you?.role === "admin";
		byId("device-add").hidden = Boolean(site) || !admin;
		setText(byId("device-title"), member ? t("device.in", { name: isolated(member.name) }) : t("device"));
		const words = lampWords(site ?? UNKNOWN, this.#house.model);
		setText(this.#stripWords, site ? `${words.mic}. ${words.room}` : t("device.none"));
		showLamps(this.#strip, site?.lamps ?? { mic: "off", room: "off", speak: "off", fault: "off" });
		if (!site) return;
		for (const [n, name] of LAMP_NAMES.entries()) setText(this.#meanings[n], words[name]);
		this.#face.show(site, this.#isSwitchedOff(site), this.#house.model);
		this.#nameKey(t(site.gate === "open" ? "device.mute" : "device.ask"));
		this.#key.hidden = !member;
		this.#showReasons(site);
		this.#showVoice(voiceOf(site));
		this.#print.hidden = !admin || !site.key;
		setText(find(this.#print, "code"), site.key ?? "");
	}

	/** @param {number | null} direction degrees; told as on the face of a clock, 12 o'clock is where the array's y axis points */
	#showVoice(direction) {
		this.#voice.hidden = direction === null;
		if (direction !== null) setText(this.#voice, t("device.voice", { hour: Math.round((450 - direction) / 30) % 12 || 12 }));
	}

	/** The loudspeaker's level, in the demo. @param {number} now */
	level(now) {
		const level = this.#panel?.state?.loudspeaker ?? SILENCE;
		this.#meter.show(level, now);
		setText(find(this.#loudness, "output"), level > FLOOR ? `−${Math.round(-level)} dB` : "");
	}

	/** Drawn anew, so that nothing in it moves. @param {string} name */
	#nameKey(name) {
		if (this.#key.textContent !== name) this.#key.replaceChildren(icon("mic-off"), name);
	}

	/** @param {Site} site */
	#isSwitchedOff(site) {
		const told = this.#panel?.state?.switch;
		return told ? told === "closed" : site.reasons.some((reason) => reason === "switch" || reason === "button");
	}

	/** @param {Site} site */
	#showReasons(site) {
		const words = site.gate === "open" ? [] : reasonWords(site.reasons);
		const quiet = site.reasons.indexOf("quiet hours");
		if (words[quiet]) words[quiet] = quietWords(site, this.#house.time());
		if (this.#panel?.state?.talking_while_closed) words.push(t("device.talking"));
		const key = words.join("|");
		if (this.#reasons.getAttribute("data-of") === key) return;
		setAttribute(this.#reasons, "data-of", key);
		this.#reasons.replaceChildren(...words.map((word) => h("li", {}, makeLamp("red", "steady"), word)));
	}

	/** Anybody may mute it. Opening can only be asked for: a hand in the room decides. */
	async #ask() {
		const member = this.#house.model.site()?.id;
		if (this.#site?.gate === "open") this.#house.send({ type: "mute", member });
		else (await lazy("asking.js"))?.askToUnmute(this.#house, this.#house.shown, member);
	}
}
