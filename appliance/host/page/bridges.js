/** What is said of a bridge, the member that brings another room, in its tile. Pure. */

import { isolated, t } from "./words.js";

/** @param {string[]} names */
const listed = (names) => names.map(isolated).join(", ");

/**
 * Whether this room is heard there, else who speaks there, else who is there.
 * @param {Member} member @param {string} state its own state, which is told where it says more @returns {string}
 */
export function stateWords({ site }, state) {
	const bridge = site?.bridge;
	if (!bridge || !["speaking", "listening", "muted"].includes(state)) return t(`state.${state}`);
	const to = isolated(bridge.to);
	if (!bridge.heard) return t("bridge.unheard", { to });
	if (bridge.speaking.length) return t("bridge.speaking", { names: listed(bridge.speaking) });
	if (!bridge.names.length) return t("bridge.nobody", { to });
	return t("bridge.names", { to, names: `${listed(bridge.names)}${bridge.more ? ` +${bridge.more}` : ""}` });
}
