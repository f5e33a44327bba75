/** Parts of forms that several dialogs have. */

import { h } from "./dom.js";
import { t } from "./words.js";

/** A line of text with its word above it. @param {string} word @param {Record<string, any>} attributes of the input */
export function textField(word, attributes) {
	const input = h("input", { class: "text", autocomplete: "off", ...attributes });
	return { input, node: h("label", { class: "entry" }, h("span", {}, t(word)), input) };
}

/**
 * One of a few choices.
 * @template {string} V
 * @param {string} word @param {ReadonlyArray<readonly [V, string]>} choices value and text @param {V} chosen
 * @param {(value: V) => void} change
 */
export function choice(word, choices, chosen, change) {
	const labels = choices.map(([value, text]) => {
		const radio = h("input", { type: "radio", name: word, onchange: () => change(value) });
		radio.checked = value === chosen;
		return h("label", {}, radio, text);
	});
	return h("fieldset", {}, h("legend", { class: "label" }, t(word)), h("div", { class: "choices" }, ...labels));
}
