/**
 * A member's sign: hue, figure and place, as on the LED ring of the device. The host sends hue and place.
 *
 * Drawn on 48 × 48 with 12 sectors of 30°, a gap of 6° between them; sector 0 is at 12 o'clock.
 */

import { setAttribute, setText, svg } from "./dom.js";

/** Which of up to four neighbouring LEDs are lit, by hue, read clockwise. */
export const FIGURES = Object.freeze(["1", "11", "101", "111", "1001", "1101", "1011", "1111"]);
export const LEDS = 12;

/**
 * The LEDs of a sign.
 * @param {{hue: number, place: number}} sign
 * @returns {number[]}
 */
export function leds(sign) {
  return [...FIGURES[sign.hue]].flatMap((digit, n) => (digit === "1" ? [(sign.place + n) % LEDS] : []));
}

/** @param {number} angle degrees clockwise from 12 o'clock @param {number} radius @param {number} centre */
export function point(angle, radius, centre) {
  const turn = (angle * Math.PI) / 180;
  return `${(centre + radius * Math.sin(turn)).toFixed(2)} ${(centre - radius * Math.cos(turn)).toFixed(2)}`;
}

/**
 * The outline of one sector.
 * @param {number} led
 * @param {number} inner radius
 * @param {number} outer radius
 * @param {number} centre
 * @param {number} gap degrees
 */
export function sector(led, inner, outer, centre = 24, gap = 6) {
  const [from, to] = [led * 30 - 15 + gap / 2, led * 30 + 15 - gap / 2];
  return (
    `M${point(from, outer, centre)}A${outer} ${outer} 0 0 1 ${point(to, outer, centre)}` +
    `L${point(to, inner, centre)}A${inner} ${inner} 0 0 0 ${point(from, inner, centre)}Z`
  );
}

/** @param {number[]} which @param {number} inner @param {number} outer */
const sectors = (which, inner, outer) => which.map((led) => sector(led, inner, outer)).join("");

const ALL = [...Array(LEDS).keys()];

/** The seven holes of a device. */
const HOLES = [[24, 24], ...[0, 60, 120, 180, 240, 300].map((a) => point(a, 5.2, 24).split(" ").map(Number))]
  .map(([x, y]) => `M${(x - 1.2).toFixed(2)} ${y}a1.2 1.2 0 1 0 2.4 0a1.2 1.2 0 1 0-2.4 0`)
  .join("");

/** @returns {SVGElement} a sign that shows nobody yet */
export function makeSign() {
  return svg(
    "svg",
    { class: "sign", viewBox: "0 0 48 48", "aria-hidden": "true" },
    svg("path", { class: "off" }),
    svg("path", { class: "quiet" }),
    svg("path", { class: "loud" }),
    svg("path", { class: "walk", d: sector(0, 19.4, 22.6) }),
    svg("path", { class: "disc-ink" }),
    svg("path", { class: "holes" }),
    svg("text", { x: 24, y: 24.4 }),
  );
}

/**
 * Show a member in a sign, or nobody.
 * @param {SVGElement} sign
 * @param {{kind: string, initials: string, sign: {hue: number, place: number} | null} | null} member without a sign while
 *   the host has not told it
 */
export function drawSign(sign, member) {
  const key = member ? `${member.kind} ${member.initials} ${member.sign?.hue} ${member.sign?.place}` : "nobody";
  if (sign.getAttribute("data-of") === key) return;
  sign.setAttribute("data-of", key);
  const [off, quiet, loud, , disc, holes, text] = sign.children;
  const lit = member?.sign ? leds(member.sign) : [];
  setAttribute(sign, "data-hue", member?.sign?.hue ?? null);
  off.setAttribute("d", sectors(ALL.filter((led) => !lit.includes(led)), 20, 22));
  quiet.setAttribute("d", sectors(lit, 18.6, 22.6));
  loud.setAttribute("d", sectors(lit, 16.4, 23.8));
  const site = member?.kind === "site";
  disc.setAttribute("d", site ? "M11.6 24a12.4 12.4 0 1 0 24.8 0a12.4 12.4 0 1 0-24.8 0" : "");
  holes.setAttribute("d", site ? HOLES : "");
  setText(text, site ? "" : (member?.initials ?? ""));
}

/**
 * The house's own mark: the ring of 12 with three lit segments.
 * @param {Element} mark
 */
export function drawMark(mark) {
  const lit = [0, 1, 2];
  mark.replaceChildren(
    svg("path", { class: "off", d: sectors(ALL.filter((led) => !lit.includes(led)), 16, 23) }),
    svg("path", { class: "lit", d: sectors(lit, 16, 23) }),
  );
}
