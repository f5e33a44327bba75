/** The bar: three places that never move, with sign, name, state, level, scale and last minute of whoever stands there. */

import { byId, h, setAttribute, setText } from "./dom.js";
import { Meter } from "./meters.js";
import { drawSign, makeSign } from "./signs.js";
import { signState, stateOf } from "./states.js";
import { t } from "./words.js";

const CELLS = 20;

class Place {
  #sign = makeSign();
  #name = h("bdi", { class: "name line" });
  #state = h("span", { class: "second line" });
  #bar = h("span", { class: "meter", "aria-hidden": "true" });
  #cells = Array.from({ length: CELLS }, () => h("i"));
  #minuteAgo = h("span");
  #now = h("span");
  #decibel = h("span");
  #meter = new Meter(this.#bar);
  #shown = "";
  #bits = 0;

  node = h(
    "li",
    { class: "slot" },
    this.#sign,
    h("div", {}, this.#name, this.#state),
    h(
      "div",
      { class: "scale", "aria-hidden": "true" },
      this.#bar,
      h("div", { class: "ticks" }, h("span", {}, "−60"), h("span", {}, "−40"), h("span", {}, "−20"), this.#decibel),
      h("div", { class: "cells" }, ...this.#cells),
      h("div", { class: "ticks" }, this.#minuteAgo, this.#now),
    ),
  );

  words() {
    setText(this.#minuteAgo, t("minuteAgo"));
    setText(this.#now, t("now"));
    setText(this.#decibel, t("decibel"));
    this.#cells[0].parentElement?.setAttribute("title", t("minute"));
  }

  /**
   * @param {import("./model.js").Model} model
   * @param {import("./model.js").Member | undefined} member
   * @param {string} nobody what stands in an empty place
   * @param {number} now
   */
  show(model, member, nobody, now) {
    if (this.#shown !== (member?.id ?? "")) this.#meter.clear();
    this.#shown = member?.id ?? "";
    drawSign(this.#sign, member ?? null);
    setAttribute(this.#sign, "data-state", member ? signState(member, model) : null);
    setAttribute(this.node, "data-hue", member ? member.sign.hue : null);
    setText(this.#name, member?.name ?? "");
    setText(this.#state, member ? this.#words(model, member, now) : nobody);
    this.#minute(member ? model.minute(member.id) : 0);
  }

  /**
   * @param {import("./model.js").Model} model
   * @param {number} now
   */
  level(model, now) {
    this.#meter.show(model.level(this.#shown), now);
  }

  /**
   * @param {import("./model.js").Model} model
   * @param {import("./model.js").Member} member
   * @param {number} now
   */
  #words(model, member, now) {
    const state = stateOf(member, model);
    const ago = state === "listening" ? model.spokeAgo(member.id, now) : null;
    return ago === null ? t(`state.${state}`) : t("state.spoke", { n: ago });
  }

  /** @param {number} bits */
  #minute(bits) {
    if (bits === this.#bits) return;
    this.#bits = bits;
    for (const [n, cell] of this.#cells.entries()) cell.classList.toggle("on", ((bits >> (CELLS - 1 - n)) & 1) === 1);
  }
}

export class Bar {
  #places = [new Place(), new Place(), new Place()];

  constructor() {
    byId("bar").append(...this.#places.map((place) => place.node));
  }

  words() {
    for (const place of this.#places) place.words();
  }

  /**
   * @param {import("./model.js").Model} model
   * @param {number} now
   */
  show(model, now) {
    const empty = model.places.every((id) => id === null);
    for (const [n, place] of this.#places.entries()) {
      const id = model.places[n];
      place.show(model, id ? model.members.get(id) : undefined, empty && n === 0 && model.welcomed ? t("nobodySpeaks") : "", now);
    }
  }

  /**
   * @param {import("./model.js").Model} model
   * @param {number} now
   */
  levels(model, now) {
    for (const place of this.#places) place.level(model, now);
  }
}
