/** What this browser remembers: language, theme and a few habits. Nothing about who was here or who spoke. */

const KEY = "kontor";
const known = navigator.languages.find((tag) => /^(de|en)\b/i.test(tag)) ?? "en";

export const prefs = {
	/** @type {"en" | "de"} */
	language: /^de/i.test(known) ? "de" : "en",
	/** @type {"auto" | "light" | "dark"} */
	theme: "auto",
	/** Standing pictures instead of moving ones. */
	still: false,
	/** Single-letter keys work. */
	letters: true,
	/** Who speaks is said to screen readers. */
	announce: false,
	/** Ids of the chosen devices; "" is whatever the system prefers. */
	microphone: "",
	speaker: "",
	/** What the browser does to the microphone's sound. */
	echo: true,
	noise: true,
	gain: true,
	/** Volume of the whole room, 0 to 2. */
	volume: 1,
	/** Space talks while it is held, and milliseconds for which talking goes on after that. */
	space: true,
	release: 200,
};

try {
	Object.assign(prefs, JSON.parse(localStorage.getItem(KEY) ?? "{}"));
} catch {
	// Junk, or a browser that stores nothing: the standard holds.
}

/** @type {Array<() => void>} */
const watchers = [];

/** @param {() => void} watcher called after every change */
export function onPrefs(watcher) {
	watchers.push(watcher);
}

/** @param {Partial<typeof prefs>} change */
export function setPrefs(change) {
	Object.assign(prefs, change);
	try {
		localStorage.setItem(KEY, JSON.stringify(prefs));
	} catch {
		// Storing is refused in some private windows: the choice then holds until the page is closed.
	}
	for (const watcher of watchers) watcher();
}

const reduced = matchMedia("(prefers-reduced-motion: reduce)");

/** Whether the page stands still, by the system's wish or by this page's setting. */
export function isStill() {
	return prefs.still || reduced.matches;
}
