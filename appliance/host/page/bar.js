/** The bar: three places that never move, with sign, name, state, level, scale and last minute of whoever stands there. */

import { byId, find, h, setAttribute, setText } from "./dom.js";
import { Meter } from "./meters.js";
import { CELLS, SILENCE } from "./model.js";
import { drawSign, makeSign } from "./signs.js";
import { t } from "./words.js";

class Place {
	#house;
	node = byId("place").content.firstElementChild.cloneNode(true);
	#sign = makeSign();
	#name = find(this.node, ".name");
	#state = find(this.node, ".second");
	#cells = Array.from({ length: CELLS }, () => h("i"));
	#meter = new Meter(find(this.node, ".meter"));
	#shown = "";
	/** No meter is filled while the microphone is closed, not even by a peak of before. */
	#audible = false;

	/** @param {House} house */
	constructor(house) {
		this.#house = house;
		this.node.prepend(this.#sign);
		find(this.node, ".cells").append(...this.#cells);
	}

	/** @param {string} id of a member, or "" @param {string} empty said when nobody stands here @param {number} now */
	show(id, empty, now) {
		const member = this.#house.model.members.get(id);
		const sign = member ? this.#house.model.signOf(member) : null;
		this.#audible = sign !== "muted";
		if (this.#shown !== id || !this.#audible) this.#meter.clear();
		this.#shown = id;
		drawSign(this.#sign, member ?? null);
		setAttribute(this.#sign, "data-state", sign);
		setAttribute(this.node, "data-hue", member?.sign.hue ?? null);
		setText(this.#name, member?.name ?? "");
		setText(this.#state, member ? this.#words(member, now) : empty);
		const bits = this.#house.model.minute(id);
		for (const [n, cell] of this.#cells.entries()) cell.classList.toggle("on", ((bits >> (CELLS - 1 - n)) & 1) === 1);
		if (!this.#audible) this.level(now);
	}

	/** What was shown is of another room. */
	clear() {
		this.#shown = "";
		this.#meter.clear();
	}

	/** @param {number} now */
	level(now) {
		this.#meter.show(this.#audible ? this.#house.model.level(this.#shown) : SILENCE, now);
	}

	/** @param {Member} member @param {number} now */
	#words(member, now) {
		const state = this.#house.model.stateOf(member);
		const ago = state === "listening" ? this.#house.model.spokeAgo(member.id, now) : null;
		return ago === null ? t(`state.${state}`) : t("state.spoke", { n: ago });
	}
}

export class Bar {
	#house;
	#places;

	/** @param {House} house */
	constructor(house) {
		this.#house = house;
		this.#places = [0, 1, 2].map(() => new Place(house));
		byId("bar").append(...this.#places.map((place) => place.node));
	}

	/** @param {number} now */
	show(now) {
		const { places, welcomed } = this.#house.model;
		const nobody = welcomed && places.every((id) => id === null);
		for (const [n, place] of this.#places.entries()) place.show(places[n] ?? "", nobody && n === 0 ? t("nobodySpeaks") : "", now);
	}

	/** Another room is shown from now on. */
	clear() {
		for (const place of this.#places) place.clear();
	}

	/** @param {number} now */
	levels(now) {
		for (const place of this.#places) place.level(now);
	}
}
