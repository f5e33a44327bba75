/** A new device comes into the room: one that asks is let in, or a file for its card is made. For admins. */

import { h } from "./dom.js";
import { say } from "./say.js";
import { sheet } from "./sheets.js";
import { t, timeWords } from "./words.js";

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

/** @param {string} word @param {Record<string, any>} attributes */
function textField(word, attributes) {
	const input = h("input", { class: "text", autocomplete: "off", ...attributes });
	return { input, node: h("label", { class: "entry" }, h("span", {}, t(word)), input) };
}

export class Enrol {
	#room;
	#token;
	#body = h("div", { class: "enrol" });

	/** @param {string} room @param {() => string} token of the admin */
	constructor(room, token) {
		this.#room = room;
		this.#token = token;
	}

	open() {
		sheet(t("enrol"), [this.#body]);
		this.#form();
		this.#look();
	}

	/** @param {string} [rest] of the address @param {object} [body] @returns {Promise<any>} what the host answers; throws its sentence */
	async #ask(rest = "", body) {
		const response = await fetch(`/rooms/${this.#room}/devices${rest}`, {
			method: body ? "POST" : "GET",
			headers: { authorization: `Bearer ${this.#token()}`, "content-type": "application/json" },
			body: body && JSON.stringify(body),
		}).catch(() => null);
		if (!response?.ok) throw new Error((await response?.text()) ?? t("end.network"));
		return response.json();
	}

	/** Who asks to be let in stands below the form: nothing that is there already moves. */
	async #look() {
		const { asking } = await this.#ask().catch(() => ({ asking: [] }));
		if (!asking.length) return;
		const rows = asking.map((/** @type {any} */ device) => {
			const words = h("div", {}, h("bdi", { class: "line" }, device.name), h("code", {}, device.key));
			if (device.replaces) words.append(h("span", { class: "second" }, t("enrol.replaces", { id: device.id })));
			const key = h("button", { class: "key", type: "button" }, t("enrol.letIn"));
			key.onclick = () => this.#letIn(device, key);
			return h("li", { class: "field" }, words, key);
		});
		const title = h("h3", { class: "label" }, t("enrol.asking"));
		this.#body.after(h("section", {}, title, h("ul", {}, ...rows), h("p", { class: "second" }, t("enrol.compare"))));
	}

	/** @param {{id: string, name: string, key: string}} device @param {HTMLButtonElement} key */
	async #letIn(device, key) {
		key.disabled = true;
		const words = await this.#ask(`/${device.id}/admit`, { key: device.key }).then(
			() => t("enrol.comes", { name: device.name }),
			(error) => error.message,
		);
		key.replaceWith(h("span", { class: "second" }, words));
		say(words);
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
			try {
				const made = await this.#ask("", { name: name.input.value.trim(), url: location.origin });
				this.#done(made, name.input.value.trim(), made.toml + wifi(ssid.input.value, password.input.value));
			} catch (error) {
				wrong.textContent = /** @type {Error} */ (error).message;
				make.disabled = false;
			}
		};
		this.#body.replaceChildren(form);
		name.input.focus();
	}

	/** @param {{id: string, expires: number}} made @param {string} name @param {string} text of the file */
	#done(made, name, text) {
		const save = () => download(text, "kontor.toml");
		const words = h("b", {}, t("enrol.made", { name }));
		const then = h("p", {}, t("enrol.then", { time: timeWords(made.expires, Date.now() / 1000) }));
		const again = h("button", { class: "key", type: "button", onclick: save }, t("enrol.again"));
		const another = h("button", { class: "key", type: "button", onclick: () => this.#form() }, t("enrol.another"));
		this.#body.replaceChildren(words, then, h("div", { class: "choices" }, again, another));
		again.focus();
		say(words.textContent ?? "");
		save();
	}
}
