/** What one may do about another member. The host decides; here it is only known what is worth offering. */

/** What a key says, and what it sends. @typedef {[word: string, ...messages: object[]]} Order */

/** @param {Member} member another one @param {string} mine own role @returns {Order[]} the first one answers who asks */
export function ordersOf({ id: member, kind, role, admin_muted, site }, mine) {
	if (kind === "site") return [site?.gate === "open" ? ["device.mute", { type: "mute", member }] : ["device.ask", { type: "ask_unmute", member }]];
	/** @type {Order[]} */
	const orders = [];
	if (role === "guest" && ["speaker", "admin"].includes(mine)) orders.push(["menu.admit", { type: "admit", member }]);
	if (mine !== "admin") return orders;
	const lift = admin_muted ? [{ type: "unmute", member }] : [];
	if (role === "listener") orders.push(["menu.allow", { type: "admit", member }, ...lift]);
	else if (role !== "guest") orders.push(admin_muted ? ["menu.allow", ...lift] : ["menu.mute", { type: "mute", member }]);
	if (role === "speaker" && kind !== "bridge") orders.push(["menu.listenOnly", { type: "role", member, role: "listener" }]);
	return [...orders, ["menu.remove", { type: "remove", member }]];
}

/** Whom to let speak is a question now: a guest, or somebody whom an admin muted. @param {Member} member @param {string} mine own role */
export function mayAnswer(member, mine) {
	return ["menu.admit", "menu.allow"].includes(ordersOf(member, mine)[0]?.[0]);
}
