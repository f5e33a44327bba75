import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

// What a browser would give: the modules only look whether it is there.
Object.defineProperty(globalThis, "navigator", { value: { languages: ["en"] }, configurable: true });
Object.assign(globalThis, {
	localStorage: { getItem: () => null, setItem: () => {} },
	matchMedia: () => ({ matches: false }),
	RTCPeerConnection: function RTCPeerConnection() {},
});
const { Session } = await import("../../../appliance/host/page/session.js");
const { setInterval } = globalThis;
Object.assign(globalThis, { addEventListener: () => {}, setInterval: () => 0 }); // it looks at the clock for ever
const { sleptBetween } = await import("../../../appliance/host/page/wake.js");
globalThis.setInterval = setInterval;
const { bytes, relays, Refused } = await import("../../../appliance/host/page/media.js");

/** Everything that a session works with, and what it was asked for. */
class Parts {
	told = [];
	sent = [];
	/** What is on the way up now. */
	carried = null;
	joins = 0;
	lost = 0;
	doubted = 0;
	refuse = null;
	microphone = {
		state: "unknown",
		track: null,
		name: "Mic",
		enabled: false,
		open: async () => {
			this.microphone.track = { n: Math.random() };
			this.microphone.enabled = false;
			this.microphone.state = this.next ?? "ready";
			if (this.microphone.state !== "ready") this.microphone.track = null;
		},
		close: () => Object.assign(this.microphone, { state: "unknown", track: null }),
		let: (on) => (this.microphone.enabled = on),
	};
	media = {
		join: async () => {
			this.joins += 1;
			if (this.refuse) throw this.refuse;
		},
		carry: async (track) => {
			if (this.slowly && track) await this.slowly;
			this.carried = track;
			return true;
		},
		leave: () => {},
		doubt: async () => (this.doubted += 1) < 0,
		lose: () => (this.lost += 1),
	};
	changed = () => {};
	send = (message) => this.sent.push(message);
	tell = (event, detail) => this.told.push(detail === undefined ? event : [event, detail]);
	/** Whether anything of the microphone could be heard. */
	get leaks() {
		return this.carried !== null && this.microphone.enabled;
	}
}

let parts, session;

async function joined() {
	session.permit("speaker", false);
	session.welcomed(false);
	await session.join();
	await new Promise((resolve) => setTimeout(resolve, 620)); // the guard against double clicks
}

async function live() {
	session.press();
	await settled();
	assert.equal(session.own, "live");
	assert.ok(parts.leaks);
}

const settled = () => new Promise((resolve) => setTimeout(resolve, 5));

beforeEach(() => {
	parts = new Parts();
	session = new Session(parts);
});

test("sleep longer than the resume rule allows comes back muted, a nap comes back live", async () => {
	for (const [slept, own] of [[60_000, "muted"], [12_000, "live"]]) {
		parts = new Parts();
		session = new Session(parts);
		await joined();
		await live();
		assert.equal(await session.woke(slept), true);
		assert.equal(parts.leaks, false, "closed before anything else");
		assert.equal(parts.lost, 1);
		await session.mediaLost(); // as the media says it
		await settled();
		assert.equal(session.own, own);
		assert.equal(parts.leaks, own === "live");
	}
});

test("a loss that was noticed before the sleep is as old as both together", async () => {
	await joined();
	await live();
	session.presenceLost();
	await new Promise((resolve) => setTimeout(resolve, 3200));
	assert.equal(session.own, "reconnecting");
	await session.woke(14_000);
	session.welcomed(true);
	await settled();
	assert.equal(session.own, "muted");
});

test("a change of the network only makes it doubt", async () => {
	await joined();
	await live();
	assert.equal(await session.woke(0), false);
	assert.equal(parts.doubted, 1);
	assert.equal(session.own, "live");
});

test("a lost socket makes it doubt the sound at once", async () => {
	await joined();
	session.presenceLost();
	assert.equal(parts.doubted, 1);
});

test("a microphone that goes mutes, and what comes back stays muted", async () => {
	await joined();
	await live();
	parts.microphone.close();
	parts.microphone.state = "none";
	session.microphoneChanged();
	assert.equal(session.own, "none");
	assert.deepEqual(parts.sent.at(-1), { type: "muted", muted: true });
	await parts.microphone.open();
	session.microphoneChanged();
	await settled();
	assert.equal(session.own, "muted");
	assert.equal(parts.leaks, false);
	assert.deepEqual(parts.told.at(-1), ["microphone", "Mic"]);
});

test("a microphone that goes while it opens is never live", async () => {
	await joined();
	let go;
	parts.slowly = new Promise((resolve) => (go = resolve));
	session.press();
	parts.microphone.close();
	parts.microphone.state = "none";
	session.microphoneChanged();
	go();
	await settled();
	assert.equal(session.own, "none");
	assert.equal(parts.carried, null);
});

test("one that is exchanged while it opens does not show live what nobody hears", async () => {
	await joined();
	let go;
	parts.slowly = new Promise((resolve) => (go = resolve));
	session.press();
	await parts.microphone.open(); // another one
	go();
	await settled();
	assert.equal(session.own, "muted");
	assert.equal(parts.leaks, false);
});

test("whoever is live stays so with another microphone, and a mute meanwhile holds", async () => {
	await joined();
	await live();
	await session.changeMicrophone();
	assert.equal(session.own, "live");
	assert.equal(parts.carried, parts.microphone.track);
	assert.ok(parts.leaks);
	let go;
	parts.slowly = new Promise((resolve) => (go = resolve));
	const changing = session.changeMicrophone();
	await settled();
	session.press();
	assert.equal(session.own, "muted");
	go();
	await changing;
	await settled();
	assert.equal(session.own, "muted");
	assert.equal(parts.microphone.enabled, false);
});

/** The sound goes and comes back; between the two something else happens. */
async function lostWhile(happens) {
	await joined();
	await live();
	let back;
	parts.media.join = () => new Promise((resolve) => (back = resolve));
	session.mediaLost();
	await settled();
	assert.equal(session.own, "reconnecting");
	happens();
	back();
	await settled();
	return session.own;
}

test("whoever was live is live again, but not after what would have muted them", async () => {
	const member = { hand: false, admin_muted: true };
	assert.equal(await lostWhile(() => {}), "live");
	const mutes = {
		"an admin's mute that was lifted again": () => (session.told(member), session.told({ ...member, admin_muted: false })),
		"another microphone": () => session.microphoneChanged(),
		"a time as a guest": () => (session.permit("guest", false), session.permit("speaker", false)),
	};
	for (const [why, happens] of Object.entries(mutes)) {
		session = new Session((parts = new Parts()));
		assert.equal(await lostWhile(happens), "muted", why);
		assert.ok(!parts.leaks, why);
	}
});

test("whoever becomes a guest is muted", async () => {
	await joined();
	await live();
	session.permit("guest", false);
	assert.equal(session.own, "guest");
	assert.ok(!session.live && !parts.leaks);
});

test("a listener who is let speak while joining gets a microphone and a way up", async () => {
	session.permit("listener", false);
	session.welcomed(false);
	const joining = session.join();
	session.permit("speaker", false);
	await joining;
	await new Promise((resolve) => setTimeout(resolve, 620));
	assert.equal(parts.joins, 2);
	await live();
});

/** Every try for a connection from now on, to be ended by hand. */
function tries() {
	const all = [];
	parts.media.join = () => new Promise((resolve, reject) => all.push({ comes: resolve, fails: () => reject(new Refused("network")) }));
	return all;
}

/** Longer than the first wait between two tries. */
const aWhile = () => new Promise((resolve) => setTimeout(resolve, 400));

test("whoever is let speak while it reconnects comes back by one try, and the older one is over", async () => {
	session.permit("listener", false);
	session.welcomed(false);
	await session.join();
	const all = tries();
	session.mediaLost();
	assert.equal(all.length, 1);
	session.permit("speaker", false);
	assert.equal(all.length, 2, "with a way up");
	all[0].fails(); // the newer one has taken its place
	await aWhile();
	assert.equal(all.length, 2, "nobody goes on trying beside it");
	all[1].comes();
	await aWhile();
	assert.equal(session.own, "muted");
	assert.deepEqual(parts.told.findLast(([event]) => event === "network"), ["network", false], "nothing is the matter any more");
	assert.equal(all.length, 2, "what holds is left alone");
});

test("a wait between two tries ends when another takes its place", async () => {
	session.permit("listener", false);
	session.welcomed(false);
	await session.join();
	const all = tries();
	session.mediaLost();
	all[0].fails();
	await settled(); // now it waits
	session.permit("speaker", false);
	await aWhile();
	assert.equal(all.length, 2);
	all[1].fails();
	await aWhile();
	assert.equal(all.length, 3, "the one that is left goes on");
	session.leave();
	all[2].fails();
	await aWhile();
	assert.equal(all.length, 3, "and ends with the stay");
	assert.equal(session.own, "join");
});

test("what only fails by a fault of ours leaves a key that can be pressed again", async () => {
	await joined();
	session.leave();
	parts.refuse = new TypeError("a fault");
	await assert.rejects(session.join(), TypeError);
	assert.equal(session.own, "join");
	parts.refuse = null;
	await session.join();
	assert.equal(session.own, "muted");
});

test("a lost socket counts from its first loss, however often it is tried again", async () => {
	await joined();
	session.presenceLost();
	for (let n = 0; n < 3; n += 1) {
		await new Promise((resolve) => setTimeout(resolve, 700));
		session.presenceLost();
	}
	assert.equal(session.own, "reconnecting");
	session.welcomed(true);
	assert.equal(session.own, "muted");
	assert.deepEqual(parts.told.findLast(([event]) => event === "network"), ["network", false]);
});

test("a chosen microphone that is denied mutes", async () => {
	await joined();
	await live();
	parts.next = "blocked";
	await session.changeMicrophone();
	assert.equal(session.own, "blocked");
	assert.equal(parts.leaks, false);
});

test("without a track nothing is ever live", async () => {
	parts.next = "none";
	await joined();
	session.press();
	await settled();
	assert.notEqual(session.own, "live");
	parts.microphone.state = "ready"; // a lie
	session.press();
	await settled();
	assert.equal(session.own, "muted");
});

test("a browser that cannot is out of the room and says so once", async () => {
	parts.refuse = new Refused("unable");
	session.permit("speaker", false);
	await session.join();
	assert.equal(session.own, "unable");
	assert.deepEqual(parts.told, ["unable"]);
	await session.join();
	assert.equal(parts.joins, 1);
});

test("waking ends the wait between two tries", async () => {
	parts.refuse = new Refused("network");
	session.permit("speaker", false);
	session.welcomed(false);
	const joining = session.join();
	await new Promise((resolve) => setTimeout(resolve, 1500)); // the waits have grown
	const before = parts.joins;
	parts.refuse = null;
	await session.woke(0);
	await settled();
	assert.equal(parts.joins, before + 1);
	await joining;
	assert.equal(session.own, "muted");
});

test("what comes in is counted by transport, or by pair in Firefox, or not at all", () => {
	const pair = { type: "candidate-pair", bytesReceived: 5 };
	assert.equal(bytes([{ type: "transport", bytesReceived: 9 }, pair]), 9);
	assert.equal(bytes([{ type: "transport" }, pair, { ...pair, bytesReceived: 2 }]), 7);
	assert.equal(bytes([{ type: "inbound-rtp", bytesReceived: 1 }]), undefined);
});

test("relays are read out of a header, and nothing else is", () => {
	assert.deepEqual(relays('<turn:a?transport=udp>; rel="ice-server"; username="u"; credential="c", <turn:b>; rel="help"'), [
		{ urls: "turn:a?transport=udp", username: "u", credential: "c" },
	]);
});

test("a look that comes seconds late means sleep, a busy page is no sleep", () => {
	assert.equal(sleptBetween(0, 1000), 0);
	assert.equal(sleptBetween(0, 4900), 0);
	assert.equal(sleptBetween(0, 61_000), 60_000);
	assert.equal(sleptBetween(5000, 0), 0, "a clock that is set back tells nothing");
});
