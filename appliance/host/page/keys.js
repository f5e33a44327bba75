/**
 * The keyboard: single letters, space held to talk, Esc. Inert in text fields; space also on every control but the own key.
 * Leaving has no single key.
 */

import { byId } from "./dom.js";
import { prefs } from "./prefs.js";

const TEXT = "input:not([type=checkbox], [type=radio], [type=range], [type=button]), textarea, select, [contenteditable]";
const CONTROL = "button, a[href], input, select, textarea, summary, [role=switch], [contenteditable]";
/** A touch or mouse press this long on the own key is holding it, not pressing it. */
const LONG = 350;

/**
 * @typedef {object} Actions
 * @property {() => void} press the own key
 * @property {() => boolean} hold
 * @property {(atOnce?: boolean) => void} release
 * @property {Record<string, () => void>} letters by the key's lower-case name; "?" too
 * @property {(n: number) => void} room go to the n-th room, from 1
 * @property {() => void} close what is open
 */

/** @param {Actions} actions */
export function listen(actions) {
  listenToKeyboard(actions);
  listenToOwnKey(actions);
  addEventListener("blur", () => actions.release(true));
  document.addEventListener("visibilitychange", () => document.hidden && actions.release(true));
}

/** @param {Actions} actions */
function listenToKeyboard(actions) {
  const own = byId("own");
  /** @param {EventTarget | null} target */
  const holds = (target) => target === own || !(target instanceof Element && target.closest(CONTROL));
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    if (event.key === " " && holds(event.target)) {
      event.preventDefault();
      if (!event.repeat) actions.hold();
    } else if (event.key === "Enter" && event.target === own && event.repeat) {
      event.preventDefault(); // one press, one change
    } else if (event.key === "Escape") {
      actions.close();
    } else if (!event.repeat && prefs.letters && !inText(event.target)) {
      letter(event.key.toLowerCase(), actions);
    }
  });
  document.addEventListener("keyup", (event) => {
    if (event.key !== " ") return;
    if (holds(event.target)) event.preventDefault();
    actions.release();
  });
}

/** @param {EventTarget | null} target */
function inText(target) {
  return target instanceof Element && target.closest(TEXT) !== null;
}

/**
 * @param {string} key
 * @param {Actions} actions
 */
function letter(key, actions) {
  if (/^[1-9]$/.test(key)) actions.room(Number(key));
  else actions.letters[key]?.();
}

/**
 * The own key under a finger or the mouse: a short press toggles, a long one talks until it ends.
 * @param {Actions} actions
 */
function listenToOwnKey(actions) {
  const own = byId("own");
  let timer = 0;
  let held = false;
  own.addEventListener("pointerdown", () => {
    clearTimeout(timer);
    held = false;
    if (own.closest("[data-own]").getAttribute("data-own") !== "muted") return;
    timer = setTimeout(() => (held = actions.hold()), LONG);
  });
  const end = () => {
    clearTimeout(timer);
    if (held) actions.release();
  };
  for (const name of ["pointerup", "pointercancel", "pointerleave"]) own.addEventListener(name, end);
  own.addEventListener("contextmenu", (/** @type {Event} */ event) => event.preventDefault());
  own.addEventListener("click", () => {
    if (!held) actions.press();
    held = false;
  });
}
