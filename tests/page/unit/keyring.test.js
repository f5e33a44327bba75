// What a browser keeps of the links that it was given, and what it forgets.

import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import { Keyring, roomOf } from "../../../appliance/host/page/keyring.js";

const token = (/** @type {object} */ claims) => `${btoa(JSON.stringify(claims)).replaceAll("=", "")}.x`;
const [studio, newer, workshop, roomless] = [token({ room: "studio" }), token({ room: "studio", name: "Ada" }), token({ room: "workshop" }), token({})];

/** A browser's storage; one that is denied throws at the mere mention. */
function browser(denied = false) {
	const kept = { localStorage: {}, sessionStorage: {} };
	const storage = (/** @type {Record<string, string>} */ all) => ({ getItem: (/** @type {string} */ key) => all[key] ?? null, setItem: (/** @type {string} */ key, /** @type {string} */ text) => (all[key] = text) });
	const refuse = () => assert.fail("denied");
	globalThis.window = Object.defineProperties({}, Object.fromEntries(Object.entries(kept).map(([where, all]) => [where, { get: denied ? refuse : () => storage(all) }])));
	return { read: (/** @type {"localStorage" | "sessionStorage"} */ where) => JSON.parse(kept[where]["kontor.keys"] ?? "{}") };
}

/** The page is opened at an address. @param {string} path @param {...string} tokens */
function opened(path, ...tokens) {
	const url = new URL(`http://host${path}#${tokens.join("&")}`);
	globalThis.location = url;
	globalThis.history = { state: null, replaceState: (_state, _title, to) => (url.href = new URL(to, url).href) };
	return new Keyring();
}

let there = browser();

beforeEach(() => {
	there = browser();
});

test("a link is stored and leaves the address, and adds to the others", () => {
	opened("/", studio);
	assert.equal(location.href, "http://host/");
	const ring = opened("/workshop", workshop);
	assert.deepEqual(ring.rooms, ["studio", "workshop"]);
	assert.deepEqual(there.read("localStorage"), { studio, workshop });
});

test("one that is added later takes the place of the older one, in this tab and for new ones", () => {
	const ring = opened("/", studio, workshop);
	assert.equal(ring.add({ room: "", tokens: [newer] }), true);
	assert.deepEqual([ring.token("studio"), ring.token("workshop")], [newer, workshop]);
	for (const where of /** @type {const} */ (["localStorage", "sessionStorage"])) assert.equal(there.read(where).studio, newer);
});

test("a token that names no room is for the one of the address", () => {
	assert.equal(roomOf(roomless, { room: "attic", tokens: [roomless] }), "attic");
	assert.equal(roomOf(studio, { room: "attic", tokens: [studio] }), "studio");
	assert.deepEqual(opened("/attic", roomless).rooms, ["attic"]);
});

test("what the host refuses is kept from new tabs only; what is forgotten is gone from both", () => {
	const ring = opened("/", studio, workshop);
	ring.drop("studio");
	assert.deepEqual([there.read("localStorage"), there.read("sessionStorage")], [{ workshop }, { studio, workshop }]);
	ring.forget("studio");
	ring.forget("workshop");
	assert.deepEqual([there.read("localStorage"), there.read("sessionStorage")], [{}, {}]);
	assert.deepEqual([ring.rooms, ring.token("studio")], [[], ""]);
});

test("a refusal of this tab's key leaves another one of the browser alone", () => {
	const ring = opened("/", studio);
	opened("/", newer); // in another tab
	ring.drop("studio");
	assert.deepEqual(there.read("localStorage"), { studio: newer });
});

test("where nothing is stored the address keeps them, and forgets them", () => {
	browser(true);
	const ring = opened("/", studio, workshop);
	assert.equal(ring.add({ room: "", tokens: [newer] }), false);
	assert.ok(location.hash.includes(studio));
	ring.forget("workshop");
	assert.deepEqual(opened("/", ...location.hash.slice(1).split("&")).rooms, ["studio"]);
});

test("a room may be called constructor", () => {
	assert.equal(opened("/", studio).token("constructor"), "");
});
