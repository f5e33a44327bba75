/** Parts of forms that several dialogs have. */

import { h, setAttribute } from "./dom.js";
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

/** A check box with its words. @param {string} word @param {boolean} on @param {(on: boolean) => void} change */
export function checkField(word, on, change) {
	const box = h("input", { type: "checkbox", onchange: () => change(box.checked) });
	box.checked = on;
	return h("label", { class: "field" }, h("span", {}, t(word)), box);
}

/** A volume of 0 to 200 %. @param {string} word @param {number} gain 1 is 100 % @param {(gain: number) => void} change */
export function volumeField(word, gain, change) {
	const output = h("output", { "aria-hidden": true });
	const range = h("input", { type: "range", min: 0, max: 200, step: 5, value: Math.round(gain * 100), "aria-label": t(word) });
	const show = () => {
		output.value = `${range.value} %`;
		range.setAttribute("aria-valuetext", output.value);
	};
	range.oninput = () => {
		show();
		change(Number(range.value) / 100);
	};
	show();
	return h("div", {}, h("div", { class: "field" }, h("span", {}, t(word)), output), range);
}

/**
 * A key takes no presses while the host is asked. It is not disabled: one that is loses the focus.
 * @param {HTMLElement} key @param {boolean} on @returns {boolean} whether it waits already
 */
export function waits(key, on) {
	const already = key.hasAttribute("aria-disabled");
	setAttribute(key, "aria-disabled", on ? "true" : null);
	return already;
}
