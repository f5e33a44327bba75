/**
 * The member's own stay in the room: joining, muting, talking while held, being muted by an admin, coming back, leaving.
 *
 * What is shown is what is so: "live" only once the track is on its way, "muted" before anything else is done about it.
 */

import { Backoff } from "./backoff.js";
import { Refused } from "./media.js";

/** Presses on the own key that come so soon after joining belong to the press that joined. */
const GUARD = 600;
/** Talking goes on for this long after the key is let go, so that no last syllable is cut. */
const RELEASE = 200;
/** Whoever was live before a loss is live again after it, unless it took longer than this. */
const RESUME = 15_000;
/** A lost WebSocket counts only after this time: the sound goes on without it. */
const PRESENCE_GRACE = 2000;

/**
 * @typedef {object} Parts
 * @property {import("./media.js").Media} media
 * @property {import("./microphone.js").Microphone} microphone
 * @property {(message: object) => boolean} send to the host
 * @property {() => void} changed called after every change of what `own` gives
 * @property {(event: "muted" | "live" | "left" | "full" | "network" | "ended" | "connected", detail?: any) => void} tell
 */

export class Session {
  /** @type {"out" | "joining" | "in"} */
  phase = "out";
  listener = false;
  adminMuted = false;
  hand = false;
  #parts;
  #live = false;
  #held = false;
  #wantsLive = false;
  #mediaUp = false;
  #presenceUp = false;
  #guardedUntil = 0;
  #lostAt = 0;
  #resume = false;
  #releaseTimer = 0;
  #presenceTimer = 0;
  #stay = 0;

  /** @param {Parts} parts */
  constructor(parts) {
    this.#parts = parts;
  }

  /** @returns {import("./ownkey.js").Own} the state of the own key */
  get own() {
    if (this.phase === "out") return this.listener ? "listen" : "join";
    if (this.phase === "joining") return "connecting";
    if (!this.#whole) return "reconnecting";
    if (this.listener) return "listening";
    if (this.adminMuted) return this.hand ? "asked" : "adminMuted";
    const mic = this.#parts.microphone.state;
    if (mic === "none" || mic === "blocked") return mic;
    if (this.#live) return this.#held ? "held" : "live";
    return "muted";
  }

  get live() {
    return this.#live;
  }

  /** Join muted. */
  async join() {
    if (this.phase !== "out") return;
    const stay = ++this.#stay;
    this.phase = "joining";
    this.#parts.changed();
    const microphone = this.listener ? null : this.#parts.microphone.open();
    if (!(await this.#connect(stay))) return;
    await microphone;
    if (stay !== this.#stay) return;
    this.phase = "in";
    this.#parts.tell("network", false);
    this.#guardedUntil = performance.now() + GUARD;
    this.#parts.send({ type: "muted", muted: true });
    if (!this.listener) this.#parts.tell("muted");
    this.#parts.changed();
    if (!this.#mediaUp) this.mediaLost(); // it went while the browser still asked for the microphone
  }

  leave() {
    if (this.phase === "out") return;
    this.#reset();
    this.#parts.media.leave();
    this.#parts.tell("left");
    this.#parts.changed();
  }

  /** A press on the own key, or M. */
  press() {
    if (performance.now() < this.#guardedUntil) return;
    switch (this.own) {
      case "join":
      case "listen":
        this.join();
        break;
      case "muted":
        this.#setLive(true);
        break;
      case "live":
      case "held":
        this.#setLive(false);
        break;
      case "adminMuted":
      case "asked":
        this.raiseHand(!this.hand);
        break;
      case "none":
      case "blocked":
        this.#parts.microphone.open().then(() => this.#parts.changed());
        break;
    }
  }

  /** Talk while something is held down. @returns {boolean} whether it begins */
  hold() {
    clearTimeout(this.#releaseTimer);
    if (this.#held) return true;
    if (this.own !== "muted" || performance.now() < this.#guardedUntil) return false;
    this.#held = true;
    this.#setLive(true);
    return true;
  }

  /** @param {boolean} [atOnce] the window lost the focus: nobody holds anything any more */
  release(atOnce = false) {
    if (!this.#held) return;
    clearTimeout(this.#releaseTimer);
    this.#releaseTimer = setTimeout(() => this.#held && this.#setLive(false), atOnce ? 0 : RELEASE);
  }

  /** @param {boolean} up */
  raiseHand(up) {
    if (this.phase === "in") this.#parts.send({ type: "hand", up });
  }

  /** An admin muted this member: closed first, told afterwards. */
  muteByAdmin() {
    if (this.phase === "out") return; // the host says it again when we join
    this.adminMuted = true;
    this.#close();
    this.#parts.changed();
  }

  /** The admin mute is gone. Nothing opens by it. */
  liftAdminMute() {
    this.adminMuted = false;
    this.#parts.changed();
  }

  /**
   * What the host says of this member.
   * @param {import("./model.js").Member} member
   */
  told(member) {
    this.hand = member.hand;
    if (member.admin_muted && !this.adminMuted) this.muteByAdmin();
    else if (!member.admin_muted) this.adminMuted = false;
    this.#parts.changed();
  }

  /** The WebSocket is there again. @param {boolean} joined whether the host still has our sound */
  welcomed(joined) {
    clearTimeout(this.#presenceTimer);
    this.#presenceUp = true;
    if (this.phase === "in") {
      this.#parts.send({ type: "muted", muted: !this.#live });
      if (!joined && this.#mediaUp) this.mediaLost();
      else this.#resumed();
    }
    this.#parts.changed();
  }

  presenceLost() {
    clearTimeout(this.#presenceTimer);
    this.#presenceTimer = setTimeout(() => {
      this.#presenceUp = false;
      this.#interrupted();
    }, PRESENCE_GRACE);
  }

  /** The sound is gone: a new connection, until one holds. */
  async mediaLost() {
    this.#mediaUp = false;
    if (this.phase !== "in") return;
    this.#interrupted();
    if (await this.#connect(this.#stay)) this.#resumed();
  }

  /** The host ended it, or it is taken elsewhere. */
  end() {
    if (this.phase !== "out") this.#parts.media.leave();
    this.#reset();
    this.#parts.changed();
  }

  get #whole() {
    return this.#mediaUp && this.#presenceUp;
  }

  #reset() {
    this.#stay += 1;
    this.phase = "out";
    this.#close();
    this.#mediaUp = false;
    this.#resume = false;
    this.adminMuted = false;
    this.hand = false;
    this.#parts.microphone.close();
  }

  /** Nothing leaves from here on; what is shown follows at once. */
  #close() {
    clearTimeout(this.#releaseTimer);
    this.#wantsLive = false;
    this.#live = false;
    this.#held = false;
    this.#parts.microphone.let(false);
    this.#parts.media.carry(null);
  }

  /** @param {boolean} live */
  async #setLive(live) {
    if (!live) {
      this.#close();
      this.#parts.send({ type: "muted", muted: true });
      this.#parts.tell("muted");
      this.#parts.changed();
      return;
    }
    this.#wantsLive = true;
    this.#parts.send({ type: "muted", muted: false });
    const carried = await this.#parts.media.carry(this.#parts.microphone.track);
    if (!this.#wantsLive) {
      this.#parts.media.carry(null);
      return;
    }
    if (!carried) return;
    this.#parts.microphone.let(true);
    this.#live = true;
    this.#parts.tell("live");
    this.#parts.changed();
  }

  #interrupted() {
    if (this.phase !== "in") return;
    if (this.#lostAt === 0) {
      this.#lostAt = performance.now();
      this.#resume = this.#live && !this.#held;
    }
    this.#close();
    this.#parts.tell("network", true);
    this.#parts.changed();
  }

  #resumed() {
    if (this.phase !== "in" || !this.#whole) return;
    const lost = this.#lostAt;
    this.#lostAt = 0;
    if (lost === 0) return;
    this.#parts.tell("network", false);
    const live = this.#resume && !this.adminMuted && performance.now() - lost < RESUME;
    this.#resume = false;
    this.#setLive(live);
  }

  /**
   * Try until sound flows, or until the host says that it never will.
   * @param {number} stay
   * @returns {Promise<boolean>}
   */
  async #connect(stay) {
    const backoff = new Backoff();
    while (stay === this.#stay) {
      try {
        await this.#parts.media.join(!this.listener);
        if (stay !== this.#stay) {
          this.#parts.media.leave();
          return false;
        }
        this.#mediaUp = true;
        return true;
      } catch (error) {
        if (stay !== this.#stay) return false;
        if (!(error instanceof Refused)) throw error;
        if (error.kind !== "network") {
          this.end();
          this.#parts.tell(error.kind === "full" ? "full" : "ended", error.kind === "full" ? error.retryAfter : error.kind);
          return false;
        }
        this.#parts.tell("network", true);
        await new Promise((resolve) => setTimeout(resolve, backoff.next()));
      }
    }
    return false;
  }
}
