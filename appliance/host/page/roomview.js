/** The room that is looked at: its title and count, who speaks, who is here, its device; or why it cannot be shown. */

import { Bar } from "./bar.js";
import { Device } from "./device.js";
import { byId, renew, setText } from "./dom.js";
import { Ended } from "./ended.js";
import { Members } from "./members.js";
import { prefs } from "./prefs.js";
import { say } from "./say.js";
import { isolated, t } from "./words.js";

export class RoomView {
	#house;
	#ended;
	device;
	members;
	#bar;
	/** @type {Feed | null} */
	#feed = null;
	#announced = "";

	/** @param {House} house @param {import("./panel.js").PanelLink | null} panel the demo's @param {(why: string) => void} again what the key of a refused room does */
	constructor(house, panel, again) {
		this.#house = house;
		this.#ended = new Ended(again);
		this.#bar = new Bar(house);
		this.members = new Members(house);
		this.device = new Device(house, panel);
	}

	/** Look at another room, or at none. @param {Feed | null} feed */
	enter(feed) {
		if (feed === this.#feed) return;
		this.#feed = feed;
		this.#announced = "";
		this.members.closeMenu();
		this.#bar.clear();
		for (const id of ["count", "door"]) setText(byId(id), ""); // they were the other room's
		this.refuse(feed?.ended ?? "");
		byId("members").parentElement.scrollTop = 0;
	}

	/** @param {string} why it cannot be shown; "" shows it again */
	refuse(why) {
		if (why !== this.#ended.why) this.#ended.begin(why);
	}

	/** @param {number} now */
	show(now) {
		const feed = this.#feed;
		if (!feed) return;
		this.#ended.show();
		document.title = feed.title && !feed.ended ? `${isolated(feed.title)} · Kontor` : "Kontor";
		if (feed.ended) return;
		const count = feed.model.here().length;
		this.#showTitle(feed.title);
		byId("link").hidden = feed.model.you?.role !== "admin";
		this.#bar.show(now);
		this.members.show();
		this.device.show();
		if (!feed.model.title) return;
		setText(byId("count"), count ? t("here", { n: count }) : t("empty"));
		setText(byId("door"), this.device.door && `, ${this.device.door}`);
	}

	/** Another title may be longer: what stands beside it is put there anew, and so does not move. @param {string} title */
	#showTitle(title) {
		const node = byId("title");
		if (node.textContent === title) return;
		setText(node, title);
		renew(node.nextElementSibling);
	}

	/** The meters' pace. @param {number} now */
	level(now) {
		if (!this.#feed) return;
		this.#bar.levels(now);
		this.device.level(now);
	}

	/** Let the last minute go on. @param {number} now */
	second(now) {
		if (this.#feed && !this.#feed.ended) this.#bar.show(now);
	}

	/** Who speaks, for screen readers, only where it was asked for. */
	announce() {
		const { model } = this.#house;
		const names = [...model.speaking].map((id) => model.members.get(id)?.name).join(", ");
		if (prefs.announce && names && names !== this.#announced) say(t("speaks", { name: names }));
		this.#announced = names;
	}
}
