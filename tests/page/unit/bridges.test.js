// The tile of a bridge says whom it brings, and above all when this room is not heard there.

import assert from "node:assert/strict";
import { test } from "node:test";

import { stateWords } from "../../../appliance/host/page/bridges.js";
import { take } from "../../../appliance/host/page/intake.js";
import { ordersOf } from "../../../appliance/host/page/orders.js";

const plain = (/** @type {string} */ text) => text.replaceAll(/[\u2068\u2069]/g, "");
const told = { side: "a", to: "Berlin", names: ["Ada", "Ben"], more: 3, speaking: [], heard: true, hops: [] };

/** @param {any} bridge @param {string} [kind] */
function member(bridge, kind = "bridge") {
	const sign = { hue: 1, place: 2 };
	const site = { gate: "open", reasons: [], door: "open", lamps: {}, bridge };
	const of = { id: "b", name: "Bridge", kind, role: "speaker", joined: true, muted: false, admin_muted: false, hand: false, sign, site };
	return take(JSON.stringify({ type: "member", member: of })).member;
}

const says = (/** @type {any} */ bridge, state = "listening") => plain(stateWords(member(bridge), state));

test("who is there, who speaks there, and whether this room is heard", () => {
	assert.equal(says(told), "In Berlin: Ada, Ben +3");
	assert.equal(says({ ...told, more: 0 }), "In Berlin: Ada, Ben");
	assert.equal(says({ ...told, names: [], more: 0 }), "Nobody in Berlin");
	assert.equal(says({ ...told, speaking: ["Ada", "Ben"] }, "speaking"), "Speaking: Ada, Ben");
	assert.equal(says({ ...told, speaking: ["Ada"], heard: false }), "Berlin does not hear this room");
});

test("what matters more than who is there is told as of everybody", () => {
	for (const [state, words] of [["admin_muted", "Muted by admin"], ["connecting", "Connecting"], ["mutedForMe", "Muted for me"]]) {
		assert.equal(says(told, state), words);
	}
});

test("a bridge that tells nothing, or nonsense, is a member like any other", () => {
	for (const bridge of [undefined, null, 1, [], { ...told, to: 1 }, { ...told, names: "Ada" }, { ...told, speaking: [1] }]) {
		assert.equal(says(bridge), "Listening");
	}
	assert.equal(says({ ...told, more: "x", heard: "yes" }), "Berlin does not hear this room");
});

test("an admin mutes it, lets it speak, sends it out; it is no listener", () => {
	const words = (/** @type {string} */ mine) => ordersOf(member(told), mine).map(([word]) => word);
	assert.deepEqual(words("speaker"), []);
	assert.deepEqual(words("admin"), ["menu.mute", "menu.remove"]);
});
