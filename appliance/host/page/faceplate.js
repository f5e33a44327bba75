/** The front of the device as it stands in the room: ring of 12, holes, four lamps, mute switch. */

import { h, setAttribute, setText, svg } from "./dom.js";
import { makeLamps, showLamps } from "./lamps.js";
import { LEDS, disc, leds, point, sector } from "./signs.js";

/** Radius of each ring of the loudspeaker's holes, and how many there are. */
const HOLES = [[0, 1], [12.5, 6], [25, 12], [37.5, 18]];

function holes() {
	const at = HOLES.flatMap(([radius, n]) => [...Array(n).keys()].map((k) => point((k * 360) / n, radius)));
	return at.map(([x, y]) => disc(x, y, 2.7)).join("");
}

/** Where a voice comes from: an arrow outside the ring, at 12 o'clock; the array's x axis is at 3. */
const ARROW = "M0 -98L6 -110H-6Z";

/** The ring: an LED stays with whoever lit it first until they have been quiet for 1.5 s (the host holds that long). */
class Ring {
	#leds = LEDS.map((led) => svg("path", { d: sector(led, 78, 94, 0, 4) }));
	#initials = [0, 1, 2].map(() => svg("text"));
	#arrow = svg("path", { class: "none", d: ARROW });
	/** @type {Array<Member | undefined>} */
	#owners = [];
	node = svg(
		"svg",
		{ class: "ring", viewBox: "-123 -120 246 234", "aria-hidden": true },
		...this.#leds,
		svg("path", { class: "hole", d: holes() }),
		...this.#initials,
		this.#arrow,
	);

	/** @param {Model} model @param {number | null} direction of the voice in the room, degrees */
	show(model, direction) {
		setAttribute(this.#arrow, "transform", direction === null ? null : `rotate(${90 - direction})`);
		setAttribute(this.#arrow, "class", direction === null ? "none" : "arrow");
		const speakers = [...model.speaking].slice(0, 3).flatMap((id) => model.members.get(id) ?? []);
		this.#owners = LEDS.map((led) => speakers.find((m) => m.id === this.#owners[led]?.id));
		for (const member of speakers) for (const led of leds(member.sign)) this.#owners[led] ??= member;
		for (const [led, node] of this.#leds.entries()) {
			const owner = this.#owners[led];
			setAttribute(node, "class", owner ? "led" : "off");
			setAttribute(node, "data-hue", owner?.sign.hue ?? null);
		}
		for (const [n, node] of this.#initials.entries()) label(node, speakers[n]);
	}
}

/** Initials stand inside the middle of the lit figure. @param {SVGElement} node @param {Member | undefined} member */
function label(node, member) {
	setText(node, member?.initials ?? "");
	if (!member) return;
	const span = (/** @type {number} */ (leds(member.sign).at(-1)) - member.sign.place + 12) % 12;
	const [x, y] = point((member.sign.place + span / 2) * 30, 61.5);
	setAttribute(node, "x", x);
	setAttribute(node, "y", y);
}

export class Faceplate {
	#ring = new Ring();
	#lamps = makeLamps("lens");
	#open = h("span", { "aria-hidden": true }, "OPEN");
	#mute = h("span", { "aria-hidden": true }, "MUTE");
	#switch;
	#closed = false;

	/** @param {Panel | null} panel the demo's; without it the switch is a picture */
	constructor(panel) {
		const control = { type: "button", role: "switch", "data-label": "device.switch" };
		this.#switch = panel
			? h("button", { class: "switch", ...control, onclick: () => panel.turn(!this.#closed) })
			: h("span", { class: "switch", "aria-hidden": true });
		const lenses = h("div", { class: "lenses" }, ...this.#lamps);
		const switches = h("div", { class: "switches" }, this.#open, this.#switch, this.#mute);
		this.node = h("div", { class: "face" }, this.#ring.node, lenses, switches);
		if (panel) this.node.append(h("div", { class: "face-keys" }, faceKey(panel, "door"), faceKey(panel, "knock")));
	}

	/** @param {Site} site @param {boolean} closed where the switch stands @param {Model} model */
	show(site, closed, model) {
		this.#closed = closed;
		this.#ring.show(model, voiceOf(site));
		showLamps(this.#lamps, site.lamps);
		setAttribute(this.#switch, "data-closed", closed);
		if (this.#switch.role) setAttribute(this.#switch, "aria-checked", closed);
		this.#open.classList.toggle("on", !closed);
		this.#mute.classList.toggle("on", closed);
	}
}

/** Where the voice in the room comes from; null: not known, or the gate is closed. @param {Site} site @returns {number | null} */
export function voiceOf(site) {
	return site.gate === "open" ? (site.direction ?? null) : null;
}

/** @param {Panel} panel @param {"door" | "knock"} key */
function faceKey(panel, key) {
	return h("button", { type: "button", "data-label": `device.${key}`, onclick: () => panel.press(key) }, key.toUpperCase());
}
