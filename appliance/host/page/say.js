/** What the page says: to screen readers, in one toast at a time, and in a notice that stays while its reason does. */

import { byId, h, icon } from "./dom.js";
import { t } from "./words.js";

const TOAST = 6000;
const over = byId("over");
const lines = { status: byId("status"), alert: byId("alert") };

/**
 * Say a sentence to screen readers. The same sentence again is said again.
 * @param {string} text
 * @param {"status" | "alert"} [how]
 */
export function say(text, how = "status") {
  lines[how].replaceChildren(h("span", {}, text));
}

/** @type {{node: HTMLElement, end: () => void} | null} */
let toastNow = null;

/**
 * Show a toast for 6 s, longer while it is hovered or focused; a newer one takes its place.
 * @param {string} text
 * @param {string} picture
 */
export function toast(text, picture) {
  toastNow?.end();
  const close = h("button", { class: "bare", type: "button", "aria-label": t("close") }, icon("close"));
  const node = h("div", { class: "toast" }, icon(picture), h("span", {}, text), close);
  let timer = 0;
  const end = () => {
    clearTimeout(timer);
    node.remove();
    if (toastNow?.node === node) toastNow = null;
  };
  const arm = () => {
    clearTimeout(timer);
    timer = setTimeout(() => (node.matches(":hover, :focus-within") ? arm() : end()), TOAST);
  };
  close.onclick = end;
  node.onmouseleave = arm;
  toastNow = { node, end };
  over.append(node);
  arm();
}

/** @returns {boolean} whether there was a toast to close */
export function closeToast() {
  const there = toastNow !== null;
  toastNow?.end();
  return there;
}

/** @type {HTMLElement | null} */
let noticeNow = null;

/**
 * Show a notice above the dock until it is taken away with `null`. It is said once, changes of its second line are not.
 * @param {{first: string, second: string, key?: {word: string, press: () => void}} | null} what
 */
export function notice(what) {
  if (!what) {
    noticeNow?.remove();
    noticeNow = null;
    return;
  }
  const same = noticeNow?.querySelector("b")?.textContent === what.first;
  if (same) {
    const second = noticeNow?.querySelector(".second");
    if (second) second.textContent = what.second;
    return;
  }
  noticeNow?.remove();
  const words = h("div", {}, h("b", {}, what.first), h("span", { class: "second" }, what.second));
  noticeNow = h("div", { class: "notice" }, icon("warn"), words);
  if (what.key) noticeNow.append(h("button", { class: "key", type: "button", onclick: what.key.press }, what.key.word));
  over.append(noticeNow);
  say(`${what.first} ${what.second}`, "alert");
}
