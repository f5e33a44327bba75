import assert from "node:assert/strict";
import { test } from "node:test";

import {
	REASONS,
	configFacts,
	digestWords,
	duration,
	gateRows,
	healthRows,
	heldWords,
	lampsOf,
	placeWords,
	proofWords,
	stateWords,
} from "../../../appliance/host/page/devicefacts.js";
import "../../../appliance/host/page/morewords.js";
import { setLanguage } from "../../../appliance/host/page/words.js";

globalThis.document = { documentElement: {} };
setLanguage("en");

/** Unix time, on this machine's clock face. */
const at = (...parts) => new Date(...parts).getTime() / 1000;
const NOW = at(2026, 10, 27, 14, 30);

const HELD = {
	switch: [at(2026, 10, 27, 9, 12), at(2026, 10, 27, 9, 40)],
	admin: [at(2026, 10, 3, 15, 1), at(2026, 10, 3, 15, 20)],
	door: [at(2026, 10, 27, 8, 1), at(2026, 10, 27, 8, 1, 3)],
	"quiet hours": [at(2026, 10, 26, 18), at(2026, 10, 27, 8)],
	"no audio": [at(2026, 10, 12, 11), at(2026, 10, 12, 11, 0, 2)],
};

function site(gate, reasons = [], more = {}) {
	return { gate, reasons, door: "open", lamps: { mic: gate === "open" ? "off" : "steady", room: "steady", speak: "off", fault: "off" }, ...more };
}

const seen = (more = {}) => ({ lost: false, gone: false, connectingSince: null, now: NOW, ...more });
const member = (state, told) => ({ id: "hamburg", name: "Hamburg", state, site: told });

test("when a reason last held, as short as it can be told", () => {
	const words = (reason) => heldWords(HELD[reason], NOW);
	assert.equal(words("switch"), "09:12 to 09:40");
	assert.equal(words("button"), "never");
	assert.equal(words("admin"), "3 Nov, 15:20");
	assert.equal(words("door"), "today, 08:01");
	assert.equal(words("quiet hours"), "18:00 to 08:00");
	assert.equal(words("no audio"), "12 Nov, 2 s");
	assert.equal(heldWords([at(2026, 10, 20), at(2026, 10, 27, 9, 40)], NOW), "today, 09:40", "longer than a day: both ends would mislead");
	assert.equal(heldWords([at(2025, 10, 3, 15), at(2025, 10, 3, 15, 20)], NOW), "3 Nov 2025, 15:20");
	assert.equal(heldWords([at(2026, 10, 27, 9, 12), null], NOW), "since 09:12");
	setLanguage("de");
	assert.equal(words("switch"), "09:12 bis 09:40");
	assert.equal(words("button"), "nie");
	assert.equal(words("admin"), "3. Nov., 15:20");
	setLanguage("en");
});

test("the reasons that hold stand first, and every other one below", () => {
	const rows = gateRows(site("closed", ["admin", "switch"], { details: { held: { ...HELD, switch: [at(2026, 10, 27, 14), null] } } }), NOW);
	assert.deepEqual(rows.slice(0, 3).map(({ word, holds, words }) => [word, holds, words]), [
		["Admin", true, "holds now"],
		["Switch", true, "since 14:00"],
		["Button", false, "never"],
	]);
	assert.equal(rows.length, REASONS.length);
	assert.equal(new Set(rows.map((row) => row.reason)).size, REASONS.length);
});

test("an open gate has no reason, whatever is left in the report; an older device tells no times", () => {
	const rows = gateRows(site("open", ["switch"]), NOW);
	assert.ok(rows.every((row) => !row.holds && row.words === ""));
});

test("a reason of a newer device is shown as it came", () => {
	const [first] = gateRows(site("closed", ["<b>tide</b>"], { details: { held: {} } }), NOW);
	assert.deepEqual([first.word, first.holds], ["<b>tide</b>", true]);
});

test("where a device is: one line each, and no lamp of what is not known", () => {
	const listening = site("closed", ["door"], { door: "listening" });
	assert.equal(placeWords(member("listening", site("open")), seen()), "In the room");
	assert.equal(placeWords(member("muted", listening), seen()), "Listening only");
	assert.equal(placeWords(member("on_hold", site("closed", ["door"], { door: "closed" })), seen()), "Door closed");
	assert.equal(placeWords(member("connecting", site("closed")), seen({ connectingSince: NOW - 8 })), "Reconnecting, 8 s");
	assert.equal(placeWords(member("muted", null), seen()), "Connecting", "it has not told anything yet");
	assert.equal(placeWords(member("listening", site("open")), seen({ gone: true })), "Not in the room");
	assert.deepEqual(lampsOf(member("connecting", site("closed")), seen()), { mic: "steady", room: "slow" });
	assert.deepEqual(lampsOf(member("listening", site("open")), seen({ lost: true })), { mic: null, room: null });
	assert.deepEqual(lampsOf(member("connecting", null), seen()), { mic: "steady", room: "slow" }, "unknown means muted");
	assert.equal(stateWords(member("listening", site("open")), seen()), "In the room, microphone open");
	assert.equal(stateWords(member("muted", listening), seen()), "Listening only, microphone closed");
	assert.equal(stateWords(member("listening", site("open")), seen({ lost: true })), "Not known: no network");
});

test("that somebody talks into a closed microphone is not seen from afar", () => {
	const pulsing = site("closed", ["switch"]);
	pulsing.lamps.mic = "slow";
	assert.equal(lampsOf(member("muted", pulsing), seen()).mic, "steady");
});

test("a duration never gets wide", () => {
	assert.deepEqual([0, 8, 99, 100, 5999, 6000, 9e9, -3].map(duration), ["0 s", "8 s", "99 s", "2 min", "100 min", "2 h", "999 h", "0 s"]);
});

test("settings and proof, as one compares them by eye", () => {
	assert.equal(digestWords("7f3a91c2d05bffff"), "7f3a 91c2");
	assert.equal(digestWords("sha256:7f3a91c2d05bffff"), "7f3a 91c2");
	const config = { version: 41, digest: "7f3a91c2", signed_by: "ops-2", applied: at(2026, 10, 27, 9, 2), back_s: 4 };
	assert.deepEqual(configFacts(config, NOW).map((fact) => fact.value), ["41", "7f3a 91c2", "ops-2", "09:02", "after 4 s"]);
	assert.deepEqual(new Set(configFacts({}, NOW).map((fact) => fact.value)), new Set(["–"]), "no invented numbers");
	const proof = { violations: 0, checked: 3412006, since: at(2026, 10, 12), engine: "builtin" };
	assert.equal(proofWords(proof, NOW), "frames left while the gate was closed. 3,412,006 checked since 12 November, every engine.");
	assert.equal(proofWords({ ...proof, violations: 2 }, NOW), "frames left while the gate was closed. Unplug this device and send its support bundle.");
	assert.equal(proofWords({ violations: 0 }, NOW), "frames left while the gate was closed.");
});

test("each value stands with its limit, and beyond it with the way out", () => {
	const good = healthRows({ round_trip_ms: 24, loss_percent: 0.2, playout_ms: 46, dropouts_day: 0, processor_percent: 31, temperature_c: 52 });
	assert.deepEqual(good.map(({ word, value, limit }) => `${word} ${value} ${limit}`), [
		"Round trip 24 ms max 150 ms",
		"Packet loss 0.2 % max 5 %",
		"Playout delay 46 ms 20 to 80 ms",
		"Dropouts 0 in 24 h",
		"Processor 31 % of one core",
		"Temperature 52 °C max 80 °C",
	]);
	assert.ok(good.every((row) => row.good === true && row.way === ""));
	const edge = healthRows({ round_trip_ms: 150, loss_percent: 5, playout_ms: 80, dropouts_day: 10, processor_percent: 90, temperature_c: 80 });
	assert.ok(edge.every((row) => row.good));
	const bad = healthRows({ round_trip_ms: 151, loss_percent: 5.1, playout_ms: 19, dropouts_day: 11, processor_percent: 91, temperature_c: 81 });
	assert.ok(bad.every((row) => row.good === false && row.way.startsWith(row.word)));
	assert.ok(healthRows({}).every((row) => row.good === null && row.value === "–" && row.way === ""));
	assert.equal(healthRows({ processor_percent: 31 })[4].limitInFull, "of one core, max 90 %");
});
