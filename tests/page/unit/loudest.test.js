import assert from "node:assert/strict";
import { test } from "node:test";

import { Loudest } from "../../../appliance/host/page/loudest.js";
import { Model } from "../../../appliance/host/page/model.js";

const member = (id, more = {}) => ({
	id,
	name: id,
	initials: "",
	kind: "person",
	role: "speaker",
	state: "listening",
	joined: true,
	muted: false,
	admin_muted: false,
	hand: false,
	sign: { hue: 0, place: 0 },
	site: null,
	...more,
});

/** A room with these members, of whom "me" is one. */
function room(...ids) {
	const model = new Model();
	const welcome = { type: "welcome", you: { id: "me", name: "me", role: "speaker", kind: "person" }, room: { id: "r", title: "R" } };
	const capabilities = { levels: "real", hands: true, admin_mute: true, volumes: true };
	model.apply({ ...welcome, v: 1, members: ["me", ...ids].map((id) => member(id)), slots: [null, null, null], capabilities }, 0);
	return model;
}

const say = (model, now, levels) =>
	model.apply({ type: "levels", levels, speaking: Object.keys(levels).filter((id) => levels[id] > -55) }, now);

test("nobody has spoken", () => {
	assert.deepEqual(new Loudest().pick(room("ann"), 0), ["", ""]);
});

test("the own voice is in the own key", () => {
	const model = room("ann");
	say(model, 10, { me: -5 });
	assert.deepEqual(new Loudest().pick(model, 10), ["", ""]);
});

test("the loudest comes first, and a louder one only after a second", () => {
	const [model, loudest] = [room("ann", "bo"), new Loudest()];
	say(model, 0, { ann: -20, bo: -30 });
	assert.deepEqual(loudest.pick(model, 0), ["ann", "bo"]);
	say(model, 100, { ann: -30, bo: -20 });
	assert.deepEqual(loudest.pick(model, 100), ["ann", "bo"]);
	say(model, 600, { ann: -20, bo: -20 });
	assert.deepEqual(loudest.pick(model, 600), ["ann", "bo"]);
	say(model, 700, { ann: -30, bo: -20 });
	assert.deepEqual(loudest.pick(model, 700), ["ann", "bo"]);
	assert.deepEqual(loudest.pick(model, 1650), ["ann", "bo"], "it was no second at a stretch");
	assert.deepEqual(loudest.pick(model, 1701), ["bo", "ann"]);
});

test("whoever falls silent makes way at once, and stays in sight", () => {
	const [model, loudest] = [room("ann", "bo", "cy"), new Loudest()];
	say(model, 0, { ann: -20 });
	loudest.pick(model, 0);
	say(model, 500, { bo: -40 });
	assert.deepEqual(loudest.pick(model, 500), ["bo", "ann"]);
	say(model, 900, { cy: -40, bo: -40 });
	assert.deepEqual(loudest.pick(model, 900), ["bo", "cy"]);
	say(model, 2000, {});
	assert.deepEqual(loudest.pick(model, 2000), ["bo", "cy"]);
});

test("who has left is not shown any more", () => {
	const [model, loudest] = [room("ann", "bo"), new Loudest()];
	say(model, 0, { ann: -20, bo: -25 });
	loudest.pick(model, 0);
	model.apply({ type: "left", id: "ann" }, 100);
	assert.deepEqual(loudest.pick(model, 100), ["bo", ""]);
});

test("opened late, it shows who spoke last", () => {
	const model = room("ann", "bo");
	say(model, 0, { ann: -20 });
	say(model, 2000, { bo: -20 });
	say(model, 4000, {});
	assert.deepEqual(new Loudest().pick(model, 20_000), ["bo", "ann"]);
	model.tick(90_000);
	assert.deepEqual(new Loudest().pick(model, 90_000), ["", ""], "nothing is kept beyond the last minute");
});
