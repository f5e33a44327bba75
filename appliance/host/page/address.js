/** What the page's address says: the room by its path, the token and the demo's panel by its fragment. */

/** The claims of a token, unchecked: only the host can check them. @param {string} token @returns {Record<string, any>} */
function claims(token) {
	try {
		const text = atob(token.split(".")[0].replaceAll("-", "+").replaceAll("_", "/"));
		return JSON.parse(new TextDecoder().decode(Uint8Array.from(text, (c) => c.charCodeAt(0)))) ?? {};
	} catch {
		return {};
	}
}

/**
 * A token for whom a reverse proxy in front of the host has signed in; "" when there is none or it names nobody.
 * @param {string} room
 */
export async function askToken(room) {
	const response = await fetch(`/rooms/${encodeURIComponent(room)}/token`, { method: "POST" }).catch(() => null);
	return response?.ok ? String((await response.json()).token) : "";
}

/**
 * Room, token, the demo's one-time word or "", and what the token claims of its holder until the host has answered.
 * @param {{pathname: string, hash: string}} place
 */
export function readAddress(place) {
	const [token, ...rest] = place.hash.slice(1).split("&");
	const { room, name } = claims(token);
	return {
		room: decodeURIComponent(place.pathname.split("/")[1]) || String(room ?? ""),
		token,
		panel: new URLSearchParams(rest.join("&")).get("panel") ?? "",
		name: String(name ?? ""),
	};
}
