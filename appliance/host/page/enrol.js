/** A new device comes into the room: one that asks is let in, or a file for its card is made. For admins. */

import { ask, sentence, shortly } from "./ask.js";
import { h, setText } from "./dom.js";
import { textField, waits } from "./fields.js";
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

/** @typedef {import("./ask.js").Place & {title?: string}} Room that a device may come into */

/**
 * Open the dialog for the room that `house` is about, or for others: then it offers the choice.
 * @param {House} house @param {Room[]} [rooms] @param {string} [chosen] which of them is meant at first
 */
export function openEnrol(house, rooms = [house], chosen = rooms[0].room) {
	new Enrol(house, rooms, chosen).open();
}

class Enrol {
	#house;
	#rooms;
	#room;
	#body = h("div", { class: "admin" });

	/** @param {House} house @param {Room[]} rooms @param {string} chosen */
	constructor(house, rooms, chosen) {
		this.#house = house;
		this.#rooms = rooms;
		this.#room = this.#find(chosen);
	}

	/** @param {string} id @returns {Room} */
	#find(id) {
		return this.#rooms.find(({ room }) => room === id) ?? this.#rooms[0];
	}

	/** What a room is called; by its id too where two are called the same. @param {Room} room */
	#titleOf({ room, title = room }) {
		return this.#rooms.some((other) => other.title === title && other.room !== room) ? `${title} (${room})` : title;
	}

	get #offersChoice() {
		return this.#rooms.length > 1;
	}

	async open() {
		const asking = h("section", { class: "admin", hidden: "" });
		await shortly(this.#look(asking));
		this.#house.sheet(t("enrol"), [this.#body, asking]);
		this.#form();
	}

	/** Who asks to be let in, into whichever room, stands below the form. @param {HTMLElement} section */
	async #look(section) {
		const told = await Promise.all(this.#rooms.map((room) => ask(room, "devices").catch(() => ({ asking: [] }))));
		const rows = this.#rooms.flatMap((room, n) => told[n].asking.map((/** @type {any} */ device) => this.#row(device, room)));
		if (!rows.length) return;
		const title = h("h3", { class: "label" }, t("enrol.asking"));
		section.append(title, h("ul", {}, ...rows), h("p", { class: "second" }, t("enrol.compare")));
		section.hidden = false;
	}

	/** @param {{id: string, name: string, key: string, replaces: boolean}} device @param {Room} room */
	#row(device, room) {
		const words = h("div", {}, h("bdi", { class: "line" }, device.name), h("code", {}, device.key));
		if (this.#offersChoice) words.append(h("span", { class: "second" }, t("enrol.into", { room: isolated(this.#titleOf(room)) })));
		if (device.replaces) words.append(h("span", { class: "second" }, t("enrol.replaces", { id: device.id })));
		const key = h("button", { class: "key", type: "button", "aria-label": `${t("enrol.letIn")}: ${device.name}` }, t("enrol.letIn"));
		key.onclick = () => this.#letIn(device, room, key);
		return h("li", { class: "field" }, words, key);
	}

	/** @param {{id: string, name: string, key: string}} device @param {Room} room @param {HTMLButtonElement} key */
	async #letIn(device, room, key) {
		if (waits(key, true)) return;
		const words = await ask(room, `devices/${encodeURIComponent(device.id)}/admit`, { key: device.key }).then(
			() => t("enrol.comes", { name: isolated(device.name) }),
			sentence,
		);
		const said = h("span", { class: "second", tabindex: -1 }, words);
		key.replaceWith(said);
		said.focus();
		this.#house.say(words);
	}

	/** Which room it is for. @returns {HTMLElement[]} nothing where there is only one */
	#choice() {
		if (!this.#offersChoice) return [];
		const select = h("select", {}, ...this.#rooms.map((room) => h("option", { value: room.room }, this.#titleOf(room))));
		select.value = this.#room.room;
		select.onchange = () => void (this.#room = this.#find(select.value));
		return [h("label", { class: "entry" }, h("span", {}, t("enrol.room")), select)];
	}

	#form() {
		const name = textField("enrol.name", { required: "", maxlength: 64 });
		const ssid = textField("enrol.wifi", { maxlength: 32 });
		const password = textField("enrol.password", { type: "password", maxlength: 63, autocomplete: "new-password" });
		const wrong = h("p", { class: "wrong", role: "alert" });
		const make = h("button", { class: "key" }, t("enrol.make"));
		const form = h("form", {}, name.node, ...this.#choice(), ssid.node, password.node, h("p", { class: "second" }, t("enrol.stays")), wrong, make);
		form.onsubmit = async (event) => {
			event.preventDefault();
			if (waits(make, true)) return;
			const wanted = name.input.value.trim();
			try {
				const room = this.#room;
				const made = await ask(room, "devices", { name: wanted, url: location.origin });
				this.#done(made, wanted, room, made.toml + wifi(ssid.input.value, password.input.value));
			} catch (error) {
				setText(wrong, sentence(error));
				waits(make, false);
			}
		};
		this.#body.replaceChildren(form);
		name.input.focus();
	}

	/** @param {{id: string, expires: number}} made @param {string} name @param {Room} room @param {string} text of the file */
	#done(made, name, room, text) {
		const save = () => download(text, "kontor.toml");
		const word = this.#offersChoice ? "enrol.madeFor" : "enrol.made";
		const words = h("b", {}, t(word, { name: isolated(name), room: isolated(this.#titleOf(room)) }));
		const then = h("p", {}, t("enrol.then", { time: timeWords(made.expires, this.#house.time()) }));
		const again = h("button", { class: "key", type: "button", onclick: save }, t("enrol.again"));
		const another = h("button", { class: "key", type: "button", onclick: () => this.#form() }, t("enrol.another"));
		this.#body.replaceChildren(words, then, h("div", { class: "choices" }, again, another));
		again.focus();
		this.#house.say(words.textContent ?? "");
		save();
	}
}
