/** Which view is there. That of a room stands in the page; the overview and the devices page come when they are first wanted. */

import { byId, focusHeading, setAttribute } from "./dom.js";
import { lazy } from "./lazy.js";
import { t } from "./words.js";

/** Module, style, and what opens it. */
const LATER = {
	overview: ["overview.js", "overview.css", "openOverview"],
	devices: ["devices.js", "devices.css", "openDevices"],
};

export class Views {
	#house;
	/** @type {Spot} */
	#spot = { view: "room", room: "", device: "" };
	/** @type {View | null} */
	#there = null;
	/** The view that is there, or comes. */
	#name = "";
	#moved = false;

	/** @param {House} house */
	constructor(house) {
		this.#house = house;
	}

	/** @param {Spot} spot @param {boolean} moved whether the focus goes to its heading */
	async show(spot, moved) {
		const { view } = spot;
		this.#spot = spot;
		this.#moved = moved;
		setAttribute(document.body, "data-view", view);
		setAttribute(byId("place-rooms"), "aria-current", view === "devices" ? null : "page");
		setAttribute(byId("place-devices"), "aria-current", view === "devices" ? "page" : null);
		if (view === this.#name) return this.#there?.show?.(spot);
		this.#there?.close?.();
		this.#there = null;
		this.#name = view;
		byId("page").replaceChildren();
		if (view !== "room") await this.#load(view);
	}

	/** A room names the window by itself. */
	nameWindow() {
		const { view } = this.#spot;
		if (view !== "room") document.title = `${t(view === "devices" ? "devices" : "rooms")} · Kontor`;
	}

	/** @param {"overview" | "devices"} view */
	async #load(view) {
		this.nameWindow();
		const [module, style, open] = LATER[view];
		const loaded = await lazy(module, style);
		if (view !== this.#name || this.#there) return; // one is elsewhere by now, or came here twice meanwhile
		this.#there = loaded?.[open](this.#house, this.#spot.device) ?? null;
		if (this.#there) byId("page").replaceChildren(this.#there.node);
		else this.#name = ""; // it can be tried again
		if (this.#moved) focusHeading(byId("page"));
	}
}
