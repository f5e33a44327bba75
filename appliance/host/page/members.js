/** The list of all who are here, one tile each, and a tile's menu. Sites first, then by name; never by activity. */

import { byId, checkField, h, icon, setAttribute, setText, volumeField } from "./dom.js";
import { drawSign, makeSign } from "./signs.js";
import { PICTURES, signState, stateOf } from "./states.js";
import { t } from "./words.js";

/** @typedef {import("./model.js").Member} Member */
/** @typedef {import("./model.js").Model} Model */

const MANY = 60;

class Tile {
  #sign = makeSign();
  #name = h("bdi");
  #you = h("span");
  #state = h("span", { class: "second line" });
  #picture = h("span");
  #shown = "";
  button;
  node;

  /** @param {() => void} open */
  constructor(open) {
    const name = h("span", { class: "line" }, this.#name, this.#you);
    const words = h("span", { class: "words" }, name, this.#state);
    this.button = h("button", { type: "button", "aria-haspopup": "dialog", "aria-expanded": "false", tabindex: -1, onclick: open }, this.#sign, words, this.#picture);
    this.node = h("li", { class: "tile" }, this.button);
  }

  /**
   * @param {Member} member
   * @param {Model} model
   * @param {boolean} mutedForMe
   */
  show(member, model, mutedForMe) {
    const state = mutedForMe ? "mutedForMe" : stateOf(member, model);
    drawSign(this.#sign, member);
    setAttribute(this.#sign, "data-state", signState(member, model));
    setText(this.#name, member.name);
    setText(this.#you, member.id === model.you?.id ? ` ${t("you")}` : "");
    setText(this.#state, t(`state.${state}`));
    const picture = /** @type {Record<string, string>} */ (PICTURES)[state] ?? "";
    if (picture !== this.#shown) this.#picture.replaceChildren(...(picture ? [icon(picture)] : []));
    this.#shown = picture;
  }
}

export class Members {
  #list = byId("members");
  #nobody = byId("nobody");
  /** @type {Map<string, Tile>} */
  #tiles = new Map();
  /** @type {Model} */
  #model;
  #volumes;
  #send;
  /** @type {HTMLElement | null} */
  #menu = null;
  #menuOf = "";

  /**
   * @param {Model} model
   * @param {import("./volumes.js").Volumes} volumes
   * @param {(message: object) => void} send to the host
   */
  constructor(model, volumes, send) {
    this.#model = model;
    this.#volumes = volumes;
    this.#send = send;
    this.#list.addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => this.#walk(event));
    this.#list.addEventListener("focusin", (/** @type {FocusEvent} */ event) => this.#rove(event.target));
    document.addEventListener("pointerdown", (event) => {
      if (this.#menu && !this.#menu.parentElement?.contains(/** @type {Node} */ (event.target))) this.closeMenu();
    });
  }

  /** Draw all anew from the model. */
  show() {
    const here = this.#model.here();
    for (const [id, tile] of this.#tiles) if (!here.some((m) => m.id === id)) this.#drop(id, tile);
    for (const [n, member] of here.entries()) {
      const tile = this.#tile(member.id);
      tile.show(member, this.#model, this.#volumes.of(member.id).muted);
      if (this.#list.children[n] !== tile.node) this.#list.insertBefore(tile.node, this.#list.children[n] ?? null);
    }
    this.#list.classList.toggle("many", here.length > MANY);
    if (!this.#list.querySelector('[tabindex="0"]')) this.#list.querySelector(".tile > button")?.setAttribute("tabindex", "0");
    this.#nobody.hidden = here.length > 0 || !this.#model.welcomed;
    setText(this.#nobody, t("nobody"));
  }

  /** @returns {boolean} whether there was a menu to close */
  closeMenu() {
    const menu = this.#menu;
    if (!menu) return false;
    const button = this.#tiles.get(this.#menuOf)?.button;
    this.#menu = null;
    this.#menuOf = "";
    button?.setAttribute("aria-expanded", "false");
    if (menu.contains(document.activeElement)) button?.focus();
    menu.remove();
    return true;
  }

  /** @param {string} id */
  #tile(id) {
    let tile = this.#tiles.get(id);
    if (!tile) {
      tile = new Tile(() => this.#toggleMenu(id));
      this.#tiles.set(id, tile);
    }
    return tile;
  }

  /** @param {string} id @param {Tile} tile */
  #drop(id, tile) {
    if (this.#menuOf === id) this.closeMenu();
    tile.node.remove();
    this.#tiles.delete(id);
  }

  /** @param {string} id */
  #toggleMenu(id) {
    const again = this.#menuOf === id;
    this.closeMenu();
    if (id === this.#model.you?.id) {
      byId("own").focus(); // what one can do about oneself is done there
      return;
    }
    const member = this.#model.members.get(id);
    if (again || !member) return;
    const tile = this.#tile(id);
    this.#menuOf = id;
    this.#menu = h("div", { class: "menu", role: "dialog", "aria-label": member.name }, ...this.#entries(member));
    tile.button.setAttribute("aria-expanded", "true");
    tile.node.append(this.#menu);
    this.#menu.scrollIntoView({ block: "nearest" });
    /** @type {HTMLElement | null} */ (this.#menu.querySelector("input, button"))?.focus();
  }

  /** @param {Member} member */
  #entries(member) {
    const { gain, muted } = this.#volumes.of(member.id);
    /** @type {HTMLElement[]} */
    const entries = [
      volumeField("menu.volume", gain, (wanted) => this.#volumes.set(member.id, { gain: wanted })),
      checkField("menu.muteForMe", muted, (wanted) => this.#volumes.set(member.id, { muted: wanted })),
    ];
    if (this.#model.you?.role === "admin" && member.kind === "person") {
      const word = member.admin_muted ? "menu.allow" : "menu.mute";
      const type = member.admin_muted ? "unmute" : "mute";
      entries.push(h("button", { class: "key", type: "button", onclick: () => this.#order(type, member.id) }, t(word)));
    }
    return entries;
  }

  /** @param {string} type @param {string} member */
  #order(type, member) {
    this.#send({ type, member });
    this.closeMenu();
  }

  /** One tile can be reached by Tab, the others by arrows. @param {EventTarget | null} target */
  #rove(target) {
    if (!(target instanceof HTMLElement) || !target.matches(".tile > button")) return;
    for (const tile of this.#tiles.values()) tile.button.tabIndex = tile.button === target ? 0 : -1;
  }

  /** @param {KeyboardEvent} event */
  #walk(event) {
    const buttons = [...this.#list.querySelectorAll(".tile > button")];
    const at = buttons.indexOf(/** @type {any} */ (document.activeElement));
    if (at < 0) return;
    const columns = getComputedStyle(this.#list).gridTemplateColumns.split(" ").length;
    const steps = /** @type {Record<string, number>} */ ({
      ArrowRight: 1,
      ArrowLeft: -1,
      ArrowDown: columns,
      ArrowUp: -columns,
      Home: -at,
      End: buttons.length - 1 - at,
    });
    if (!(event.key in steps)) return;
    event.preventDefault();
    /** @type {HTMLElement} */ (buttons[at + steps[event.key]])?.focus();
  }
}
