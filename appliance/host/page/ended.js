/** When the room cannot be shown: one sentence, what to do, one key. No names and no levels. */

import { byId, h, setText } from "./dom.js";
import { say } from "./say.js";
import { t } from "./words.js";

const root = document.documentElement;

export class Ended {
  #section = byId("end");
  #again;
  #why = "";

  /** @param {(why: string) => void} again */
  constructor(again) {
    this.#again = again;
  }

  /** @param {string} why "expired", "invalid", "noRoom" or "elsewhere" */
  begin(why) {
    this.#why = why;
    root.toggleAttribute("data-ended", true);
    this.#section.hidden = false;
    this.show();
    say(this.#section.querySelector("b")?.textContent ?? "", "alert");
  }

  end() {
    root.toggleAttribute("data-ended", false);
    this.#section.hidden = true;
    this.#why = "";
  }

  /** @returns {boolean} */
  get shown() {
    return this.#why !== "";
  }

  show() {
    if (!this.shown) return;
    const key = t(this.#why === "elsewhere" ? "end.take" : "end.again");
    this.#section.replaceChildren(
      h("b", {}, t(`end.${this.#why}`)),
      h("p", { class: "second" }, t(`end.${this.#why}2`)),
      h("button", { class: "key", type: "button", onclick: () => this.#again(this.#why) }, key),
    );
    setText(byId("title"), t("brand"));
  }
}
