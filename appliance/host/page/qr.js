/** A QR code as a picture. The host makes the code, the page only draws it. */

import { svg } from "./dom.js";

/** Modules of quiet zone around it (ISO/IEC 18004). */
const QUIET = 4;
/** Modules of the largest code there is. */
const MOST = 177;

/** @param {unknown} rows */
const isSquare = (rows) =>
	Array.isArray(rows) && rows.length > 0 && rows.length <= MOST && rows.every((row) => typeof row === "string" && row.length === rows.length && !/[^01]/.test(row));

/**
 * The picture; null when the host sent none that can be drawn.
 * @param {unknown} code rows of modules, each a text of 0 and 1, a 1 is dark; without the quiet zone
 */
export function qrPicture(code) {
	if (!isSquare(code)) return null;
	const rows = /** @type {string[]} */ (code);
	const side = rows.length + 2 * QUIET;
	const dark = rows.flatMap((row, y) => [...row.matchAll(/1+/g)].map(({ 0: run, index }) => `M${index + QUIET} ${y + QUIET}h${run.length}v1h-${run.length}z`));
	const paths = [svg("path", { class: "ground", d: `M0 0h${side}v${side}H0z` }), svg("path", { d: dark.join("") })];
	return svg("svg", { class: "qr", viewBox: `0 0 ${side} ${side}`, "shape-rendering": "crispEdges", "aria-hidden": true }, ...paths);
}
