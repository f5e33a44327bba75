import assert from "node:assert/strict";
import { test } from "node:test";

import { mayAnswer, ordersOf } from "../../../appliance/host/page/orders.js";

const member = (role, more = {}) => ({ id: "ben", kind: "person", role, admin_muted: false, site: null, ...more });
const words = (one, mine) => ordersOf(one, mine).map(([word]) => word);
const said = (one, mine) => ordersOf(one, mine).map(([, ...messages]) => messages);

const OFFERS = [
	["guest", "guest", []],
	["guest", "listener", []],
	["guest", "speaker", ["menu.admit"]],
	["guest", "admin", ["menu.admit", "menu.remove"]],
	["listener", "speaker", []],
	["listener", "admin", ["menu.allow", "menu.remove"]],
	["speaker", "speaker", []],
	["speaker", "admin", ["menu.mute", "menu.listenOnly", "menu.remove"]],
	["admin", "admin", ["menu.mute", "menu.remove"]],
];

for (const [role, mine, offered] of OFFERS) {
	test(`what a ${mine} may do about a ${role}`, () => assert.deepEqual(words(member(role), mine), offered));
}

test("whom an admin muted is let speak, whatever else keeps them from it", () => {
	assert.deepEqual(said(member("speaker", { admin_muted: true }), "admin")[0], [{ type: "unmute", member: "ben" }]);
	const both = [{ type: "admit", member: "ben" }, { type: "unmute", member: "ben" }];
	assert.deepEqual(said(member("listener", { admin_muted: true }), "admin")[0], both);
});

test("a device is muted, or asked; never unmuted", () => {
	const device = (gate) => member("speaker", { kind: "site", site: gate && { gate } });
	for (const mine of ["guest", "listener", "speaker", "admin"]) {
		assert.deepEqual(said(device("open"), mine), [[{ type: "mute", member: "ben" }]]);
		assert.deepEqual(said(device("closed"), mine), [[{ type: "ask_unmute", member: "ben" }]]);
		assert.deepEqual(said(device(null), mine), [[{ type: "ask_unmute", member: "ben" }]], "unknown means muted");
	}
});

test("whom to let speak is a question for whoever may answer it", () => {
	assert.equal(mayAnswer(member("guest"), "speaker"), true);
	assert.equal(mayAnswer(member("guest"), "guest"), false);
	assert.equal(mayAnswer(member("speaker"), "admin"), false);
	assert.equal(mayAnswer(member("speaker", { admin_muted: true }), "speaker"), false);
	assert.equal(mayAnswer(member("speaker", { admin_muted: true }), "admin"), true);
});
