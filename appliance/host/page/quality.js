/**
 * How good the connection is, in one word and in figures: out of what the browser counts, one report a second.
 *
 * The word is not hasty: it gets worse when two reports in a row are, and better when five are.
 */

/** @typedef {0 | 1 | 2} Grade good, uneven, poor */
/** @typedef {{at: number, received: number, lost: number, sent: number | null, jitter: number | null, roundTrip: number | null}} Count */
/** @typedef {{loss: number | null, jitter: number | null, roundTrip: number | null}} Figures percent, milliseconds, milliseconds; null: not counted here */

/** What is still good, and what is still uneven. @type {Record<keyof Figures, readonly [number, number]>} */
const LIMITS = { loss: [2, 8], jitter: [30, 80], roundTrip: [250, 600] };
/** Milliseconds over which loss is taken, and packets without which it says nothing. */
const [WINDOW, FEW] = [10_000, 50];
/** Reports in a row until the word gets worse, and until it gets better. */
const [WORSE, BETTER] = [2, 5];

/**
 * What counts, out of all reports of a connection. Browsers differ: what is missing is null, and not zero.
 * @param {any[]} reports @param {number} at milliseconds @returns {Count}
 */
export function count(reports, at) {
	const of = (/** @type {string} */ type) => reports.filter((report) => report.type === type);
	const incoming = of("inbound-rtp").filter((report) => report.packetsReceived > 0);
	const outgoing = of("remote-inbound-rtp");
	const pairs = of("candidate-pair").filter((pair) => pair.nominated || pair.selected);
	const seconds = [...pairs.map((pair) => pair.currentRoundTripTime), ...outgoing.map((report) => report.roundTripTime)];
	return {
		at,
		received: sum(incoming, "packetsReceived"),
		lost: sum(incoming, "packetsLost"),
		sent: most(outgoing.map((report) => report.fractionLost), 100),
		jitter: most(incoming.map((report) => report.jitter), 1000),
		roundTrip: most(seconds.slice(0, 1), 1000) ?? most(seconds, 1000),
	};
}

/** @param {any[]} reports @param {string} field */
function sum(reports, field) {
	return reports.reduce((all, report) => all + (Number.isFinite(report[field]) ? report[field] : 0), 0);
}

/** @param {any[]} values @param {number} unit @returns {number | null} the largest that is a number, in this unit */
function most(values, unit) {
	const known = values.filter((value) => Number.isFinite(value) && value >= 0);
	return known.length ? unit * Math.max(...known) : null;
}

/** @param {Figures} figures @returns {Grade} of the worst of them */
export function grade(figures) {
	const grades = Object.entries(LIMITS).map(([name, [good, uneven]]) => {
		const figure = figures[/** @type {keyof Figures} */ (name)] ?? 0;
		return figure <= good ? 0 : figure <= uneven ? 1 : 2;
	});
	return /** @type {Grade} */ (Math.max(...grades));
}

export class Quality {
	/** @type {Grade | null} null until anything is known */
	grade = null;
	/** @type {Figures} */
	figures = { loss: null, jitter: null, roundTrip: null };
	/** @type {Count[]} of the last ten seconds */
	#counts = [];
	/** Reports in a row that were worse, and that were better, than the word. */
	#worse = 0;
	#better = 0;

	/** @param {any[]} reports of a connection @param {number} now milliseconds */
	take(reports, now) {
		const counted = count(reports, now);
		const last = this.#counts.at(-1);
		if (last && counted.received < last.received) this.#counts = []; // another connection counts from zero
		this.#counts = [...this.#counts.filter(({ at }) => now - at <= WINDOW), counted];
		this.figures = { loss: this.#loss(counted), jitter: counted.jitter, roundTrip: counted.roundTrip };
		this.#judge(grade(this.figures));
	}

	/** Percent of the last seconds, of the worse way; too few packets tell nothing. @param {Count} counted */
	#loss(counted) {
		const [first] = this.#counts;
		const [received, lost] = [counted.received - first.received, Math.max(0, counted.lost - first.lost)];
		const down = received + lost >= FEW ? (100 * lost) / (received + lost) : null;
		return down === null ? counted.sent : Math.max(down, counted.sent ?? 0);
	}

	/** @param {Grade} now */
	#judge(now) {
		this.grade ??= now;
		this.#worse = now > this.grade ? this.#worse + 1 : 0;
		this.#better = now < this.grade ? this.#better + 1 : 0;
		if (this.#worse < WORSE && this.#better < BETTER) return;
		this.grade = now;
		this.#worse = this.#better = 0;
	}
}
