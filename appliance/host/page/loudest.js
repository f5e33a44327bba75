/** Which two members a small display names: the loudest speaker, and who else speaks or spoke last. Pure. */

/** dB by which somebody must be louder, and milliseconds for which, to come first while the first still speaks. */
const LEAD = 6;
const FOR = 1000;

export class Loudest {
	/** @type {[string, string]} ids, "" is nobody */
	#two = ["", ""];
	#rival = "";
	#since = 0;

	/** @param {Model} model @param {number} now milliseconds @returns {readonly [string, string]} ids, "" is nobody */
	pick(model, now) {
		const others = model.here().filter((member) => member.id !== model.you?.id);
		const speaking = others.filter((member) => model.speaking.has(member.id)).map((member) => member.id);
		speaking.sort((a, b) => model.level(b) - model.level(a));
		const first = this.#first(model, speaking, now);
		const here = (/** @type {string} */ id) => others.some((member) => member.id === id);
		const spoke = others.map((member) => ({ id: member.id, ago: model.spokeAgo(member.id, now) ?? Infinity }));
		const last = spoke.filter(({ ago }) => ago < Infinity).sort((a, b) => a.ago - b.ago);
		const kept = this.#two.filter(here);
		const order = [first, ...kept.filter((id) => speaking.includes(id)), ...speaking, ...kept, ...last.map(({ id }) => id)];
		const [one = "", two = ""] = new Set(order.filter(Boolean));
		return (this.#two = [one, two]);
	}

	/** Who comes first of those who speak; "" when nobody does. @param {Model} model @param {string[]} speaking loudest first @param {number} now */
	#first(model, speaking, now) {
		const [holds] = this.#two;
		const [loudest = ""] = speaking;
		if (loudest === holds || !speaking.includes(holds) || model.level(loudest) - model.level(holds) < LEAD) {
			this.#rival = "";
			return speaking.includes(holds) ? holds : loudest;
		}
		if (this.#rival !== loudest) [this.#rival, this.#since] = [loudest, now];
		return now - this.#since < FOR ? holds : loudest;
	}
}
