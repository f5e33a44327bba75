/** What the devices page says of a device, in words. Pure: what it told and the host's time go in, text comes out. */

import { reasonWords } from "./lamps.js";
import { t, tag } from "./words.js";

const DAY = 86400;

/** Every reason that can hold a gate closed, in the order of UX.md. */
export const REASONS = Object.freeze([
	"switch",
	"button",
	"admin",
	"door",
	"quiet hours",
	"push-to-talk",
	"no audio",
	"panel lost",
	"hand",
	"settings on trial",
	"recording",
	"starting",
	"fault",
]);

/** @param {number} seconds Unix time @param {Intl.DateTimeFormatOptions} how */
const shown = (seconds, how) => new Date(1000 * seconds).toLocaleString(tag(), how);

/** @param {number} seconds Unix time @returns {string} "09:12" */
const clock = (seconds) => shown(seconds, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });

/** @param {number} seconds @param {number} now both Unix time */
const isSameDay = (seconds, now) => new Date(1000 * seconds).toDateString() === new Date(1000 * now).toDateString();

/** "3 Nov", with the year when it is another one. @param {number} seconds @param {number} now @param {"short" | "long"} [month] */
function date(seconds, now, month = "short") {
	const sameYear = new Date(1000 * seconds).getFullYear() === new Date(1000 * now).getFullYear();
	return shown(seconds, { day: "numeric", month, ...(sameYear ? {} : { year: "numeric" }) });
}

/** A moment: by its time today, else by day and time. @param {number} seconds @param {number} now */
function moment(seconds, now) {
	return isSameDay(seconds, now) ? clock(seconds) : `${date(seconds, now)}, ${clock(seconds)}`;
}

/** "8 s", "12 min", "3 h": never more than four figures wide. @param {number} seconds */
export function duration(seconds) {
	const n = Math.max(0, Math.round(seconds));
	if (n < 100) return t("devices.seconds", { n });
	if (n < 6000) return t("devices.minutes", { n: Math.round(n / 60) });
	return t("devices.hours", { n: Math.min(999, Math.round(n / 3600)) });
}

/**
 * When a reason last held. Shorter than a minute: the moment, or on another day how long. Longer: both ends if it ended today
 * and lasted less than a day, else its end.
 * @param {readonly [number, number | null] | undefined} span Unix time
 * @param {number} now Unix time of the host
 */
export function heldWords(span, now) {
	if (!span) return t("gate.never");
	const [from, to] = span;
	if (to === null) return t("gate.since", { time: moment(from, now) });
	const today = isSameDay(to, now);
	if (to - from < 60) return today ? t("gate.today", { time: clock(to) }) : `${date(to, now)}, ${duration(to - from)}`;
	if (!today) return moment(to, now);
	return to - from < DAY ? t("gate.span", { from: clock(from), to: clock(to) }) : t("gate.today", { time: clock(to) });
}

/** @typedef {{reason: string, word: string, holds: boolean, words: string}} Row of the gate */

/**
 * All reasons: those that hold first, then the others with when they last did. A reason that this page has no word for is
 * shown as it came.
 * @param {Site} site @param {number} now Unix time of the host @returns {Row[]}
 */
export function gateRows(site, now) {
	const holding = site.gate === "open" ? [] : site.reasons;
	const others = REASONS.filter((reason) => !holding.includes(reason));
	const held = site.details?.held;
	return [...holding, ...others].map((reason, n) => {
		const holds = n < holding.length;
		const span = held?.[reason];
		const words = holds && !(span && span[1] === null) ? t("gate.now") : held ? heldWords(span, now) : "";
		return { reason, word: reasonWords([reason])[0], holds, words };
	});
}

/**
 * What the page knows of a device besides what that tells.
 * @typedef {object} Seen
 * @property {boolean} lost the page's own way to the host
 * @property {boolean} gone it was here, and left
 * @property {number | null} connectingSince Unix time; null: it does not connect
 * @property {number} now Unix time of the host
 */

/** Where the device is, as its row and its title say it. @param {Member} member @param {Seen} seen */
export function placeWords(member, seen) {
	if (seen.lost) return t("devices.unknown");
	if (seen.gone) return t("lamp.room.off");
	if (member.state === "connecting") return t("devices.reconnecting", { time: duration(seen.now - (seen.connectingSince ?? seen.now)) });
	if (!member.site) return t("state.connecting");
	const { door, lamps } = member.site;
	if (door === "closed") return t("door.closed");
	if (door === "listening" && lamps.room === "steady") return t("devices.listening");
	return t(`lamp.room.${lamps.room}`);
}

/**
 * How MIC and ROOM are drawn; null: nothing is known, and nothing is drawn. Of a device that cannot be reached MIC stays as it
 * was told last: its gate is left as it is.
 * @param {Member} member @param {Seen} seen @returns {{mic: Lit | null, room: Lit | null}}
 */
export function lampsOf(member, seen) {
	if (seen.lost) return { mic: null, room: null };
	if (seen.gone) return { mic: null, room: "off" };
	const { mic, room } = member.site?.lamps ?? { mic: "steady", room: "off" };
	return { mic: mic === "slow" ? "steady" : mic, room: member.state === "connecting" ? "slow" : room };
}

/** The line beside the title. @param {Member} member @param {Seen} seen */
export function stateWords(member, seen) {
	const place = placeWords(member, seen);
	if (seen.lost || seen.gone || !member.site) return place;
	return `${place}, ${t(member.site.gate === "open" ? "devices.micOpen" : "devices.micClosed")}`;
}

/** A number with the language's own separators. @param {number} n @param {number} [digits] after the point, at most */
export const figure = (n, digits = 0) => new Intl.NumberFormat(tag(), { maximumFractionDigits: digits }).format(n);

/** @param {string} digest @returns {string} its first eight digits in groups of four, as far as one compares by eye */
export const digestWords = (digest) => (digest.replace(/^\w+:/, "").slice(0, 8).match(/.{1,4}/g) ?? []).join(" ");

/** What the number of the proof means, and what to do if it is not 0. @param {NonNullable<Details["proof"]>} proof @param {number} now */
export function proofWords({ violations, checked, since }, now) {
	const frames = t("proof.frames");
	if (violations) return `${frames} ${t("proof.broken")}`;
	if (checked === undefined || since === undefined) return frames;
	return `${frames} ${t("proof.checked", { n: figure(checked), date: date(since, now, "long") })}`;
}

/** @typedef {{word: string, value: string, mono?: boolean, full?: string}} Fact */

/** @param {NonNullable<Details["config"]>} config @param {number} now @returns {Fact[]} */
export function configFacts(config, now) {
	const after = (/** @type {number} */ seconds) => t("config.after", { time: duration(seconds) });
	const told = (/** @type {any} */ value, /** @type {(value: any) => string} */ words) => (value === undefined || value === null ? "–" : words(value));
	return [
		{ word: "config.version", value: told(config.version, figure) },
		{ word: "config.digest", value: told(config.digest, digestWords), mono: true, full: config.digest },
		{ word: "config.signed", value: told(config.signed_by, String), mono: true },
		{ word: "config.applied", value: told(config.applied, (at) => moment(at, now)) },
		{ word: "config.back", value: told(config.back_s, after) },
	];
}

/**
 * What is measured: its unit, figures after the point, and its limits. `beside` stands in the place of the limit where the
 * unit needs a word.
 * @type {ReadonlyArray<{key: Measured, unit: string, digits?: number, least?: number, most: number, beside?: string}>}
 */
const MEASURES = [
	{ key: "round_trip_ms", unit: "ms", most: 150 },
	{ key: "loss_percent", unit: "%", digits: 1, most: 5 },
	{ key: "playout_ms", unit: "ms", least: 20, most: 80 },
	{ key: "dropouts_day", unit: "", most: 10, beside: "health.day" },
	{ key: "processor_percent", unit: "%", most: 90, beside: "health.core" },
	{ key: "temperature_c", unit: "°C", most: 80 },
];

/** @typedef {{key: string, word: string, value: string, limit: string, limitInFull: string, good: boolean | null, way: string}} Health `good` is null where nothing was told */

/** @param {Partial<Record<Measured, number>> | undefined} health @returns {Health[]} */
export function healthRows(health) {
	return MEASURES.map(({ key, unit, digits, least, most, beside }) => {
		const told = health?.[key];
		const good = told === undefined || told === null ? null : told <= most && told >= (least ?? -Infinity);
		const value = told === undefined || told === null ? "–" : `${figure(told, digits)} ${unit}`.trim();
		const top = `${most} ${unit}`.trim();
		const limit = least === undefined ? t("health.max", { n: top }) : t("health.range", { from: least, to: top });
		const word = `health.${key}`;
		return {
			key,
			word: t(word),
			value,
			limit: beside ? t(beside) : limit,
			limitInFull: beside ? `${t(beside)}, ${limit}` : limit,
			good,
			way: good === false ? t(`${word}.way`) : "",
		};
	});
}

