/**
 * Where the voice in a room comes from, seen from above: 12 sectors as on the device's ring, the beam's outline, the last 10 s
 * as fading dots. Pure but for the class Polar; angles are degrees clockwise from 12 o'clock, as on the ring's own clock.
 *
 * A dot's distance from the middle is its level on the meters' scale: −60 dBov in the middle, −40 and −20 on the inner
 * circles, 0 on the outer one.
 */

import { h, setAttribute, setText, svg } from "./dom.js";
import { LEDS, disc, point, sector } from "./signs.js";
import { t } from "./words.js";

/** Radius of 0 dBov and of a beam's full gain. */
const OUTER = 112;
/** Around the middle, where the microphones stand. */
const INNER = 14;
/** Milliseconds that a dot stays. */
const STAYS = 10_000;
/** Milliseconds after which somebody who is quiet talks no longer: the host's hold. */
const HOLD = 1500;
/** Milliseconds between two dots of somebody who stays where they are. */
const APART = 500;
/** Milliseconds between two labels for screen readers. */
const LABEL_EVERY = 5000;
/** Degrees from one corner of a beam's outline to the next. */
const CORNER = 5;

/**
 * The clock's angle of a direction. A device tells degrees counter-clockwise from its array's x axis, and x is at 3 o'clock.
 * @param {number} direction degrees @returns {number} degrees, 0 to 359
 */
export const clockAngle = (direction) => (((90 - direction) % 360) + 360) % 360;

/** Degrees of error from which on a direction is drawn as wide as it is known, and told as "about". */
const COARSE = 5;
/** @param {number | null} error degrees; null: the device does not tell */
const isCoarse = (error) => error !== null && error >= COARSE;

/** @param {number} angle degrees clockwise from 12 o'clock @param {number | null} [error] @returns {string} "between 1 and 2 o'clock" */
export function clockWords(angle, error = null) {
	const hour = Math.floor(angle / 30);
	const name = (/** @type {number} */ n) => n % 12 || 12;
	if (angle % 30) return t("polar.between", { from: name(hour), to: name(hour + 1) });
	return t(isCoarse(error) ? "polar.around" : "polar.at", { hour: name(hour) });
}

/**
 * The part of the plot in which a voice may be that is told with this error; "" where it is as good as exact.
 * @param {number | null} error degrees to either side @returns {string} a path around 12 o'clock
 */
export const wedge = (error) => (isCoarse(error) ? sector(0, INNER, OUTER, 0, 30 - 2 * Math.min(Number(error), 60)) : "");

/** @param {number} level dBov; less than the scale's foot is its foot @returns {number} distance from the middle */
export const radiusOf = (level) => Math.max(INNER, (OUTER * (Math.min(0, level) + 60)) / 60);

// ---- the beam, by the method of the device (audio/beamformer.py)

const SOUND = 343;
/** Degrees above the table from which people talk. */
const ELEVATION = 15;
/** Hz at which the outline is computed: where a voice has most of its power. */
const HERTZ = [500, 1000, 2000];
/** The least white-noise gain: −8 dB. */
const LEAST_GAIN = 10 ** -0.8;
const LOADINGS = [...Array(25).keys()].map((n) => 10 ** (n / 4 - 5));

/** @typedef {{re: number[], im: number[]}} Complex one number for each microphone */

/** @param {number[][]} mics metres @param {number} angle clockwise from 12 @param {number} hertz @returns {Complex} */
function steering(mics, angle, hertz) {
	const turn = ((90 - angle) * Math.PI) / 180;
	const flat = (2 * Math.PI * hertz * Math.cos((ELEVATION * Math.PI) / 180)) / SOUND;
	const phases = mics.map(([x, y]) => flat * (x * Math.cos(turn) + y * Math.sin(turn)));
	return { re: phases.map(Math.cos), im: phases.map(Math.sin) };
}

/** Solve `matrix x = b` by elimination; the matrix is symmetric and positive. @param {number[][]} matrix @param {number[]} b */
function solve(matrix, b) {
	const rows = matrix.map((row, n) => [...row, b[n]]);
	const n = rows.length;
	for (let k = 0; k < n; k++) {
		for (let i = k + 1; i < n; i++) {
			const factor = rows[i][k] / rows[k][k];
			for (let j = k; j <= n; j++) rows[i][j] -= factor * rows[k][j];
		}
	}
	const x = Array(n).fill(0);
	for (let i = n - 1; i >= 0; i--) {
		const known = x.reduce((sum, value, j) => (j > i ? sum + rows[i][j] * value : sum), 0);
		x[i] = (rows[i][n] - known) / rows[i][i];
	}
	return x;
}

/** Conjugate of `a` times `b`, summed. @param {Complex} a @param {Complex} b */
function inner(a, b) {
	const sum = { re: 0, im: 0 };
	for (const [n, re] of a.re.entries()) {
		sum.re += re * b.re[n] + a.im[n] * b.im[n];
		sum.im += re * b.im[n] - a.im[n] * b.re[n];
	}
	return sum;
}

/** Weights that pass `wanted` and least of what comes from everywhere. @param {number[][]} noise covariance @param {Complex} wanted */
function superdirective(noise, wanted) {
	let weights = wanted;
	for (const loading of LOADINGS) {
		const matrix = noise.map((row, i) => row.map((value, j) => value + (i === j ? loading : 0)));
		const raw = { re: solve(matrix, wanted.re), im: solve(matrix, wanted.im) };
		const gain = inner(wanted, raw).re;
		weights = { re: raw.re.map((value) => value / gain), im: raw.im.map((value) => value / gain) };
		if (1 / inner(weights, weights).re >= LEAST_GAIN) break;
	}
	return weights;
}

/** @param {number[][]} mics metres @param {number} hertz @returns {number[][]} coherence of sound from everywhere */
function diffuse(mics, hertz) {
	const sinc = (/** @type {number} */ x) => (x ? Math.sin(x) / x : 1);
	return mics.map(([x, y]) => mics.map(([u, v]) => sinc((2 * Math.PI * hertz * Math.hypot(x - u, y - v)) / SOUND)));
}

/**
 * How much of a voice from each side the array lets through when it looks at `angle`: the amplitude's mean square over 500,
 * 1000 and 2000 Hz. What the device has learnt of its own loudspeaker's echo is not in it: that is not told.
 * @param {number[][]} mics x and y in metres, two at least
 * @param {number} angle clockwise from 12
 * @returns {number[]} 0 to about 1, for every fifth degree from 12 o'clock on
 */
export function beam(mics, angle) {
	const middle = [0, 1].map((axis) => mics.reduce((sum, mic) => sum + mic[axis], 0) / mics.length);
	const at = mics.map(([x, y]) => [x - middle[0], y - middle[1]]);
	const power = Array(360 / CORNER).fill(0);
	for (const hertz of HERTZ) {
		const weights = superdirective(diffuse(at, hertz), steering(at, angle, hertz));
		for (const corner of power.keys()) {
			const { re, im } = inner(weights, steering(at, corner * CORNER, hertz));
			power[corner] += (re * re + im * im) / HERTZ.length;
		}
	}
	return power.map(Math.sqrt);
}

// ---- the last ten seconds

/** @typedef {{angle: number, radius: number, at: number}} Dot */

/** Where voices came from in the last 10 s; in this page's memory only. */
export class Trail {
	/** @type {Dot[]} the newest last */
	dots = [];

	/** @param {number} angle @param {number} level dBov @param {number} now milliseconds */
	add(angle, level, now) {
		this.drop(now);
		const last = this.dots.at(-1);
		if (last && last.angle === angle && now - last.at < APART) return;
		this.dots.push({ angle, radius: radiusOf(level), at: now });
	}

	/** Forget what is older than 10 s. @param {number} now */
	drop(now) {
		this.dots = this.dots.filter((dot) => now - dot.at < STAYS);
	}

	/** What a closed gate hides, nothing here remembers. */
	clear() {
		this.dots = [];
	}
}

// ---- drawing

/** Most dots at once: one in half a second, and some for a voice that turns. */
const MOST_DOTS = 32;

/** The circles and rays of the scale. */
function grid() {
	const circles = [40, 20, 0].map((quiet) => disc(0, 0, radiusOf(-quiet)));
	const rays = LEDS.map((led) => `M${point(led * 30, INNER).join(" ")}L${point(led * 30, OUTER).join(" ")}`);
	return [...circles, ...rays].join("");
}

/** @param {number} angle @param {number} radius @param {string} word */
function degree(angle, radius, word) {
	const [x, y] = point(angle, radius);
	return svg("text", { x, y }, document.createTextNode(word));
}

/** A sector of the ring a little further out, for the direction itself. */
const POINTER = sector(0, 115, 124.5, 0, 18);

/** The microphones' places, 9 units from the middle at most. @param {number[][]} mics */
function micsPath(mics) {
	const widest = Math.max(...mics.map(([x, y]) => Math.hypot(x, y)), 1e-3);
	return mics.map(([x, y]) => disc((9 * x) / widest, (-9 * y) / widest, 2)).join("");
}

/** @param {number[]} gains of `beam` */
function outline(gains) {
	const corners = gains.map((gain, n) => point(n * CORNER, OUTER * Math.min(gain, 1.05)).join(" "));
	return `M${corners.join("L")}Z`;
}

/** @typedef {{open: boolean, direction: number | null, level: number, speaking: boolean, mics: number[][], error: number | null, tells: boolean}} Heard */

export class Polar {
	#trail = new Trail();
	#beam = svg("path", { class: "beam" });
	#mics = svg("path", { class: "mics" });
	#pointer = svg("path", { class: "pointer", d: POINTER });
	#wedge = svg("path", { class: "wedge" });
	#dots = [...Array(MOST_DOTS).keys()].map(() => svg("circle", { r: 0 }));
	#degrees = h("b", { class: "degrees" });
	#words = h("span", { class: "second" });
	#blank = h("p", { class: "polar-blank second" });
	#plot = svg(
		"svg",
		{ viewBox: "-162 -146 324 292", "aria-hidden": true },
		svg("path", { class: "sectors", d: LEDS.map((led) => sector(led, 116, 122, 0, 4)).join("") }),
		this.#wedge,
		svg("path", { class: "scale-lines", d: grid() }),
		...[0, 90, 180, 270].map((angle) => degree(angle, 136, `${angle}°`)),
		this.#beam,
		this.#mics,
		svg("g", {}, ...this.#dots),
		this.#pointer,
	);
	#image = h("div", { class: "polar", role: "img" }, this.#plot, this.#blank);
	node = h("div", {}, this.#image, h("p", { class: "polar-words" }, this.#degrees, this.#words));
	#labelled = -Infinity;
	#drawn = "";

	/** @param {Heard} heard of the device @param {number} now milliseconds */
	show(heard, now) {
		const angle = heard.open && heard.direction !== null ? clockAngle(heard.direction) : null;
		if (!heard.open) this.#trail.clear();
		else if (angle !== null && heard.speaking) this.#trail.add(angle, heard.level, now);
		else this.#trail.drop(now);
		const blank = heard.open ? "" : t("polar.blank");
		setText(this.#blank, blank);
		setAttribute(this.#plot, "class", blank ? "gone" : null);
		const coarse = isCoarse(heard.error);
		setText(this.#degrees, angle === null ? "" : `${coarse ? "≈\u202f" : ""}${angle}°`);
		setText(this.#words, blank ? "" : describe(angle, heard));
		this.#look(angle, heard);
		this.#showDots(now);
		const told = angle === null ? "" : `${coarse ? t("polar.about", { angle }) : `${angle}°`}, `;
		this.#label(blank || `${t("polar")}: ${told}${describe(angle, heard)}`, Boolean(blank), now);
	}

	/** Pointer, beam and microphones: drawn anew only when they turn. @param {number | null} angle @param {Heard} heard */
	#look(angle, { mics, error }) {
		const key = `${angle} ${mics} ${error}`;
		if (this.#drawn === key) return;
		this.#drawn = key;
		setAttribute(this.#pointer, "transform", angle === null ? null : `rotate(${angle})`);
		setAttribute(this.#pointer, "class", angle === null ? "gone" : "pointer");
		setAttribute(this.#wedge, "transform", angle === null ? null : `rotate(${angle})`);
		setAttribute(this.#wedge, "d", angle === null ? "" : wedge(error));
		setAttribute(this.#mics, "d", micsPath(mics));
		setAttribute(this.#beam, "d", angle === null || mics.length < 2 ? "" : outline(beam(mics, angle)));
	}

	/** @param {number} now */
	#showDots(now) {
		const shown = this.#trail.dots.slice(-MOST_DOTS);
		for (const [n, circle] of this.#dots.entries()) {
			const dot = shown[n];
			const newest = n === shown.length - 1 && dot && now - dot.at < HOLD;
			setAttribute(circle, "r", dot ? (newest ? 5 : 3) : 0);
			if (!dot) continue;
			const [x, y] = point(dot.angle, dot.radius);
			setAttribute(circle, "cx", x);
			setAttribute(circle, "cy", y);
			setAttribute(circle, "opacity", newest ? 1 : Math.max(0.06, 0.4 * (1 - (now - dot.at) / STAYS)).toFixed(2));
		}
	}

	/** At most every 5 s, but at once when the gate closes. @param {string} words @param {boolean} atOnce @param {number} now */
	#label(words, atOnce, now) {
		if (!atOnce && now - this.#labelled < LABEL_EVERY) return;
		if (this.#image.getAttribute("aria-label") === words) return;
		this.#image.setAttribute("aria-label", words);
		this.#labelled = now;
	}
}

/** @param {number | null} angle @param {Heard} heard */
function describe(angle, heard) {
	if (angle === null) return t(heard.tells ? "polar.nobody" : "polar.none");
	return clockWords(angle, heard.error) + (heard.error === null ? "" : t("polar.error", { n: heard.error }));
}
