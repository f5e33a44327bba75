/** What this browser remembers: language, theme and a few habits. Nothing about who was here or who spoke. */

/**
 * @typedef {object} Prefs
 * @property {"en" | "de"} language
 * @property {"auto" | "light" | "dark"} theme
 * @property {boolean} still standing pictures instead of moving ones
 * @property {boolean} letters single-letter keys work
 * @property {boolean} announce who speaks is said to screen readers
 */

const KEY = "kontor";

/** @returns {Prefs} */
function standard() {
  const german = (navigator.languages ?? [navigator.language]).find((tag) => /^(de|en)\b/i.test(tag)) ?? "en";
  return { language: /^de/i.test(german) ? "de" : "en", theme: "auto", still: false, letters: true, announce: false };
}

/** @returns {Partial<Prefs>} what was stored; a browser that stores nothing, or junk, gives nothing */
function stored() {
  try {
    const found = JSON.parse(localStorage.getItem(KEY) ?? "{}");
    return found && typeof found === "object" ? found : {};
  } catch {
    return {};
  }
}

/** @type {Prefs} */
export const prefs = { ...standard(), ...stored() };

/** @type {Set<() => void>} */
const watchers = new Set();

/** @param {() => void} watcher called after every change */
export function onPrefs(watcher) {
  watchers.add(watcher);
}

/**
 * @param {Partial<Prefs>} change
 */
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

/** @returns {boolean} whether the page stands still, by the system's wish or this page's setting */
export function isStill() {
  return prefs.still || reduced.matches;
}
