/**
 * What is known of the room: members, levels, who speaks, and the last minute. Pure: messages and `now` go in.
 *
 * The last minute lives here only and is gone on reload; nothing is kept of before it.
 */

/** dBov of nothing at all. */
export const SILENCE = -127;
/** Milliseconds that one of the last minute's cells stands for. */
const CELL = 3000;
export const CELLS = 20;

/** Whether anything can come from a member: a closed microphone has no level, and no guest is heard. @param {Member} [member] */
const isOpen = (member) => Boolean(member && !member.muted && !member.admin_muted && member.role !== "guest");

export class Model {
	/** @type {Map<string, Member>} */
	members = new Map();
	/** @type {Array<string | null>} who is heard in which slot */
	slots = [null, null, null];
	/** @type {Array<string | null>} who stands in which place of the bar */
	places = [null, null, null];
	/** @type {Map<string, number>} dBov */
	levels = new Map();
	/** @type {Set<string>} in the order in which they began */
	speaking = new Set();
	/** @type {You | null} */
	you = null;
	title = "";
	realLevels = true;
	/** @type {null | "no_https"} why one can only listen here, whatever the link says */
	listenOnly = null;
	welcomed = false;
	/** Whoever comes in anew is muted until an admin lets them speak. */
	muteNew = false;
	/** @type {Recorded | null} announced or running */
	recording = null;
	/** @type {LastSpoke | null} null unless the host keeps it */
	lastSpoke = null;
	/** Unix seconds of the host at `performance.now()` 0: this machine's own clock may be off by a day. */
	#epoch = Date.now() / 1000 - performance.now() / 1000;
	/** @type {Map<string, number>} when each was last heard, in milliseconds */
	#spoke = new Map();
	/** @type {Map<string, number>} 20 bits, the lowest is now */
	#minutes = new Map();
	#cell = 0;
	/** @type {Member[] | null} null: to be sorted anew */
	#here = null;
	#tick = 0;
	/** Counts up whenever others speak than before. */
	turns = 0;

	/** @param {any} m of the host @param {number} now milliseconds @returns {boolean} whether it was one for the model */
	apply(m, now) {
		this.tick(now);
		if (m.type === "welcome") this.#welcome(m, now);
		else if (m.type === "member") this.#member(m.member);
		else if (m.type === "left") this.#left(m.id);
		else if (m.type === "members") this.#several(m);
		else if (m.type === "mute_new") this.muteNew = m.on;
		else if (m.type === "title") this.title = m.title;
		else if (m.type === "recording") this.#record(m, now);
		else if (m.type === "slots") this.slots = m.slots;
		else if (m.type === "levels") this.#levels(m, now);
		else return false;
		return true;
	}

	/** Let the last minute go on. @param {number} now milliseconds */
	tick(now) {
		this.#tick = now;
		const cell = Math.floor(now / CELL);
		const steps = Math.min(CELLS, cell - this.#cell);
		this.#cell = cell;
		for (const [id, bits] of this.#minutes) this.#minutes.set(id, (bits * 2 ** steps) % 2 ** CELLS);
		for (const id of this.speaking) {
			this.#minutes.set(id, this.minute(id) | 1);
			this.#spoke.set(id, now);
			if (this.lastSpoke) this.lastSpoke.members[id] = this.lastSpoke.room = this.time(now);
		}
	}

	/** Nothing is known of who speaks: the socket is gone. */
	silence() {
		this.levels.clear();
		this.speaking.clear();
		this.welcomed = false;
	}

	/** @returns {Member[]} all who are here: sites first, then by name */
	here() {
		if (this.#here) return this.#here;
		const order = (/** @type {Member} */ m) => `${m.kind === "site" ? 0 : 1}${m.name} ${m.id}`;
		this.#here = [...this.members.values()].filter((m) => m.joined).sort((a, b) => order(a).localeCompare(order(b)));
		return this.#here;
	}

	/** The device of the room: also one whose door is closed, so that it is not in the room. */
	site() {
		return this.sites().find((m) => m.joined) ?? this.sites().find((m) => m.site);
	}

	sites() {
		return [...this.members.values()].filter((m) => m.kind === "site").sort((a, b) => a.name.localeCompare(b.name));
	}

	/** Whether one may let others speak: a guest at least. */
	get letsIn() {
		return ["speaker", "admin"].includes(this.self()?.role ?? this.you?.role ?? "");
	}

	self() {
		return this.members.get(this.you?.id ?? "");
	}

	/** @param {string} id @returns {number} dBov */
	level(id) {
		return this.levels.get(id) ?? SILENCE;
	}

	/** @param {string} id @returns {number} the last minute as 20 bits, the lowest is now */
	minute(id) {
		return this.#minutes.get(id) ?? 0;
	}

	/** Whole seconds since a member spoke, within the last minute; else null. @param {string} id @param {number} now */
	spokeAgo(id, now) {
		const ago = now - (this.#spoke.get(id) ?? -Infinity);
		return ago > 60_000 ? null : Math.max(1, Math.round(ago / 1000));
	}

	/** When a member was last heard: within the last minute, or ever where the host keeps it. @param {string} id @returns {number | null} Unix seconds */
	heardAt(id) {
		const spoke = this.#spoke.get(id);
		const recent = spoke !== undefined && this.#tick - spoke <= 60_000 ? this.time(spoke) : null;
		return recent ?? this.lastSpoke?.members[id] ?? null;
	}

	/** What a member is doing, a key of the `state.` words. @param {Member} member */
	stateOf(member) {
		if (this.speaking.has(member.id)) return "speaking";
		return member.role === "guest" && ["muted", "listening"].includes(member.state) ? "guest" : member.state;
	}

	/** Whether a message of the host is about ourselves. @param {any} m */
	isOwn(m) {
		const id = this.you?.id;
		return m.type === "welcome" || m.member?.id === id || (m.type === "members" && m.members.some((/** @type {Member} */ one) => one.id === id));
	}

	/** How its sign is drawn: filled leaves the microphone, hollow does not. @param {Member} member */
	signOf(member) {
		const state = this.stateOf(member);
		if (state === "speaking" || state === "connecting") return state;
		return isOpen(member) ? "quiet" : "muted";
	}

	/** The host's time. @param {number} now milliseconds of `performance.now()` @returns {number} Unix seconds */
	time(now) {
		return this.#epoch + now / 1000;
	}

	/** The welcome may have been long on its way, and its time late; now it is at least when this was announced. @param {any} m @param {number} now */
	#record(m, now) {
		this.recording = m.on ? m : null;
		if (m.on) this.#epoch = Math.max(this.#epoch, m.since - now / 1000);
	}

	/** @param {any} m @param {number} now */
	#welcome(m, now) {
		if (m.now) this.#epoch = m.now - now / 1000;
		this.recording = m.recording ?? null;
		this.lastSpoke = m.last_spoke ?? null;
		this.#here = null;
		this.members = new Map(m.members.map((/** @type {Member} */ member) => [member.id, member]));
		this.you = m.you;
		this.title = m.room.title;
		this.slots = m.slots;
		this.realLevels = m.capabilities.levels === "real";
		this.listenOnly = m.listen_only ?? null;
		this.muteNew = m.mute_new ?? false;
		this.silence();
		this.welcomed = true;
		this.places = this.places.map((id) => (this.members.get(id ?? "")?.joined ? id : null));
		for (const member of this.here()) if (member.kind === "site") this.#stand(member.id, false);
	}

	/** @param {Member} member */
	#member(member) {
		this.#here = null;
		this.members.set(member.id, member);
		if (!isOpen(member)) this.#silent(member.id);
		if (!member.joined) this.#gone(member.id);
		else if (member.kind === "site") this.#stand(member.id, false);
	}

	/** @param {{members: Member[], left: string[]}} m */
	#several(m) {
		for (const id of m.left) this.#left(id);
		for (const member of m.members) this.#member(member);
	}

	/** @param {string} id */
	#left(id) {
		this.#here = null;
		this.members.delete(id);
		this.#gone(id);
		this.#spoke.delete(id);
		this.#minutes.delete(id);
	}

	/** @param {string} id */
	#silent(id) {
		this.levels.delete(id);
		this.speaking.delete(id);
	}

	/** @param {string} id */
	#gone(id) {
		this.#silent(id);
		this.places = this.places.map((place) => (place === id ? null : place));
	}

	/** @param {{levels: Record<string, number>, speaking: string[]}} m @param {number} now */
	#levels(m, now) {
		const heard = (/** @type {string} */ id) => isOpen(this.members.get(id));
		for (const [id, level] of Object.entries(m.levels)) if (heard(id)) this.levels.set(id, level);
		for (const id of this.speaking) if (!m.speaking.includes(id) && this.speaking.delete(id)) this.turns += 1;
		for (const id of m.speaking.filter(heard)) {
			if (!this.speaking.has(id)) this.turns += 1;
			this.speaking.add(id);
			this.#stand(id, true);
		}
		this.tick(now);
	}

	/**
	 * Give a member a place in the bar, which it keeps: an empty one, else the one that has been quiet longest. Places never
	 * swap, and nobody who speaks loses one.
	 * @param {string} id
	 * @param {boolean} speaks whether it may take the place of somebody quiet
	 */
	#stand(id, speaks) {
		if (this.places.includes(id)) return;
		const empty = this.places.indexOf(null);
		const place = empty < 0 && speaks ? this.#quietest() : empty;
		if (place >= 0) this.places[place] = id;
	}

	/** @returns {number} the place that has been quiet longest, or -1 */
	#quietest() {
		const heard = this.places.map((id) => (this.speaking.has(id ?? "") ? Infinity : (this.#spoke.get(id ?? "") ?? -Infinity)));
		const longest = Math.min(...heard);
		return longest === Infinity ? -1 : heard.indexOf(longest);
	}
}
