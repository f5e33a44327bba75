/**
 * A member's sign: hue, figure and place, as on the LED ring of the device. The host sends hue and place.
 *
 * Drawn on 48 × 48 with 12 sectors of 30°; sector 0 is at 12 o'clock.
 */

import { setAttribute, setText, svg } from "./dom.js";

/** Which of up to four neighbouring LEDs are lit, by hue, read clockwise. */
const FIGURES = ["1", "11", "101", "111", "1001", "1101", "1011", "1111"];
export const LEDS = Object.freeze([...Array(12).keys()]);

/** The LEDs of a sign. @param {Sign} sign @returns {number[]} */
export function leds(sign) {
	return [...FIGURES[sign.hue]].flatMap((digit, n) => (digit === "1" ? [(sign.place + n) % 12] : []));
}

/** @param {number} angle degrees clockwise from 12 o'clock @param {number} radius @param {number} [centre] @returns {[number, number]} */
export function point(angle, radius, centre = 0) {
	const turn = (angle * Math.PI) / 180;
	const round = (/** @type {number} */ n) => Math.round(n * 100) / 100;
	return [round(centre + radius * Math.sin(turn)), round(centre - radius * Math.cos(turn))];
}

/** The outline of one sector. @param {number} led @param {number} inner radius @param {number} outer radius */
export function sector(led, inner, outer, centre = 24, gap = 6) {
	const [from, to] = [led * 30 - 15 + gap / 2, led * 30 + 15 - gap / 2];
	const at = (/** @type {number} */ angle, /** @type {number} */ radius) => point(angle, radius, centre).join(" ");
	const arc = (/** @type {number} */ r, /** @type {number} */ sweep) => `A${r} ${r} 0 0 ${sweep} `;
	return `M${at(from, outer)}${arc(outer, 1)}${at(to, outer)}L${at(to, inner)}${arc(inner, 0)}${at(from, inner)}Z`;
}

/** @param {readonly number[]} which @param {number} inner @param {number} outer */
const sectors = (which, inner, outer) => which.map((led) => sector(led, inner, outer)).join("");

/** @param {number} x @param {number} y @param {number} r @returns {string} a disc as part of a path */
export function disc(x, y, r) {
	return `M${x - r} ${y}a${r} ${r} 0 1 0 ${2 * r} 0a${r} ${r} 0 1 0-${2 * r} 0`;
}

/** The seven holes of a device. */
const HOLES = [[24, 24], ...[0, 60, 120, 180, 240, 300].map((a) => point(a, 5.2, 24))].map(([x, y]) => disc(x, y, 1.2)).join("");

/** @returns {SVGElement} a sign that shows nobody yet */
export function makeSign() {
	const paths = ["off", "quiet", "loud", "body", "holes"].map((name) => svg("path", { class: name }));
	const walk = svg("path", { class: "walk", d: sector(0, 19.4, 22.6) });
	const sign = svg("svg", { class: "sign", viewBox: "0 0 48 48", "aria-hidden": true }, ...paths, walk, svg("text", { x: 24, y: 24.4 }));
	drawSign(sign, null);
	return sign;
}

/**
 * Show a member in a sign, or nobody. Without a `sign` of its own only the initials stand in the ring.
 * @param {SVGElement} node
 * @param {{kind: string, initials: string, sign?: Sign} | null} member
 */
export function drawSign(node, member) {
	const key = member ? [member.kind, member.initials, member.sign?.hue, member.sign?.place].join(" ") : "nobody";
	if (node.getAttribute("data-of") === key) return;
	node.setAttribute("data-of", key);
	const [off, quiet, loud, body, holes, , text] = node.children;
	const lit = member?.sign ? leds(member.sign) : [];
	const site = member?.kind === "site";
	setAttribute(node, "data-hue", member?.sign?.hue ?? null);
	off.setAttribute("d", sectors(LEDS.filter((led) => !lit.includes(led)), 20, 22));
	quiet.setAttribute("d", sectors(lit, 18.6, 22.6));
	loud.setAttribute("d", sectors(lit, 16.4, 23.8));
	body.setAttribute("d", site ? disc(24, 24, 12.4) : "");
	holes.setAttribute("d", site ? HOLES : "");
	setText(text, site ? "" : (member?.initials ?? ""));
}

/** The house's own mark: the ring of 12 with one lit figure; in the own key one that walks. @param {Element} mark */
export function drawMark(mark) {
	const lit = mark.closest(".own") ? [] : [1, 2, 4];
	mark.append(
		svg("path", { class: "off", d: sectors(LEDS.filter((led) => !lit.includes(led)), 16, 23) }),
		svg("path", lit.length ? { class: "lit", d: sectors(lit, 16, 23) } : { class: "walk", d: sector(0, 16, 23) }),
	);
}
