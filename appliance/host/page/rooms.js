/** The list of rooms. A link opens one room, so there is one so far; more come with the overview. */

import { byId, h, setAttribute, setText } from "./dom.js";
import { Meter } from "./meters.js";
import { t } from "./words.js";

export class Rooms {
  #list = byId("room-list");
  #nav = byId("rooms");
  #button = byId("rooms-button");
  #name = h("span", { class: "name" });
  #count = h("span", { class: "n" });
  #bar = h("span", { class: "meter five", "aria-hidden": "true" });
  #meter = new Meter(this.#bar, 5);
  #link = h("a", { class: "room", "aria-current": "page" }, this.#name, this.#bar, this.#count);

  constructor() {
    this.#list.append(h("li", {}, this.#link));
    this.#button.onclick = () => this.#open(!this.#nav.hasAttribute("data-open"));
  }

  /**
   * @param {string} title
   * @param {number} count
   */
  show(title, count) {
    setText(this.#name, title);
    setText(this.#count, count ? String(count) : "");
    setAttribute(this.#link, "aria-label", `${title}, ${count ? t("here", { n: count }) : t("empty")}`);
  }

  /**
   * @param {number} loudest dBov
   * @param {number} now
   */
  level(loudest, now) {
    this.#meter.show(loudest, now);
  }

  /** Go to the n-th room, without joining it. @param {number} n from 1 */
  go(n) {
    if (n === 1) byId("title").focus();
  }

  /** @returns {boolean} whether the list was open over the page */
  close() {
    const open = this.#nav.hasAttribute("data-open");
    this.#open(false);
    return open;
  }

  /** @param {boolean} open */
  #open(open) {
    this.#nav.toggleAttribute("data-open", open);
    setAttribute(this.#button, "aria-expanded", String(open));
  }
}
