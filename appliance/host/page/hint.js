/** "You are muted": shown when the closed microphone hears its owner. The level is measured here and goes nowhere. */

import { byId, h } from "./dom.js";
import { Meter } from "./meters.js";
import { say } from "./say.js";
import { t } from "./words.js";

const ON = -50;
const OFF = -56;
const TALKED = 600;
const GAP = 400;
const QUIET = 3000;
const SAID = 10_000;

/** Decides when to hint; pure. */
export class Talking {
  #began = 0;
  #heard = -Infinity;
  shown = false;

  /**
   * @param {number} level dBov
   * @param {number} now milliseconds
   * @returns {boolean} whether the hint is to be shown
   */
  update(level, now) {
    const going = now - this.#heard < GAP;
    if (level >= (going ? OFF : ON)) {
      if (!going) this.#began = now;
      this.#heard = now;
      if (now - this.#began >= TALKED) this.shown = true;
    }
    if (now - this.#heard >= QUIET) this.shown = false;
    return this.shown;
  }

  reset() {
    this.#heard = -Infinity;
    this.shown = false;
  }
}

export class Hint {
  #talking = new Talking();
  #title = h("b");
  #text = h("span", { class: "second" });
  #bar = h("span", { class: "meter hollow" });
  #meter = new Meter(this.#bar);
  #node = h("div", { class: "hint", "aria-hidden": "true" }, h("div", {}, this.#title, this.#text), this.#bar);
  #said = -Infinity;

  /**
   * @param {boolean} muted whether the own microphone is closed and the member is in the room
   * @param {number} level dBov
   * @param {number} now
   */
  update(muted, level, now) {
    if (!muted) this.#talking.reset();
    const shown = muted && this.#talking.update(level, now);
    if (!shown) {
      this.#node.remove();
      return;
    }
    if (!this.#node.isConnected) this.#begin(now);
    this.#meter.show(level, now);
  }

  /** @param {number} now */
  #begin(now) {
    this.#title.textContent = t("hint.title");
    this.#text.textContent = t("hint.text");
    byId("over").prepend(this.#node);
    if (now - this.#said < SAID) return;
    this.#said = now;
    say(`${t("hint.title")}. ${t("hint.text")}`);
  }
}
