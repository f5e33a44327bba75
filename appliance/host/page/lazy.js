/** Parts of the page that the first look does without: asked for when they are wanted. */

import { loadStyle } from "./dom.js";
import { toast } from "./say.js";
import { t } from "./words.js";

let tries = 0;

/**
 * A module and its style, if it has one. When it does not come, that is said, and it can be tried again.
 * @param {string} module as "admin.js" @param {string} [style] as "admin.css" @returns {Promise<any>} its exports, or null
 */
export async function lazy(module, style) {
	try {
		const again = tries ? `?${tries}` : ""; // a browser may remember that it failed
		const [loaded] = await Promise.all([import(`./${module}${again}`), import("./morewords.js"), style && loadStyle(style)]);
		return loaded;
	} catch (error) {
		tries += 1;
		console.warn(`${module}: ${error}`);
		toast(t("lazy.failed"), "warn", "alert");
		return null;
	}
}
