/** The four lamps of a device: how each is lit, and what that means in words. */

import { h, setAttribute, setText } from "./dom.js";
import { t } from "./words.js";

/** @typedef {"off" | "steady" | "slow" | "fast"} Lit */
/** @typedef {"mic" | "room" | "speak" | "fault"} Name */
/** @typedef {import("./model.js").Model} Model */

/** @type {ReadonlyArray<readonly [Name, string]>} */
export const LAMPS = Object.freeze([
  ["mic", "red"],
  ["room", "green"],
  ["speak", "white"],
  ["fault", "amber"],
]);

/** A lamp with its printed name, drawn in several places. */
export class LampView {
  #lamp;
  node;

  /**
   * @param {Name} name
   * @param {string} colour
   * @param {string} className
   */
  constructor(name, colour, className) {
    this.#lamp = h("span", { class: "lamp", "data-lamp": "off", "data-colour": colour });
    this.node = h("span", { class: className, "aria-hidden": "true" }, this.#lamp, h("span", {}, name.toUpperCase()));
  }

  /** @param {Lit} lit */
  show(lit) {
    setAttribute(this.#lamp, "data-lamp", lit);
    setAttribute(this.node, "data-lit", String(lit !== "off"));
  }
}

/**
 * @param {string[]} reasons as the host names them
 * @returns {string[]} in words; a reason that is not known is shown as it came
 */
export function reasonWords(reasons) {
  return reasons.map((reason) => {
    try {
      return t(`reason.${reason}`);
    } catch {
      return reason;
    }
  });
}

/** @param {Lit} lit @param {string} meaning */
const sentence = (lit, meaning) => `${t(`lamp.${lit}`)}. ${meaning}`;

/**
 * @param {{lamps: Record<Name, Lit>, reasons: string[], gate: string, limited?: string}} site
 * @param {Model} model
 * @returns {Record<Name, string>} what each lamp says
 */
export function lampWords(site, model) {
  const { mic, room, fault } = site.lamps;
  return {
    mic: sentence(mic, micWords(site)),
    room: sentence(room, t({ off: "lamp.roomOut", steady: "lamp.roomIn", slow: "lamp.roomConnecting", fast: "lamp.roomRefused" }[room])),
    speak: speakWords(model),
    fault: sentence(fault, faultWords(fault, site.limited)),
  };
}

/** @param {{lamps: Record<Name, Lit>, reasons: string[], gate: string}} site */
function micWords(site) {
  if (site.gate === "open") return t("lamp.micOpen");
  if (site.lamps.mic === "fast" || !site.reasons.length) return t("lamp.micFault");
  return t("lamp.micClosed", { reasons: reasonWords(site.reasons).join(", ") });
}

/** @param {Model} model */
function speakWords(model) {
  const speakers = [...model.speaking].map((id) => model.members.get(id)?.name ?? "").filter(Boolean);
  const hands = model.here().filter((m) => m.hand).map((m) => m.name);
  const first = speakers.length ? `${speakers.slice(0, 3).join(", ")}.` : `${t("nobodySpeaks")}.`;
  return hands.length ? `${first}\n${t("lamp.hand", { name: hands.slice(0, 2).join(", ") })}` : first;
}

/** @param {Lit} lit @param {string} [what] */
function faultWords(lit, what) {
  if (lit === "slow") return what ? t("lamp.limited", { what }) : t("lamp.limitedOnly");
  return t({ off: "lamp.healthy", steady: "lamp.stopped", fast: "lamp.person" }[lit]);
}

/** The lamps as a list of words: name and meaning. */
export class LampList {
  #words = /** @type {Record<Name, HTMLElement>} */ ({});
  node = h("dl");

  constructor() {
    for (const [name] of LAMPS) {
      this.#words[name] = h("dd", { class: name === "speak" ? "two" : "one-line" });
      this.node.append(h("dt", {}, name.toUpperCase()), this.#words[name]);
    }
  }

  /** @param {Record<Name, string>} words */
  show(words) {
    for (const [name] of LAMPS) setText(this.#words[name], words[name]);
  }
}
