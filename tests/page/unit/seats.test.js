// Who stands in which row of a room's card.

import assert from "node:assert/strict";
import { test } from "node:test";

import { seat } from "../../../appliance/host/page/seats.js";

const people = (/** @type {string} */ ids) => [...ids].map((id) => /** @type {any} */ ({ id }));
const model = (/** @type {string} */ speaking, /** @type {Record<string, number>} */ heard = {}) => ({
	speaking: new Set(speaking),
	heardAt: (/** @type {string} */ id) => heard[id] ?? null,
});

test("rows are filled by who was heard last, then in the order of the list", () => {
	assert.deepEqual(seat([null, null, null], people("abcd"), model("", { d: 9, b: 5 })), ["d", "b", "a"]);
	assert.deepEqual(seat([null, null, null], people("a"), model("")), ["a", null, null]);
});

test("rows keep their member, whoever speaks among them", () => {
	assert.deepEqual(seat(["a", "b", "c"], people("abcd"), model("cb", { c: 9 })), ["a", "b", "c"]);
});

test("whoever speaks takes the row of who has been quiet longest, never of who speaks", () => {
	assert.deepEqual(seat(["a", "b", "c"], people("abcd"), model("da", { a: 9, b: 5, c: 2 })), ["a", "b", "d"]);
	assert.deepEqual(seat(["a", "b", "c"], people("abcd"), model("abcd")), ["a", "b", "c"]);
});

test("who has left makes room, and nobody speaks who is not there", () => {
	assert.deepEqual(seat(["a", "b", "c"], people("bd"), model("x")), ["d", "b", null]);
});
