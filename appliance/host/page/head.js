/** The head of the page: language, theme, and who one is here; and what the settings make of the whole page. */

import { byId, setAttribute, setIcon, setText } from "./dom.js";
import { prefs, setPrefs } from "./prefs.js";
import { drawMark, drawSign, makeSign } from "./signs.js";
import { setLanguage, t, translate } from "./words.js";

const THEMES = /** @type {const} */ (["auto", "light", "dark"]);

export class Head {
	#sign = makeSign();

	constructor() {
		for (const mark of document.querySelectorAll(".mark")) drawMark(mark);
		byId("self-sign").append(this.#sign);
		byId("language").onclick = () => setPrefs({ language: prefs.language === "de" ? "en" : "de" });
		byId("theme").onclick = () => setPrefs({ theme: THEMES[(THEMES.indexOf(prefs.theme) + 1) % 3] });
	}

	/** The page as the settings want it. @returns {boolean} whether it speaks another language now */
	dress() {
		const root = document.documentElement;
		const reworded = root.lang !== prefs.language;
		setLanguage(prefs.language);
		setAttribute(root, "data-theme", prefs.theme);
		root.toggleAttribute("data-still", prefs.still);
		translate(document);
		for (const node of byId("language").children) node.classList.toggle("on", node.textContent.toLowerCase() === prefs.language);
		setIcon(byId("theme"), `theme-${prefs.theme}`);
		setAttribute(byId("theme"), "aria-label", `${t("set.theme")}: ${t(`set.${prefs.theme}`)}`);
		return reworded;
	}

	/**
	 * Who one is. While that is still to come, what it would push aside is not there yet.
	 * @param {Model | undefined} model of a room that has answered @param {string} name until one has @param {boolean} asking
	 */
	show(model, name, asking) {
		document.documentElement.toggleAttribute("data-nameless", asking && !model && !name);
		const { sign, initials } = model?.self() ?? model?.you ?? {};
		setText(byId("self-name"), model?.you?.name ?? name);
		drawSign(this.#sign, { kind: "person", initials: initials ?? "", sign });
	}
}
