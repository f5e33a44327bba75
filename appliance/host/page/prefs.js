/**
 * What this browser remembers: language, theme and a few habits. Nothing about who was here or who spoke, but for those whom
 * somebody made louder, quieter or mute for themselves.
 */

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
	/** A knock or a hand is notified of while the page is out of sight. */
	notify: false,
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
	/** How loud members are, by identity, where that is not as loud as all. @type {Record<string, Volume>} */
	volumes: {},
};
/** So many members' volumes are remembered; the oldest is forgotten for a further one. */
const MOST = 200;

try {
	const stored = Object.entries(JSON.parse(localStorage.getItem(KEY) ?? "{}"));
	Object.assign(prefs, Object.fromEntries(stored.filter(([name, value]) => typeof value === typeof (/** @type {any} */ (prefs)[name]))));
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
	store();
	for (const watcher of watchers) watcher();
}

function store() {
	try {
		localStorage.setItem(KEY, JSON.stringify(prefs));
	} catch {
		// Storing is refused in some private windows: the choice then holds until the page is closed.
	}
}

/** Whatever is stored: junk is as loud as all. @param {string} id of a member @returns {Volume} */
export function volumeOf(id) {
	const { gain, muted } = Object(Object(prefs.volumes)[id]);
	return { gain: gain >= 0 && gain <= 2 ? Number(gain) : 1, muted: muted === true };
}

/** Nobody is told: a slider says it many times. @param {string} id of a member @param {Volume} volume */
export function setVolumeOf(id, volume) {
	const others = Object.entries(Object(prefs.volumes)).filter(([other]) => other !== id);
	const own = volume.gain !== 1 || volume.muted ? [[id, volume]] : [];
	prefs.volumes = Object.fromEntries([...others, ...own].slice(-MOST));
	store();
}

const reduced = matchMedia("(prefers-reduced-motion: reduce)");

/** Whether the page stands still, by the system's wish or by this page's setting. */
export function isStill() {
	return prefs.still || reduced.matches;
}
