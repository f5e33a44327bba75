/** Asks the host over HTTP, as whoever holds the room's token. What it refuses is thrown as a sentence in the page's words. */

import { WORDS, t } from "./words.js";

/** Milliseconds after which nobody waits any more. */
const PATIENCE = 15_000;
/** Milliseconds for which a press may seem to do nothing. */
const SHORTLY = 500;

/** @typedef {{room: string, token: () => string}} Place a room, and who asks there */

/**
 * @param {Place} place
 * @param {string} path below the room's
 * @param {RequestInit & {headers?: Record<string, string>}} how
 */
export async function request({ room, token }, path, how) {
	const headers = { authorization: `Bearer ${token()}`, ...how.headers };
	const response = await fetch(`/rooms/${encodeURIComponent(room)}/${path}`, { ...how, headers }).catch(() => null);
	if (!response?.ok) throw new Error(response ? await refusal(response) : t("end.network"));
	return response;
}

/**
 * Why the host refused. It tells that by a code; its own sentence, which is English, stands only where there are no words for
 * the code, as of a newer host.
 * @param {string} code @param {string} sentence of the host @returns {string}
 */
export function refusalWords(code, sentence) {
	return Object.hasOwn(WORDS, `refused.${code}`) ? t(`refused.${code}`) : sentence;
}

/** A page of whatever stands between us and the host is no sentence. @param {Response} response */
async function refusal(response) {
	const isText = (response.headers.get("content-type") ?? "").startsWith("text/plain");
	const sentence = isText ? (await response.text().catch(() => "")).trim() : "";
	return refusalWords(response.headers.get("kontor-refusal") ?? "", sentence) || t("end.network");
}

/**
 * @param {Place} place
 * @param {string} path below the room's
 * @param {object} [body] of a POST
 * @param {string} [method]
 * @returns {Promise<any>}
 */
export async function ask(place, path, body, method = body ? "POST" : "GET") {
	const headers = { "content-type": "application/json" };
	const how = { method, headers, body: body && JSON.stringify(body), signal: AbortSignal.timeout(PATIENCE) };
	return (await request(place, path, how)).json();
}

/** Wait for what belongs into a dialog, so that it opens whole and nothing in it moves; but not for long. @param {Promise<void>} coming */
export function shortly(coming) {
	return Promise.race([coming, new Promise((resolve) => setTimeout(resolve, SHORTLY))]);
}

/** The sentence of whatever was thrown. @param {unknown} error */
export const sentence = (error) => (error instanceof Error ? error.message : String(error));
