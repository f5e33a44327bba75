/** Who stands in which row of a card: whoever speaks gets one and keeps it. Pure. */

/**
 * Rows keep their member. Whoever speaks and has none takes an empty one, else that of who has been quiet longest; empty ones
 * are filled by who was heard last, then in the order of the list.
 * @param {Array<string | null>} rows ids
 * @param {Member[]} here in the order of the list
 * @param {{speaking: Set<string>, heardAt(id: string): number | null}} model
 * @returns {Array<string | null>}
 */
export function seat(rows, here, model) {
	const seats = rows.map((id) => (here.some((m) => m.id === id) ? id : null));
	for (const id of model.speaking) if (!seats.includes(id) && here.some((m) => m.id === id)) take(seats, id, model);
	const heard = (/** @type {Member} */ m) => model.heardAt(m.id) ?? 0;
	const waiting = here.filter((m) => !seats.includes(m.id)).sort((a, b) => heard(b) - heard(a));
	return seats.map((id) => id ?? waiting.shift()?.id ?? null);
}

/** @param {Array<string | null>} seats @param {string} id @param {{speaking: Set<string>, heardAt(id: string): number | null}} model */
function take(seats, id, model) {
	const quiet = seats.map((other) => (other === null ? -1 : model.speaking.has(other) ? Infinity : (model.heardAt(other) ?? 0)));
	const longest = Math.min(...quiet);
	if (longest < Infinity) seats[quiet.indexOf(longest)] = id;
}
