/** The member's own key: how it looks and what it says in each state. What a press does is the session's affair. */

import { byId, icon, setAttribute, setText } from "./dom.js";
import { Meter } from "./meters.js";
import { makeSign, drawSign } from "./signs.js";
import { t } from "./words.js";

/**
 * @typedef {"join" | "listen" | "listening" | "connecting" | "reconnecting" | "muted" | "live" | "held" | "adminMuted" |
 *   "asked" | "none" | "blocked"} Own
 */

/** @type {Readonly<Record<Own, {picture: string, first: string, second: string, inert?: boolean}>>} */
const LOOKS = Object.freeze({
  join: { picture: "listen", first: "own.join", second: "own.join2" },
  listen: { picture: "listen", first: "own.listen", second: "own.listen2" },
  listening: { picture: "listen", first: "own.listening", second: "own.listen2", inert: true },
  connecting: { picture: "", first: "own.connecting", second: "own.connecting2", inert: true },
  reconnecting: { picture: "", first: "own.reconnecting", second: "own.reconnecting2", inert: true },
  muted: { picture: "mic-off", first: "own.muted", second: "own.muted2" },
  live: { picture: "mic", first: "own.live", second: "own.live2" },
  held: { picture: "mic", first: "own.live", second: "own.held2" },
  adminMuted: { picture: "hand", first: "own.adminMuted", second: "own.adminMuted2" },
  asked: { picture: "hand", first: "own.asked", second: "own.asked2" },
  none: { picture: "mic-off", first: "own.none", second: "own.none2" },
  blocked: { picture: "mic-off", first: "own.blocked", second: "own.blocked2" },
});

const touch = matchMedia("(pointer: coarse)");

export class OwnKey {
  #dock = byId("dock");
  #key = byId("own");
  #icon = byId("own-icon");
  #first = byId("own-first");
  #second = byId("own-second");
  #meter = new Meter(byId("own-meter"), 10);
  /** @type {Own | null} */
  #shown = null;

  /** @param {Own} state */
  show(state) {
    const look = LOOKS[state];
    if (state !== this.#shown) this.#picture(look.picture);
    this.#shown = state;
    setAttribute(this.#dock, "data-own", state);
    setText(this.#first, t(look.first));
    setText(this.#second, t(state === "muted" && touch.matches ? "own.muted2touch" : look.second));
    setAttribute(this.#key, "aria-disabled", look.inert ? "true" : null);
  }

  /**
   * The own level, while live.
   * @param {number} level dBov
   * @param {number} now
   */
  level(level, now) {
    this.#meter.show(level, now);
  }

  /** @param {string} picture "" is the ring of 12 in which one segment walks */
  #picture(picture) {
    if (picture) {
      this.#icon.replaceChildren(icon(picture));
      return;
    }
    const ring = makeSign();
    drawSign(ring, null);
    ring.setAttribute("data-state", "connecting");
    this.#icon.replaceChildren(ring);
  }
}
