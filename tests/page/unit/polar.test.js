import assert from "node:assert/strict";
import { test } from "node:test";

import { Trail, beam, clockAngle, clockWords, radiusOf, wedge } from "../../../appliance/host/page/polar.js";
import "../../../appliance/host/page/morewords.js";
import { setLanguage } from "../../../appliance/host/page/words.js";

globalThis.document = { documentElement: {} };

/** ReSpeaker's four: 64 mm across. */
const FOUR = [[-0.032, 0], [0, -0.032], [0.032, 0], [0, 0.032]];

test("the array's x axis is at 3 o'clock and its y axis at 12; the clock runs the other way round", () => {
	assert.deepEqual([90, 0, 270, 180, 48, 315, 359].map(clockAngle), [0, 90, 180, 270, 42, 135, 91]);
});

test("a direction is told between the hours, and on an hour by that hour alone", () => {
	setLanguage("en");
	assert.equal(clockWords(42), "between 1 and 2 o'clock");
	assert.equal(clockWords(30), "at 1 o'clock");
	assert.equal(clockWords(0), "at 12 o'clock");
	assert.equal(clockWords(345), "between 11 and 12 o'clock");
	assert.equal(clockWords(15), "between 12 and 1 o'clock");
	setLanguage("de");
	assert.equal(clockWords(42), "zwischen 1 und 2 Uhr");
});

test("a direction that is told in steps is told as about there, and drawn as wide as that", () => {
	setLanguage("en");
	assert.equal(clockWords(30, 8), "about 1 o'clock");
	assert.equal(clockWords(30, 3), "at 1 o'clock");
	assert.equal(clockWords(45, 8), "between 1 and 2 o'clock");
	setLanguage("de");
	assert.equal(clockWords(30, 8), "etwa 1 Uhr");
	assert.equal(wedge(3), "");
	assert.equal(wedge(null), "");
	const corners = wedge(8).match(/-?[\d.]+ -?[\d.]+(?=[LAZ])/g).map((pair) => pair.split(" ").map(Number));
	const angles = corners.map(([x, y]) => Math.round((Math.atan2(x, -y) * 180) / Math.PI));
	assert.deepEqual(new Set(angles), new Set([-8, 8]));
	assert.deepEqual(wedge(180), wedge(60), "never more than a third of the plot: a sector of one arc");
});

test("the distance from the middle is the meters' scale, and nothing leaves the plot", () => {
	assert.equal(radiusOf(0), 112);
	assert.equal(radiusOf(-30), 56);
	assert.equal(radiusOf(6), 112);
	assert.equal(radiusOf(-127), 14);
});

test("the outline is the beam of the device itself", () => {
	// Every 30 degrees from 12 o'clock on, by the device's own beamformer (appliance/audio/beamformer.py, superdirective).
	const known = {
		42: [0.852, 1.01, 0.912, 0.642, 0.342, 0.068, 0.211, 0.454, 0.519, 0.325, 0.058, 0.491],
		180: [0.247, 0.172, 0.253, 0.262, 0.362, 0.791, 1.0, 0.791, 0.362, 0.262, 0.253, 0.172],
	};
	for (const [angle, gains] of Object.entries(known)) {
		const found = beam(FOUR, Number(angle)).filter((_, n) => n % 6 === 0);
		for (const [n, gain] of gains.entries()) assert.ok(Math.abs(found[n] - gain) < 0.002, `${angle}°: ${found[n]} at ${30 * n}°, not ${gain}`);
	}
});

test("where an array stands on the table does not turn its beam; two microphones cannot tell left from right", () => {
	const moved = FOUR.map(([x, y]) => [x + 0.2, y - 0.1]);
	for (const [n, gain] of beam(moved, 60).entries()) assert.ok(Math.abs(gain - beam(FOUR, 60)[n]) < 1e-6);
	const pair = beam([[0, -0.05], [0, 0.05]], 0);
	assert.ok(Math.abs(pair[9] - pair[63]) < 1e-6 && pair[0] > 0.99 && pair[9] < 0.95);
});

test("eight microphones that stand together are no reason for a broken outline", () => {
	const crowd = [...Array(8).keys()].map((n) => [0.002 * n, 0]);
	assert.ok(beam(crowd, 90).every((gain) => Number.isFinite(gain) && gain < 2));
	assert.ok(beam([[0, 0], [0, 0]], 10).every(Number.isFinite));
});

test("a dot stays ten seconds, and somebody who sits still leaves two in a second", () => {
	const trail = new Trail();
	for (let now = 0; now < 1000; now += 100) trail.add(42, -20, now);
	assert.deepEqual(trail.dots.map((dot) => dot.at), [0, 500]);
	trail.add(57, -20, 1000);
	trail.add(72, -20, 1010);
	assert.deepEqual(trail.dots.map((dot) => dot.angle), [42, 42, 57, 72]);
	trail.drop(10_700);
	assert.deepEqual(trail.dots.map((dot) => dot.angle), [57, 72]);
	trail.clear();
	assert.equal(trail.dots.length, 0);
});
