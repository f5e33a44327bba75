/** What the page's address says: the room by its path, the token and the demo's panel by its fragment. */

/**
 * @typedef {object} Address
 * @property {string} room
 * @property {string} token
 * @property {string} panel the one-time word for the demo's panel, or ""
 * @property {string} name the name that stands in the token; the host decides, this is shown until it answers
 * @property {number} expires Unix seconds, or Infinity
 */

/**
 * The claims of a token, unchecked: only the host can check them.
 * @param {string} token
 * @returns {Record<string, unknown>}
 */
function claims(token) {
  try {
    const text = atob(token.split(".")[0].replaceAll("-", "+").replaceAll("_", "/"));
    const found = JSON.parse(new TextDecoder().decode(Uint8Array.from(text, (c) => c.charCodeAt(0))));
    return found && typeof found === "object" ? found : {};
  } catch {
    return {};
  }
}

/**
 * @param {{pathname: string, hash: string}} place
 * @returns {Address}
 */
export function readAddress(place) {
  const [token, ...rest] = place.hash.slice(1).split("&");
  const said = claims(token);
  const path = decodeURIComponent(place.pathname.split("/")[1] ?? "");
  return {
    room: path || String(said.room ?? ""),
    token,
    panel: new URLSearchParams(rest.join("&")).get("panel") ?? "",
    name: typeof said.name === "string" ? said.name : "",
    expires: typeof said.expires === "number" ? said.expires : Infinity,
  };
}
