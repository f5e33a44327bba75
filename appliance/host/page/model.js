/**
 * What is known of the room: members, levels, who speaks, and the last minute. Pure: messages and `now` go in.
 *
 * The last minute lives here only and is gone on reload; nothing is kept of before it.
 */

/**
 * @typedef {object} Site what a device tells of itself
 * @property {"open" | "closed"} gate
 * @property {string[]} reasons
 * @property {"open" | "listening" | "closed"} door
 * @property {Record<"mic" | "room" | "speak" | "fault", "off" | "steady" | "slow" | "fast">} lamps
 * @property {number} [loudspeaker] dBov
 * @property {string} [limited] what is limited, in the host's words
 *
 * @typedef {object} Member
 * @property {string} id
 * @property {string} name
 * @property {string} initials
 * @property {"person" | "site"} kind
 * @property {"listener" | "speaker" | "admin"} role
 * @property {"connecting" | "listening" | "muted" | "admin_muted" | "hand" | "on_hold"} state
 * @property {boolean} joined
 * @property {boolean} muted
 * @property {boolean} admin_muted
 * @property {boolean} hand
 * @property {{hue: number, place: number}} sign
 * @property {Site | null} site
 */

export const SILENCE = -127;
const CELL = 3000;
const CELLS = 20;
const ALL_CELLS = 2 ** CELLS - 1;
const PLACES = 3;

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
  /** @type {{id: string, name: string, role: string, kind: string, sign?: {hue: number, place: number}, initials?: string} | null} */
  you = null;
  room = { id: "", title: "" };
  realLevels = true;
  welcomed = false;
  /** @type {Map<string, number>} when each was last heard, in milliseconds */
  #spoke = new Map();
  /** @type {Map<string, number>} 20 bits, the lowest is now */
  #minutes = new Map();
  #cell = 0;

  /**
   * @param {any} m a message of the host
   * @param {number} now milliseconds
   * @returns {boolean} whether it was one for the model
   */
  apply(m, now) {
    this.tick(now);
    switch (m.type) {
      case "welcome":
        this.#welcome(m);
        break;
      case "member":
        this.#member(m.member);
        break;
      case "left":
        this.#left(m.id);
        break;
      case "slots":
        this.slots = m.slots;
        break;
      case "levels":
        this.#levels(m, now);
        break;
      default:
        return false;
    }
    return true;
  }

  /** Let the last minute go on. @param {number} now */
  tick(now) {
    const cell = Math.floor(now / CELL);
    const steps = Math.min(CELLS, cell - this.#cell);
    this.#cell = cell;
    if (steps > 0) {
      for (const [id, bits] of this.#minutes) {
        const moved = (bits * 2 ** steps) % (ALL_CELLS + 1);
        if (moved) this.#minutes.set(id, moved);
        else this.#minutes.delete(id);
      }
    }
    for (const id of this.speaking) {
      this.#minutes.set(id, (this.#minutes.get(id) ?? 0) | 1);
      this.#spoke.set(id, now);
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
    const order = (/** @type {Member} */ m) => (m.kind === "site" ? 0 : 1);
    return [...this.members.values()]
      .filter((m) => m.joined)
      .sort((a, b) => order(a) - order(b) || a.name.localeCompare(b.name) || a.id.localeCompare(b.id));
  }

  /** @returns {Member | undefined} */
  site() {
    return this.here().find((m) => m.kind === "site");
  }

  /** @returns {Member | undefined} */
  self() {
    return this.you ? this.members.get(this.you.id) : undefined;
  }

  /** @param {string} id @returns {number} dBov */
  level(id) {
    return this.levels.get(id) ?? SILENCE;
  }

  /** @returns {number} dBov of the loudest */
  loudest() {
    return Math.max(SILENCE, ...this.levels.values());
  }

  /** @param {string} id @returns {number} bits of the last minute, lowest is now */
  minute(id) {
    return this.#minutes.get(id) ?? 0;
  }

  /**
   * @param {string} id
   * @param {number} now
   * @returns {number | null} whole seconds since the member spoke, within the last minute
   */
  spokeAgo(id, now) {
    const spoke = this.#spoke.get(id);
    if (spoke === undefined || now - spoke > 60_000) return null;
    return Math.max(1, Math.round((now - spoke) / 1000));
  }

  /** @param {any} m */
  #welcome(m) {
    this.members = new Map(m.members.map((/** @type {Member} */ member) => [member.id, member]));
    this.you = m.you;
    this.room = m.room;
    this.slots = m.slots ?? [null, null, null];
    this.realLevels = (m.capabilities?.levels ?? "real") === "real";
    this.silence();
    this.welcomed = true;
    this.places = this.places.map((id) => (id && this.members.get(id)?.joined ? id : null));
    for (const member of this.here()) if (member.kind === "site") this.#stand(member.id, false);
  }

  /** @param {Member} member */
  #member(member) {
    this.members.set(member.id, member);
    if (!member.joined) this.#silent(member.id);
    else if (member.kind === "site") this.#stand(member.id, false);
  }

  /** @param {string} id */
  #left(id) {
    this.members.delete(id);
    this.#silent(id);
    this.#spoke.delete(id);
    this.#minutes.delete(id);
  }

  /** @param {string} id */
  #silent(id) {
    this.levels.delete(id);
    this.speaking.delete(id);
    this.places = this.places.map((place) => (place === id ? null : place));
  }

  /**
   * @param {{levels: Record<string, number>, speaking: string[]}} m
   * @param {number} now
   */
  #levels(m, now) {
    for (const [id, level] of Object.entries(m.levels)) if (this.members.has(id)) this.levels.set(id, level);
    const speaking = new Set(m.speaking.filter((id) => this.members.has(id)));
    for (const id of this.speaking) if (!speaking.has(id)) this.speaking.delete(id);
    for (const id of speaking) {
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
    let place = this.places.indexOf(null);
    if (place < 0 && speaks) place = this.#quietest();
    if (place >= 0) this.places[place] = id;
  }

  /** @returns {number} */
  #quietest() {
    let found = -1;
    let longest = Infinity;
    for (let place = 0; place < PLACES; place += 1) {
      const id = /** @type {string} */ (this.places[place]);
      const spoke = this.#spoke.get(id) ?? -Infinity;
      if (this.speaking.has(id) || spoke >= longest) continue;
      found = place;
      longest = spoke;
    }
    return found;
  }
}
