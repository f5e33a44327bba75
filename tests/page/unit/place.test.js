// Which place of the page an address is, and what its fragment brings.

import assert from "node:assert/strict";
import { test } from "node:test";

import { readAddress } from "../../../appliance/host/page/address.js";
import { pathOf, spotOf } from "../../../appliance/host/page/place.js";

const token = (/** @type {object} */ claims) => `${btoa(JSON.stringify(claims)).replaceAll("=", "")}.x`;

test("paths", () => {
	const at = (/** @type {string} */ path) => Object.values(spotOf(path)).join(" ").trim();
	assert.equal(at("/"), "overview");
	assert.equal(at("/studio"), "room studio");
	assert.equal(at("/devices"), "devices");
	assert.equal(at("/devices/hall%201"), "devices  hall 1");
	assert.equal(at("/rooms"), "overview");
	assert.equal(at("/%E0%A4%A"), "room %E0%A4%A");
	assert.equal(spotOf(pathOf("a b/c")).room, "a b/c");
});

test("fragments", () => {
	const [one, two] = [token({ room: "a" }), token({ room: "b" })];
	assert.deepEqual(readAddress({ pathname: "/", hash: `#${one}` }), { room: "a", tokens: [one], panel: "" });
	assert.deepEqual(readAddress({ pathname: "/", hash: `#${one}&${two}&panel=w` }), { room: "", tokens: [one, two], panel: "w" });
	assert.equal(readAddress({ pathname: "/b", hash: `#${one}&${two}` }).room, "b");
	assert.deepEqual(readAddress({ pathname: "/a", hash: "#junk&&" }).tokens, ["junk"]);
	assert.deepEqual(readAddress({ pathname: "/", hash: "" }), { room: "", tokens: [], panel: "" });
});
