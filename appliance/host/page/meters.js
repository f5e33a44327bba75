/**
 * Levels as lit segments. A meter jumps by whole segments, at most 15 times a second; the highest segment of the last
 * 1.5 s stays lit. Standing still, it has five steps and changes at most twice a second.
 */

import { setAttribute } from "./dom.js";
import { isStill } from "./prefs.js";

export const FLOOR = -60;
const HOLD = 1500;

/**
 * @param {number} level dBov
 * @param {number} segments on the way from −60 to 0 dBov
 * @param {boolean} still in five steps of 12 dB
 * @returns {number} how many are lit
 */
export function segments(level, segments, still = false) {
  const part = Math.min(1, Math.max(0, 1 - level / FLOOR));
  return still ? (Math.round(part * 5) * segments) / 5 : Math.round(part * segments);
}

export class Meter {
  #node;
  #segments;
  /** @type {Array<{at: number, n: number}>} falling in n, rising in time: the first is the peak */
  #peaks = [];

  /**
   * @param {Element} node
   * @param {number} [count] segments
   */
  constructor(node, count = 20) {
    this.#node = node;
    this.#segments = count;
  }

  /**
   * @param {number} level dBov
   * @param {number} now milliseconds
   */
  show(level, now) {
    const n = segments(level, this.#segments, isStill());
    while (this.#peaks.length && /** @type {any} */ (this.#peaks.at(-1)).n <= n) this.#peaks.pop();
    this.#peaks.push({ at: now, n });
    while (now - this.#peaks[0].at > HOLD) this.#peaks.shift();
    setAttribute(this.#node, "data-n", n);
    setAttribute(this.#node, "data-p", this.#peaks[0].n);
  }

  /** Another member stands here now: its peak is not the old one's. */
  clear() {
    this.#peaks = [];
  }
}

/**
 * Call at the meters' pace while the page is visible.
 * @param {(now: number) => void} draw
 */
export function pace(draw) {
  let last = 0;
  setInterval(() => {
    const now = performance.now();
    if (document.hidden || now - last < (isStill() ? 490 : 60)) return;
    last = now;
    draw(now);
  }, 67);
}
