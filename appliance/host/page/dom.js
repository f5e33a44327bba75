/** Making and changing elements. Nothing here writes a style attribute: the page's CSP forbids it. */

import { t } from "./words.js";

const SVG = "http://www.w3.org/2000/svg";

/** @typedef {Record<string, string | number | boolean | ((event: any) => void)>} Attributes */

/**
 * An element of the page that must be there.
 * @param {string} id
 * @returns {any}
 */
export function byId(id) {
  const node = document.getElementById(id);
  if (!node) throw new Error(`no element #${id}`);
  return node;
}

/**
 * @param {Element} node
 * @param {Attributes} attributes `onclick` and the like take a function, `true` an empty attribute, `false` none
 */
function dress(node, attributes) {
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") node.addEventListener(name.slice(2), value);
    else if (value === true) node.setAttribute(name, "");
    else if (value !== false) node.setAttribute(name, String(value));
  }
}

/**
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} tag
 * @param {Attributes} [attributes]
 * @param {...(Node | string)} children
 * @returns {HTMLElementTagNameMap[K]}
 */
export function h(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  dress(node, attributes);
  node.append(...children);
  return node;
}

/**
 * @param {string} tag
 * @param {Attributes} [attributes]
 * @param {...(Node | string)} children
 * @returns {SVGElement}
 */
export function svg(tag, attributes = {}, ...children) {
  const node = /** @type {SVGElement} */ (document.createElementNS(SVG, tag));
  dress(node, attributes);
  node.append(...children);
  return node;
}

/**
 * A picture of the sprite; it says nothing to readers, a word stands beside it.
 * @param {string} name
 */
export function icon(name) {
  return svg("svg", { class: "icon", "aria-hidden": "true" }, svg("use", { href: `/page/icons.svg#${name}` }));
}

/**
 * Change a text only if it is another one: no work and no announcement otherwise.
 * @param {Element} node
 * @param {string} text
 */
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/**
 * Set an attribute, or take it away with `null`, only if that changes something.
 * @param {Element} node
 * @param {string} name
 * @param {string | number | null} value
 */
export function setAttribute(node, name, value) {
  if (value === null) node.removeAttribute(name);
  else if (node.getAttribute(name) !== String(value)) node.setAttribute(name, String(value));
}

/**
 * A key that shows only a picture, named by its words.
 * @param {HTMLElement} button
 * @param {string} picture
 * @param {string} name
 */
export function pictureKey(button, picture, name) {
  button.replaceChildren(icon(picture));
  button.setAttribute("aria-label", name);
  button.title = name;
}

/**
 * A switch of a sheet: a check box with its words, as high as a finger.
 * @param {string} word
 * @param {boolean} on
 * @param {(on: boolean) => void} change
 */
export function checkField(word, on, change) {
  const box = h("input", { type: "checkbox", onchange: () => change(box.checked) });
  box.checked = on;
  return h("label", { class: "field" }, h("span", {}, t(word)), box);
}

/**
 * A volume of 0 to 200 %.
 * @param {string} word
 * @param {number} gain 1 is 100 %
 * @param {(gain: number) => void} change
 */
export function volumeField(word, gain, change) {
  const output = h("output", { "aria-hidden": "true" }, t("menu.percent", { n: Math.round(gain * 100) }));
  const range = h("input", { type: "range", min: 0, max: 200, step: 5, value: Math.round(gain * 100), "aria-label": t(word) });
  range.setAttribute("aria-valuetext", output.value);
  range.addEventListener("input", () => {
    output.value = t("menu.percent", { n: range.value });
    range.setAttribute("aria-valuetext", output.value);
    change(Number(range.value) / 100);
  });
  return h("div", { class: "stack" }, h("span", { class: "field" }, h("span", {}, t(word)), output), range);
}
