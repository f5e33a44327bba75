import assert from "node:assert/strict";
import { test } from "node:test";

import { Quality, count, grade } from "../../../appliance/host/page/quality.js";

/** What Chromium counts, a second at a time. */
function chromium({ received, lost = 0, jitter = 0.004, roundTrip = 0.02 }) {
	return [
		{ type: "codec" },
		{ type: "inbound-rtp", packetsReceived: received, packetsLost: lost, jitter },
		{ type: "inbound-rtp", packetsReceived: 0, packetsLost: 0, jitter: 9 },
		{ type: "candidate-pair", nominated: true, currentRoundTripTime: roundTrip },
		{ type: "candidate-pair", nominated: false, currentRoundTripTime: 7 },
	];
}

/** Seconds of a connection that loses so many of 50 packets a second. */
function run(quality, seconds, lostPerSecond, state = { n: 0, received: 0, lost: 0 }) {
	const words = [];
	for (let n = 0; n < seconds; n += 1) {
		state.received += 50 - lostPerSecond;
		state.lost += lostPerSecond;
		quality.take(chromium(state), 1000 * state.n++);
		words.push(quality.grade);
	}
	return words;
}

test("a stream that brought nothing and a pair that is not used say nothing", () => {
	assert.deepEqual(count(chromium({ received: 100, lost: 3 }), 5), {
		at: 5, received: 100, lost: 3, sent: null, jitter: 4, roundTrip: 20,
	});
});

test("Firefox names its pair otherwise, and may know the round trip only of what it sends", () => {
	const reports = [
		{ type: "inbound-rtp", packetsReceived: 10, packetsLost: 0, jitter: 0.002 },
		{ type: "candidate-pair", selected: true },
		{ type: "remote-inbound-rtp", roundTripTime: 0.045, fractionLost: 0.1 },
	];
	assert.deepEqual(count(reports, 0), { at: 0, received: 10, lost: 0, sent: 10, jitter: 2, roundTrip: 45 });
	assert.equal(count([{ type: "inbound-rtp", packetsReceived: 10 }], 0).roundTrip, null);
});

test("the worst figure decides, and what is not known does not", () => {
	assert.equal(grade({ loss: null, jitter: null, roundTrip: null }), 0);
	assert.equal(grade({ loss: 2, jitter: 30, roundTrip: 250 }), 0);
	assert.equal(grade({ loss: 3, jitter: 5, roundTrip: 30 }), 1);
	assert.equal(grade({ loss: 0, jitter: 5, roundTrip: 700 }), 2);
});

test("the word gets worse after two reports and better after five", () => {
	const quality = new Quality();
	const good = chromium({ received: 1000 });
	const slow = chromium({ received: 1000, roundTrip: 0.7 });
	const words = [good, slow, good, slow, slow, good, good, slow, good, good, good, good, good].map((reports, n) => {
		quality.take(reports, 1000 * n);
		return quality.grade;
	});
	assert.deepEqual(words, [0, 0, 0, 0, 2, 2, 2, 2, 2, 2, 2, 2, 0]);
});

test("loss is of the last ten seconds", () => {
	const quality = new Quality();
	const state = { n: 0, received: 0, lost: 0 };
	assert.deepEqual(new Set(run(quality, 12, 0, state)), new Set([0]));
	assert.equal(run(quality, 12, 6, state).at(-1), 2);
	assert.equal(Math.round(quality.figures.loss ?? -1), 12);
	assert.equal(run(quality, 20, 0, state).at(-1), 0);
	assert.equal(quality.figures.loss, 0);
});

test("a silent room loses nothing that could be told", () => {
	const quality = new Quality();
	quality.take(chromium({ received: 4 }), 0);
	quality.take(chromium({ received: 5, lost: 1 }), 1000);
	assert.equal(quality.figures.loss, null);
	assert.equal(quality.grade, 0);
});

test("another connection counts from zero", () => {
	const quality = new Quality();
	run(quality, 5, 20);
	quality.take(chromium({ received: 10 }), 6000);
	assert.equal(quality.figures.loss, null);
});

test("junk is no figure", () => {
	const [junk] = [[{ type: "inbound-rtp", packetsReceived: "many", jitter: NaN }, { type: "candidate-pair", nominated: true, currentRoundTripTime: -1 }]];
	assert.deepEqual(count(junk, 0), { at: 0, received: 0, lost: 0, sent: null, jitter: null, roundTrip: null });
});
