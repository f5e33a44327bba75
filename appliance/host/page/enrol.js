/** A new device comes into the room: one that asks is let in, or a file for its card is made. For admins. */

import { ask, sentence, shortly } from "./ask.js";
import { h, setText } from "./dom.js";
import { textField } from "./fields.js";
import { isolated, t, timeWords } from "./words.js";

/** A text as TOML writes it: JSON's escapes are TOML's, but for DEL, which JSON leaves as it is. @param {string} text */
const quoted = (text) => JSON.stringify(text).replaceAll("\x7f", "\\u007f");

/** What tells a device of a Wi-Fi network. The host is not told of it. @param {string} ssid @param {string} password */
function wifi(ssid, password) {
	const secret = password ? `password = ${quoted(password)}` : 'security = "open"';
	return ssid && `\n[[network.wifi]]\nssid = ${quoted(ssid)}\n${secret}\n`;
}

/** @param {string} text @param {string} name of the file */
function download(text, name) {
	const url = URL.createObjectURL(new Blob([text], { type: "application/toml" }));
	h("a", { href: url, download: name }).click();
	setTimeout(() => URL.revokeObjectURL(url), 60_000);
}

/** Open the dialog for the room that `house` is about, or for another one. @param {House} house @param {import("./ask.js").Place} [place] */
export function openEnrol(house, place = house) {
	new Enrol(house, place).open();
}

class Enrol {
	#house;
	#place;
	#body = h("div", { class: "admin" });

	/** @param {House} house @param {import("./ask.js").Place} place */
	constructor(house, place) {
		this.#house = house;
		this.#place = place;
	}

	async open() {
		const asking = h("section", { class: "admin", hidden: "" });
		await shortly(this.#look(asking));
		this.#house.sheet(t("enrol"), [this.#body, asking]);
		this.#form();
	}

	/** Who asks to be let in stands below the form. @param {HTMLElement} section */
	async #look(section) {
		const { asking } = await ask(this.#place, "devices").catch(() => ({ asking: [] }));
		if (!asking.length) return;
		const rows = asking.map((/** @type {any} */ device) => this.#row(device));
		const title = h("h3", { class: "label" }, t("enrol.asking"));
		section.append(title, h("ul", {}, ...rows), h("p", { class: "second" }, t("enrol.compare")));
		section.hidden = false;
	}

	/** @param {{id: string, name: string, key: string, replaces: boolean}} device */
	#row(device) {
		const words = h("div", {}, h("bdi", { class: "line" }, device.name), h("code", {}, device.key));
		if (device.replaces) words.append(h("span", { class: "second" }, t("enrol.replaces", { id: device.id })));
		const key = h("button", { class: "key", type: "button" }, t("enrol.letIn"));
		key.onclick = () => this.#letIn(device, key);
		return h("li", { class: "field" }, words, key);
	}

	/** @param {{id: string, name: string, key: string}} device @param {HTMLButtonElement} key */
	async #letIn(device, key) {
		key.disabled = true;
		const words = await ask(this.#place, `devices/${encodeURIComponent(device.id)}/admit`, { key: device.key }).then(
			() => t("enrol.comes", { name: isolated(device.name) }),
			sentence,
		);
		const said = h("span", { class: "second", tabindex: -1 }, words);
		key.replaceWith(said);
		said.focus();
		this.#house.say(words);
	}

	#form() {
		const name = textField("enrol.name", { required: "", maxlength: 64 });
		const ssid = textField("enrol.wifi", { maxlength: 32 });
		const password = textField("enrol.password", { type: "password", maxlength: 63, autocomplete: "new-password" });
		const wrong = h("p", { class: "wrong", role: "alert" });
		const make = h("button", { class: "key" }, t("enrol.make"));
		const form = h("form", {}, name.node, ssid.node, password.node, h("p", { class: "second" }, t("enrol.stays")), wrong, make);
		form.onsubmit = async (event) => {
			event.preventDefault();
			make.disabled = true;
			const wanted = name.input.value.trim();
			try {
				const made = await ask(this.#place, "devices", { name: wanted, url: location.origin });
				this.#done(made, wanted, made.toml + wifi(ssid.input.value, password.input.value));
			} catch (error) {
				setText(wrong, sentence(error));
				make.disabled = false;
			}
		};
		this.#body.replaceChildren(form);
		name.input.focus();
	}

	/** @param {{id: string, expires: number}} made @param {string} name @param {string} text of the file */
	#done(made, name, text) {
		const save = () => download(text, "kontor.toml");
		const words = h("b", {}, t("enrol.made", { name: isolated(name) }));
		const then = h("p", {}, t("enrol.then", { time: timeWords(made.expires, this.#house.time()) }));
		const again = h("button", { class: "key", type: "button", onclick: save }, t("enrol.again"));
		const another = h("button", { class: "key", type: "button", onclick: () => this.#form() }, t("enrol.another"));
		this.#body.replaceChildren(words, then, h("div", { class: "choices" }, again, another));
		again.focus();
		this.#house.say(words.textContent ?? "");
		save();
	}
}
