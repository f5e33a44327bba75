/** Parts of the page that the first look does without: asked for when they are wanted. */

import { loadStyle } from "./dom.js";
import { toast } from "./say.js";
import { t } from "./words.js";

/** Styles of the sheets, which come with them. @type {Record<string, string>} */
const STYLES = { "admin.js": "admin.css", "enrol.js": "admin.css", "soundsheet.js": "sound.css" };

/** How often each module failed: a browser may remember that, but not of another address. @type {Map<string, number>} */
const failures = new Map();

/** @param {string} module @returns {Promise<any>} its exports */
async function load(module) {
	const n = failures.get(module) ?? 0;
	try {
		return await import(`./${module}${n ? `?${n}` : ""}`);
	} catch (error) {
		failures.set(module, n + 1);
		throw error;
	}
}

/**
 * A module and its style, if it has one. When it does not come, that is said, and it can be tried again.
 * @param {string} module as "admin.js" @param {string} [style] as "admin.css" @returns {Promise<any>} its exports, or null
 */
export async function lazy(module, style = STYLES[module]) {
	try {
		const [loaded] = await Promise.all([load(module), load("morewords.js"), style && loadStyle(style)]);
		return loaded;
	} catch (error) {
		console.warn(`${module}: ${error}`);
		toast(t("lazy.failed"), "warn", "alert");
		return null;
	}
}
