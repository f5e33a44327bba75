/** What an admin does in the room: its title, who is muted as they come in, who was sent out, and links for others. */

import { ask, refusalWords, sentence, shortly } from "./ask.js";
import { h, setText } from "./dom.js";
import { openEnrol } from "./enrol.js";
import { checkField, choice, textField, waits } from "./fields.js";
import { qrPicture } from "./qr.js";
import { isolated, t, timeWords } from "./words.js";

/** Characters of a title or a name, as the host counts them. */
const MOST = 64;
/** For how many days a link may be good. */
const DAYS = [1, 7, 30, 90, 365];
/** Milliseconds after which a title was not taken by anybody. */
const PATIENCE = 5000;

/** Open the sheet of the room, or the one of links. @param {House} house @param {"room" | "link"} [what] */
export function openAdmin(house, what = "room") {
	if (what === "link") new LinkSheet(house).open();
	else new RoomSheet(house).open();
}

/** Characters as people and the host count them, not the halves of an emoji. @param {string} text */
const count = (text) => [...text].length;

/** Copy by the browser's way, or by the old one where the page came without encryption. @param {HTMLInputElement} input */
async function copy(input) {
	try {
		await navigator.clipboard.writeText(input.value);
		return true;
	} catch {
		const before = /** @type {HTMLElement} */ (document.activeElement);
		input.focus();
		input.select();
		const copied = document.execCommand("copy");
		if (copied) before.focus();
		return copied; // else it stays marked, for the hand
	}
}

class LinkSheet {
	#house;
	#body = h("div", { class: "admin" });

	/** @param {House} house */
	constructor(house) {
		this.#house = house;
	}

	open() {
		this.#house.sheet(t("link"), [this.#body]);
		this.#form();
	}

	#form() {
		const name = textField("link.name", { required: "", maxlength: 2 * MOST });
		let role = "speaker";
		const may = /** @type {const} */ ([["speaker", t("link.speaker")], ["listener", t("link.listener")]]);
		const roles = choice("link.may", may, "speaker", (wanted) => (role = wanted));
		const days = h("select", {}, ...DAYS.map((n) => h("option", { value: n }, t(n === 1 ? "link.day" : "link.days", { n }))));
		days.value = "30";
		const wrong = h("p", { class: "wrong", role: "alert" });
		const make = h("button", { class: "key" }, t("link.make"));
		const good = h("label", { class: "entry" }, h("span", {}, t("link.good")), days);
		const form = h("form", {}, name.node, roles, good, wrong, make);
		form.onsubmit = async (event) => {
			event.preventDefault();
			if (waits(make, true)) return;
			const wanted = { name: name.input.value.trim(), role, days: Number(days.value) };
			try {
				this.#made(await ask(this.#house, "links", wanted), wanted);
			} catch (error) {
				setText(wrong, sentence(error));
				waits(make, false);
			}
		};
		this.#body.replaceChildren(form);
		name.input.focus();
	}

	/** @param {{url: string, expires: number, qr?: string[]}} link @param {{name: string, role: string}} wanted */
	#made(link, wanted) {
		const { name, role } = wanted;
		const time = timeWords(link.expires, this.#house.time());
		const what = h("b", {}, t("link.for", { name: isolated(name) }));
		const rights = h("p", { class: "second" }, `${t(`link.${role}`)}, ${t("link.until", { time })}`);
		const url = h("input", { class: "text", readonly: "", value: link.url, "aria-label": t("link"), onfocus: () => url.select() });
		const key = h("button", { class: "key", type: "button", onclick: () => this.#copy(url) }, t("link.copy"));
		const another = h("button", { class: "key", type: "button", onclick: () => this.#form() }, t("link.another"));
		const picture = qrPicture(link.qr);
		const scan = picture ? [picture, h("p", { class: "second" }, t("link.scan"))] : [];
		const warning = h("p", { class: "second" }, t("link.warning", { name: isolated(name) }));
		this.#body.replaceChildren(h("div", {}, what, rights), h("div", { class: "copy" }, url, key), warning, ...scan, another);
		key.focus();
		this.#house.say(what.textContent ?? "");
	}

	/** @param {HTMLInputElement} url */
	async #copy(url) {
		const copied = await copy(url);
		this.#house.toast(t(copied ? "toast.linkCopied" : "link.byHand"), "link");
	}
}

class RoomSheet {
	#house;
	/** @type {Array<() => void>} what ends with the sheet */
	#ends = [];

	/** @param {House} house */
	constructor(house) {
		this.#house = house;
	}

	async open() {
		const house = this.#house;
		const list = h("ul");
		await shortly(this.#look(list));
		const title = this.#title();
		const muteNew = this.#muteNew();
		const link = h("button", { class: "key", type: "button", onclick: () => openAdmin(house, "link") }, t("link"));
		const device = h("button", { class: "key", type: "button", onclick: () => openEnrol(house) }, t("enrol"));
		const keys = h("div", { class: "pair" }, link, device);
		const sentOut = h("section", {}, h("h3", { class: "label" }, t("admin.sentOut")), list);
		const content = [title, muteNew, h("p", { class: "second" }, t("admin.muteNew2")), keys, sentOut];
		house.sheet(t("admin"), [h("div", { class: "admin" }, ...content)], () => this.#ends.forEach((end) => end()));
	}

	/** It follows what the host says; until that answers, it stands as it was put. */
	#muteNew() {
		const house = this.#house;
		const field = checkField("set.muteNew", house.model.muteNew, (on) => house.send({ type: "mute_new", on }));
		const box = /** @type {HTMLInputElement} */ (field.querySelector("input"));
		let told = house.model.muteNew;
		const follow = () => (box.checked = told = house.model.muteNew);
		this.#ends.push(house.onChange(() => told !== house.model.muteNew && follow()), house.onRefused(follow));
		return field;
	}

	/** The form of the title: a counter, and what is wrong with it beside it. */
	#title() {
		const { model } = this.#house;
		const field = textField("admin.title", { value: model.title, "aria-describedby": "title-count" });
		const counter = h("output", { class: "second", id: "title-count" });
		const wrong = h("p", { class: "wrong", role: "alert" });
		const key = h("button", { class: "key" }, t("admin.rename"));
		const form = h("form", { class: "rename" }, field.node, counter, key, wrong);
		const wanted = () => field.input.value.trim();
		const show = () => {
			const n = count(wanted());
			setText(counter, t("admin.count", { n, most: MOST }));
			counter.classList.toggle("over-much", n > MOST);
			setText(wrong, n > MOST ? t("admin.tooLong", { most: MOST }) : "");
		};
		field.input.oninput = show;
		show();
		form.onsubmit = async (event) => {
			event.preventDefault();
			if (waits(key, true)) return;
			const trouble = await this.#rename(wanted());
			waits(key, false);
			setText(wrong, trouble);
			if (trouble) field.input.focus();
			else this.#house.toast(t("admin.renamed"), "check");
		};
		return form;
	}

	/** @param {string} title @returns {Promise<string>} what is wrong with it, or "" once everybody knows it */
	#rename(title) {
		const house = this.#house;
		if (!title) return Promise.resolve(t("admin.titleEmpty"));
		if (count(title) > MOST) return Promise.resolve(t("admin.tooLong", { most: MOST }));
		if (title === house.model.title) return Promise.resolve("");
		return new Promise((resolve) => {
			const done = (/** @type {string} */ trouble) => {
				clearTimeout(timer);
				off.forEach((end) => end());
				resolve(trouble);
			};
			const timer = setTimeout(() => done(t("end.network")), PATIENCE);
			const off = [
				house.onChange(() => house.model.title === title && done("")),
				house.onRefused((code, text) => done(refusalWords(code, text))),
			];
			if (!house.send({ type: "title", title })) done(t("end.network"));
		});
	}

	/** @param {HTMLElement} list of those who were sent out */
	async #look(list) {
		try {
			const { removed } = await ask(this.#house, "removed");
			const rows = removed.map((/** @type {any} */ one) => this.#row(one));
			list.replaceChildren(...(rows.length ? rows : [h("li", { class: "second" }, t("admin.nobodyOut"))]));
		} catch (error) {
			list.replaceChildren(h("li", { class: "wrong" }, sentence(error)));
		}
	}

	/** @param {{id: string, name: string, by: string}} one */
	#row({ id, name, by }) {
		const words = h("div", {}, h("bdi", { class: "line" }, name), h("span", { class: "second line" }, t("admin.by", { name: isolated(by) })));
		const key = h("button", { class: "key", type: "button", "aria-label": t("admin.allowName", { name }) }, t("admin.allow"));
		key.onclick = async () => {
			if (waits(key, true)) return;
			const done = await ask(this.#house, `removed/${encodeURIComponent(id)}`, undefined, "DELETE").then(() => t("admin.allowed"), sentence);
			const said = h("span", { class: "second", tabindex: -1 }, done);
			key.replaceWith(said);
			said.focus();
			this.#house.say(`${name}: ${done}`);
		};
		return h("li", { class: "field" }, words, key);
	}
}
