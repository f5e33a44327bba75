/** The four lamps of a device: how each is lit, and what that means in words. */

import { h, setAttribute } from "./dom.js";
import { WORDS, t } from "./words.js";

/** @type {ReadonlyArray<readonly [LampName, string]>} */
const LAMPS = [
	["mic", "red"],
	["room", "green"],
	["speak", "white"],
	["fault", "amber"],
];
export const LAMP_NAMES = LAMPS.map(([name]) => name);

/** What a device that has told nothing yet is taken for: unknown means muted. @type {Site} */
export const UNKNOWN = {
	gate: "closed",
	reasons: ["starting"],
	door: "open",
	lamps: { mic: "steady", room: "off", speak: "off", fault: "steady" },
};

/** @param {string} colour @param {Lit} lit */
export function makeLamp(colour, lit) {
	return h("span", { class: "lamp", "data-lamp": lit, "data-colour": colour, "aria-hidden": true });
}

/** The four lamps with their printed names, dark at first. @param {string} className @returns {HTMLElement[]} */
export function makeLamps(className) {
	return LAMPS.map(([name, colour]) =>
		h("span", { class: className, "aria-hidden": true }, makeLamp(colour, "off"), h("span", {}, name.toUpperCase())),
	);
}

/** @param {HTMLElement[]} nodes of makeLamps @param {Record<LampName, Lit>} lamps */
export function showLamps(nodes, lamps) {
	for (const [n, node] of nodes.entries()) {
		const lit = lamps[LAMPS[n][0]];
		setAttribute(node.children[0], "data-lamp", lit);
		setAttribute(node, "data-lit", lit !== "off");
	}
}

/** Reasons in words; one that is not known is shown as it came. @param {string[]} reasons */
export function reasonWords(reasons) {
	return reasons.map((reason) => (WORDS[`reason.${reason}`] ? t(`reason.${reason}`) : reason));
}

/** What each lamp says. @param {Site} site @param {Model} model @returns {Record<LampName, string>} */
export function lampWords(site, model) {
	const { mic, room, fault } = site.lamps;
	const sentence = (/** @type {Lit} */ lit, /** @type {string} */ meaning) => `${t(`lamp.${lit}`)}. ${meaning}`;
	return {
		mic: sentence(mic, micWords(site)),
		room: sentence(room, t(`lamp.room.${room}`)),
		speak: speakWords(model),
		fault: sentence(fault, fault === "slow" ? limitWords(site.extra ?? {}) : t(`lamp.fault.${fault}`)),
	};
}

/**
 * What works less well than it should. A device tells that by codes; its own sentence, which is English, stands only where there
 * are no words for one of them, as of a newer device.
 * @param {Record<string, unknown>} extra
 */
export function limitWords({ limited, limited_by: codes }) {
	const words = String(codes ?? "").split(" ").map((code) => `limited.${code}`);
	const what = words.every((word) => WORDS[word]) ? words.map((word) => t(word)).join(", ") : limited;
	return what ? t("lamp.limited", { what }) : t("lamp.limitedOnly");
}

/** @param {Site} site */
export function micWords(site) {
	if (site.gate === "open") return t("lamp.micOpen");
	if (site.lamps.mic === "fast") return t("lamp.micFault");
	return t("lamp.micClosed", { reasons: reasonWords(site.reasons).join(", ") });
}

/** @param {Model} model */
function speakWords(model) {
	const speakers = [...model.speaking].slice(0, 3).map((id) => model.members.get(id)?.name);
	const hands = model.here().filter((m) => m.hand).map((m) => m.name);
	const first = `${speakers.join(", ") || t("nobodySpeaks")}.`;
	return hands.length ? `${first}\n${t("lamp.hand", { name: hands.slice(0, 2).join(", ") })}` : first;
}
