// What a host says is taken apart before anything believes it.

import assert from "node:assert/strict";
import { test } from "node:test";

import { Flaw, take, typeOf } from "../../../appliance/host/page/intake.js";

const said = (/** @type {object} */ m) => take(JSON.stringify(m));
const ada = { id: "ada", name: "Ada", joined: true, muted: true, admin_muted: false, hand: false, sign: { hue: 1, place: 2 } };
const welcome = {
	type: "welcome",
	you: { id: "ada", name: "Ada", role: "speaker" },
	room: { id: "r", title: "R" },
	members: [ada],
	slots: [null, "ada"],
	capabilities: { levels: "real" },
};

test("a welcome of an older host is whole", () => {
	const taken = said(welcome);
	assert.deepEqual(taken.slots, [null, "ada", null]);
	assert.deepEqual([taken.now, taken.recording, taken.last_spoke, taken.mute_new, taken.listen_only], [null, null, null, false, null]);
	assert.deepEqual([taken.members[0].state, taken.members[0].role, taken.members[0].kind, taken.members[0].site], ["muted", "speaker", "person", null]);
});

test("of a device nothing is thought that it does not say", () => {
	for (const site of [{}, { gate: "ajar" }, { gate: 1, lamps: null, reasons: "x", door: "wide" }]) {
		const { member } = said({ type: "member", member: { ...ada, kind: "site", site } });
		assert.deepEqual([member.site.gate, member.site.door, member.site.lamps.mic, member.site.reasons], ["closed", "closed", "steady", []]);
	}
});

test("what a closed gate hides, its lamp and its direction do not tell", () => {
	const told = (/** @type {string} */ gate) => {
		const site = { gate, direction: 40, lamps: { mic: gate === "open" ? "off" : "slow", room: "slow" } };
		return said({ type: "member", member: { ...ada, kind: "site", site } }).member.site;
	};
	assert.deepEqual([told("closed").lamps.mic, told("closed").lamps.room, told("closed").direction], ["steady", "slow", null]);
	assert.deepEqual([told("open").lamps.mic, told("open").direction], ["off", 40]);
});

test("of what is for admins, a part of another shape is as good as untold", () => {
	const of = (/** @type {any} */ details) => said({ type: "member", member: { ...ada, kind: "site", site: { gate: "open", details } } }).member.site.details;
	for (const junk of [undefined, null, 7, "x", []]) assert.equal(of(junk), undefined);
	const told = of({ held: { switch: 3, door: [5, null], admin: ["x", 1] }, proof: 0, health: [], array: { mics: [[0, 1], 2] }, config: { version: 41 } });
	assert.deepEqual(told.held, { door: [5, null] });
	assert.deepEqual([told.proof, told.health, told.array, told.link, told.config], [undefined, undefined, undefined, undefined, { version: 41 }]);
});

test("wrong types are flaws, and those of what is known are worth asking anew", () => {
	for (const wrong of [
		{ type: "welcome" },
		{ ...welcome, members: {} },
		{ type: "member", member: { ...ada, muted: "no" } },
		{ type: "member", member: { ...ada, sign: { hue: 8, place: 0 } } },
		{ type: "left", id: null },
		{ type: "slots", slots: "none" },
		{ type: "title" },
		{ type: 1 },
		[],
		null,
	]) {
		assert.throws(() => said(/** @type {any} */ (wrong)), (error) => error instanceof Flaw && error.matters, JSON.stringify(wrong));
	}
	assert.throws(() => take("{"), Flaw);
});

test("levels and events that cannot be taken are missed, no more", () => {
	for (const wrong of [{ type: "levels", levels: { a: "1" }, speaking: [] }, { type: "levels" }, { type: "knock", by: "ada" }]) {
		assert.throws(() => said(wrong), (error) => error instanceof Flaw && !error.matters);
	}
});

test("what only a newer host says is nothing here, and its type can be told of", () => {
	assert.equal(said({ type: "whiteboard" }), null);
	assert.equal(said({ type: "toString" }), null);
	assert.equal(typeOf('{"type":"whiteboard","secret":"x"}'), "whiteboard");
	assert.equal(typeOf('{"type":"<b>"}'), "message");
});
