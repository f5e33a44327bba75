/** What the page's address says: the room by its path, tokens and the demo's panel by its fragment. */

/** The claims of a token, unchecked: only the host can check them. @param {string} token @returns {Record<string, any>} */
export function claims(token) {
	try {
		const text = atob(token.split(".")[0].replaceAll("-", "+").replaceAll("_", "/"));
		return JSON.parse(new TextDecoder().decode(Uint8Array.from(text, (c) => c.charCodeAt(0)))) ?? {};
	} catch {
		return {};
	}
}

/** Milliseconds between two tries where there is no network. */
const AGAIN = 4000;

/**
 * What the host answers, or null where it refuses. Without a network, and while a proxy says that its host is away, it is asked
 * until it does.
 * @param {string} path @param {string} method @param {() => void} away called after each failure @returns {Promise<any>}
 */
async function answer(path, method, away) {
	for (;;) {
		try {
			const response = await fetch(path, { method });
			if (response.ok) return await response.json();
			if (response.status < 500) return null;
		} catch {
			// Nobody answers, or somebody else than the host does.
		}
		away();
		await new Promise((resolve) => setTimeout(resolve, AGAIN));
	}
}

/**
 * A token for whom a reverse proxy in front of the host has signed in; "" when there is none or it names nobody.
 * @param {string} room @param {() => void} away called while there is no network
 */
export async function askToken(room, away) {
	return String((await answer(`/rooms/${encodeURIComponent(room)}/token`, "POST", away))?.token ?? "");
}

/**
 * All rooms of this host, for whom a reverse proxy names; none for anybody else.
 * @param {() => void} away called while the host cannot be reached @returns {Promise<Array<{id: string, title: string, token: string}>>}
 */
export async function askRooms(away) {
	const rooms = (await answer("/rooms", "GET", away))?.rooms;
	return Array.isArray(rooms) ? rooms.filter((room) => typeof room?.id === "string" && typeof room.token === "string") : [];
}

/** @param {string} text @returns {string} as it stands, where it was encoded badly */
export function decoded(text) {
	try {
		return decodeURIComponent(text);
	} catch {
		return text;
	}
}

/**
 * Room by the path or by the only token, all tokens, and the demo's one-time word or "".
 * @param {{pathname: string, hash: string}} place
 */
export function readAddress(place) {
	const parts = place.hash.slice(1).split("&").filter(Boolean);
	const tokens = parts.filter((part) => !part.startsWith("panel="));
	const { room } = claims(tokens[0] ?? "");
	return {
		room: decoded(place.pathname.split("/")[1]) || (tokens.length === 1 ? String(room ?? "") : ""),
		tokens,
		panel: new URLSearchParams(parts.find((part) => part.startsWith("panel="))).get("panel") ?? "",
	};
}
