/** The front of the device as it stands in the room: ring of 12, holes, four lamps, mute switch. */

import { h, setAttribute, setText, svg } from "./dom.js";
import { LAMPS, LampView } from "./lamps.js";
import { LEDS, leds, point, sector } from "./signs.js";
import { t } from "./words.js";

/** @typedef {import("./model.js").Model} Model */

const CENTRE = { x: 123, y: 120 };
const HOLES = [[0, 1], [12.5, 6], [25, 12], [37.5, 18]];

/** @returns {string} the loudspeaker's holes */
function holes() {
  const at = HOLES.flatMap(([radius, n]) => [...Array(n).keys()].map((k) => point((k * 360) / n, radius, 0).split(" ")));
  return at.map(([x, y]) => `M${(Number(x) - 2.7).toFixed(1)} ${y}a2.7 2.7 0 1 0 5.4 0a2.7 2.7 0 1 0-5.4 0`).join("");
}

/** The ring: an LED stays with whoever lit it first until they have been quiet for 1.5 s (the host holds that long). */
class Ring {
  #leds = [...Array(LEDS).keys()].map((led) => svg("path", { class: "off", d: sector(led, 78, 94, 0, 4) }));
  #initials = [0, 1, 2].map(() => svg("text"));
  /** @type {Array<string | null>} */
  #owners = Array(LEDS).fill(null);
  node = svg(
    "svg",
    { class: "ring", viewBox: "0 0 246 234", "aria-hidden": "true" },
    svg("g", { transform: `translate(${CENTRE.x} ${CENTRE.y})` }, ...this.#leds, svg("path", { class: "hole", d: holes() }), ...this.#initials),
  );

  /** @param {Model} model */
  show(model) {
    const speakers = [...model.speaking].slice(0, 3).flatMap((id) => model.members.get(id) ?? []);
    this.#owners = this.#owners.map((id) => (id && speakers.some((m) => m.id === id) ? id : null));
    for (const member of speakers) {
      for (const led of leds(member.sign)) this.#owners[led] ??= member.id;
    }
    for (const [led, node] of this.#leds.entries()) {
      const owner = model.members.get(this.#owners[led] ?? "");
      setAttribute(node, "class", owner ? "led" : "off");
      setAttribute(node, "data-hue", owner ? owner.sign.hue : null);
    }
    for (const [n, node] of this.#initials.entries()) this.#label(node, speakers[n]);
  }

  /**
   * @param {SVGElement} node
   * @param {import("./model.js").Member | undefined} member
   */
  #label(node, member) {
    setText(node, member?.initials ?? "");
    if (!member) return;
    const lit = leds(member.sign);
    const span = (lit[lit.length - 1] - lit[0] + LEDS) % LEDS;
    const [x, y] = point((member.sign.place + span / 2) * 30, 61.5, 0).split(" ");
    setAttribute(node, "x", x);
    setAttribute(node, "y", y);
  }
}

/**
 * @typedef {object} Panel the demo's way to the device: what a hand would do there
 * @property {(closed: boolean) => void} turn the mute switch
 * @property {(key: "door" | "knock") => void} press
 */

export class Faceplate {
  #ring = new Ring();
  #lamps = LAMPS.map(([name, colour]) => ({ name, view: new LampView(name, colour, "lens") }));
  #open = h("span", {}, "OPEN");
  #mute = h("span", {}, "MUTE");
  #switch;
  #keys;
  #closed = false;
  node;

  /** @param {Panel | null} panel null: the switch is a picture */
  constructor(panel) {
    this.#switch = panel
      ? h("button", { class: "switch", type: "button", role: "switch", onclick: () => panel.turn(!this.#closed) })
      : h("span", { class: "switch", "aria-hidden": "true" });
    for (const word of [this.#open, this.#mute]) word.setAttribute("aria-hidden", "true");
    this.#keys = panel ? faceKeys(panel) : [];
    this.node = h(
      "div",
      { class: "plate" },
      h(
        "div",
        { class: "face" },
        this.#ring.node,
        h("div", { class: "lenses" }, ...this.#lamps.map(({ view }) => view.node)),
        h("div", { class: "switches" }, this.#open, this.#switch, this.#mute),
        ...(panel ? [h("div", { class: "face-keys" }, ...this.#keys)] : []),
      ),
    );
  }

  words() {
    if (!this.#keys.length) return;
    this.#switch.setAttribute("aria-label", t("device.switch"));
    this.#keys[0].setAttribute("aria-label", t("device.door"));
    this.#keys[1].setAttribute("aria-label", t("device.knock"));
  }

  /**
   * @param {Record<string, import("./lamps.js").Lit>} lamps
   * @param {boolean} closed where the switch stands
   * @param {Model} model
   */
  show(lamps, closed, model) {
    this.#closed = closed;
    this.#ring.show(model);
    for (const { name, view } of this.#lamps) view.show(lamps[name]);
    setAttribute(this.#switch, "data-closed", String(closed));
    if (this.#keys.length) setAttribute(this.#switch, "aria-checked", String(closed));
    this.#open.classList.toggle("on", !closed);
    this.#mute.classList.toggle("on", closed);
  }
}

/** @param {Panel} panel */
function faceKeys(panel) {
  return [
    h("button", { type: "button", onclick: () => panel.press("door") }, "DOOR"),
    h("button", { type: "button", onclick: () => panel.press("knock") }, "KNOCK"),
  ];
}
