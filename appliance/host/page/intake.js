/**
 * What a host says is taken apart before anything believes it. Pure.
 *
 * A field of the wrong type makes a message one that is not taken; a word that only a newer host knows does not: of a member
 * it becomes what it is nearest to, of a device what is safe to think of it.
 */

const LITS = ["off", "steady", "slow", "fast"];
const DOORS = ["open", "listening", "closed"];
const ROLES = ["guest", "listener", "speaker", "admin"];
const STATES = ["connecting", "listening", "muted", "admin_muted", "hand", "on_hold"];

/** A message that is not taken; `message` says what is wrong. */
export class Flaw extends Error {
	/** Unless it is told anew, something else is shown than what is so. */
	matters = true;
}

/** @param {unknown} value @param {string} what @param {string} type @returns {any} */
function typed(value, what, type) {
	if (typeof value !== type || value === null) throw new Flaw(`${what} is no ${type}`);
	return value;
}

/** @param {any} value @param {string} what @returns {any[]} */
function list(value, what) {
	if (!Array.isArray(value)) throw new Flaw(`${what} is no list`);
	return value;
}

/** @param {any} value @param {string} what @param {number} below */
function whole(value, what, below) {
	if (!Number.isInteger(value) || value < 0 || value >= below) throw new Flaw(`${what} is no number below ${below}`);
}

/** @template {string} T @param {any} value @param {string[]} words @param {T} otherwise @returns {any} */
const known = (value, words, otherwise) => (words.includes(value) ? value : otherwise);

/** @param {any} value @returns {number | null} */
const number = (value) => (Number.isFinite(value) ? value : null);

/** @param {any} value @returns {any} an object; else nothing */
const object = (value) => (typeof value === "object" && value !== null && !Array.isArray(value) ? value : undefined);

/** What is for admins: a part of another shape is as good as untold. @param {any} details */
function readDetails(details) {
	if (!object(details)) return undefined;
	const held = object(details.held) && Object.entries(details.held).filter(([, span]) => Array.isArray(span) && Number.isFinite(span[0]));
	const isPlaces = Array.isArray(details.array?.mics) && details.array.mics.every((/** @type {any} */ place) => Array.isArray(place));
	const [proof, config, health, link] = ["proof", "config", "health", "link"].map((part) => object(details[part]));
	return { ...details, held: held && Object.fromEntries(held), proof, config, health, link, array: isPlaces ? details.array : undefined };
}

/** Whom a bridge brings; of another shape it is as good as untold. @param {any} bridge */
function readBridge(bridge) {
	const names = (/** @type {any} */ told) => Array.isArray(told) && told.every((name) => typeof name === "string");
	if (!object(bridge) || typeof bridge.to !== "string" || !names(bridge.names) || !names(bridge.speaking)) return undefined;
	return { to: bridge.to, names: bridge.names, more: number(bridge.more) ?? 0, speaking: bridge.speaking, heard: bridge.heard === true };
}

/** What a device tells: unknown means muted. That somebody talks while it is closed is for those who sit there. @param {any} site */
function readSite(site) {
	if (site === null || site === undefined) return null;
	typed(site, "site", "object");
	const { lamps = {} } = site;
	const lamp = (/** @type {LampName} */ name, /** @type {Lit} */ otherwise) => known(lamps?.[name], LITS, otherwise);
	const gate = site.gate === "open" ? "open" : "closed";
	const mic = lamp("mic", gate === "open" ? "off" : "steady");
	return {
		...site,
		gate,
		reasons: Array.isArray(site.reasons) ? site.reasons.filter((/** @type {any} */ reason) => typeof reason === "string") : [],
		door: known(site.door, DOORS, "closed"),
		details: readDetails(site.details),
		bridge: readBridge(site.bridge),
		quiet_until: number(site.quiet_until),
		direction: gate === "open" ? number(site.direction) : null,
		lamps: { mic: mic === "slow" ? "steady" : mic, room: lamp("room", "off"), speak: lamp("speak", "off"), fault: lamp("fault", "off") },
	};
}

/** @param {any} m @returns {Member} */
function readMember(m) {
	typed(m, "member", "object");
	for (const field of ["id", "name"]) typed(m[field], field, "string");
	for (const field of ["joined", "muted", "admin_muted", "hand"]) typed(m[field], field, "boolean");
	typed(m.sign, "sign", "object");
	whole(m.sign.hue, "hue", 8);
	whole(m.sign.place, "place", 12);
	return {
		...m,
		initials: typeof m.initials === "string" ? m.initials : "",
		kind: known(m.kind, ["site", "bridge"], "person"),
		role: known(m.role, ROLES, "speaker"),
		state: known(m.state, STATES, m.muted ? "muted" : "listening"),
		site: readSite(m.site),
	};
}

/** @param {any} slots @returns {Array<string | null>} */
function readSlots(slots) {
	const three = list(slots, "slots").slice(0, 3);
	for (const id of three) if (id !== null) typed(id, "slot", "string");
	return [0, 1, 2].map((n) => three[n] ?? null);
}

/** @param {any} by @param {string} what @returns {{id: string, name: string}} */
function readWho(by, what) {
	typed(by, what, "object");
	return { ...by, id: typed(by.id, what, "string"), name: typed(by.name, what, "string") };
}

/** @param {any} told @returns {Recorded | null} */
function readRecording(told) {
	if (told === null || told === undefined) return null;
	typed(told, "recording", "object");
	for (const field of ["since", "starts"]) typed(told[field], field, "number");
	return { since: told.since, starts: told.starts, by: told.by ? readWho(told.by, "by") : null };
}

/** @param {any} told @returns {LastSpoke | null} */
function readLastSpoke(told) {
	if (told === null || typeof told !== "object") return null;
	const members = Object.entries(told.members ?? {}).filter((pair) => Number.isFinite(pair[1]));
	return { room: number(told.room), members: Object.fromEntries(members) };
}

/** @param {any} m */
function readWelcome(m) {
	const you = readWho(m.you, "you");
	typed(m.room, "room", "object");
	return {
		...m,
		you: { ...you, role: known(m.you.role, ROLES, "speaker") },
		room: { ...m.room, title: typed(m.room.title, "title", "string") },
		members: list(m.members, "members").map(readMember),
		slots: readSlots(m.slots),
		capabilities: typed(m.capabilities, "capabilities", "object"),
		listen_only: m.listen_only === "no_https" ? m.listen_only : null,
		mute_new: m.mute_new === true,
		now: number(m.now),
		recording: readRecording(m.recording),
		last_spoke: readLastSpoke(m.last_spoke),
	};
}

/** Nothing stays wrong for long when one of these is missed. @param {(m: any) => any} read @returns {(m: any) => any} */
const lightly = (read) => (m) => {
	try {
		return read(m);
	} catch (error) {
		if (error instanceof Flaw) error.matters = false;
		throw error;
	}
};

/** They come many times a second, and the next ones bring all up to date. */
const readLevels = lightly((m) => {
	typed(m.levels, "levels", "object");
	for (const id in m.levels) if (!Number.isFinite(m.levels[id])) throw new Flaw("level is no number");
	for (const id of list(m.speaking, "speaking")) typed(id, "speaking", "string");
	return m;
});

/** What only says that something happened: gone once it is missed. @param {string} [field] that says who */
const event = (field) => lightly((m) => (field ? { ...m, [field]: readWho(m[field], field) } : m));

/** @type {Record<string, (m: any) => any>} */
const READERS = {
	welcome: readWelcome,
	member: (m) => ({ ...m, member: readMember(m.member) }),
	left: (m) => ({ ...m, id: typed(m.id, "id", "string") }),
	members: (m) => ({ ...m, members: list(m.members, "members").map(readMember), left: list(m.left, "left").map((id) => typed(id, "left", "string")) }),
	mute_new: (m) => ({ ...m, on: typed(m.on, "on", "boolean") }),
	title: (m) => ({ ...m, title: typed(m.title, "title", "string") }),
	recording: (m) => ({ ...m, ...(typed(m.on, "on", "boolean") ? readRecording({ ...m, since: m.since ?? m.starts }) : {}) }),
	slots: (m) => ({ ...m, slots: readSlots(m.slots) }),
	levels: readLevels,
	muted_by_admin: event(),
	admin_mute_lifted: event(),
	asked_to_unmute: event("by"),
	knock: event("by"),
	device_asks: event("device"),
	error: event(),
	door: event(),
	bundle_asked: event(),
};

/**
 * A message as the page can use it, or null when only a newer page knows its type. Throws `Flaw`.
 * @param {string} text @returns {any}
 */
export function take(text) {
	const m = parse(text);
	return Object.hasOwn(READERS, m.type) ? READERS[m.type](m) : null;
}

/** @param {string} text @returns {any} */
function parse(text) {
	let m;
	try {
		m = JSON.parse(text);
	} catch {
		throw new Flaw("no JSON");
	}
	typed(m, "message", "object");
	typed(m.type, "type", "string");
	return m;
}

/** @param {string} text @returns {string} its type, to be told of; never more of what it says */
export function typeOf(text) {
	return /^\s*\{\s*"type"\s*:\s*"(\w{1,32})"/.exec(String(text))?.[1] ?? "message";
}
