/** A support bundle from afar: the device is asked, packs it, and the page fetches what the host keeps for ten minutes. */

import { request } from "./ask.js";
import { h, setText } from "./dom.js";
import { waits } from "./fields.js";
import { t } from "./words.js";

/** Milliseconds between two looks. */
const EVERY = 1000;
/** Milliseconds after which nobody waits any more. */
const PATIENCE = 120_000;

/** @param {number} ms @param {AbortSignal} signal */
function pause(ms, signal) {
	return new Promise((resolve) => {
		const timer = setTimeout(resolve, ms);
		signal.addEventListener("abort", () => (clearTimeout(timer), resolve(undefined)), { once: true });
	});
}

/**
 * @typedef {object} Source
 * @property {string} room
 * @property {string} token of an admin
 * @property {string} device its id
 */

/**
 * Ask for a bundle and wait for it.
 * @param {Source} source
 * @param {AbortSignal} signal ends the wait
 * @param {(seconds: number) => void} packing called in every second of the wait
 * @returns {Promise<Blob | null>} null: the wait was ended, or the patience; throws the host's sentence
 */
async function fetchBundle(source, signal, packing) {
	const place = { room: source.room, token: () => source.token };
	const device = encodeURIComponent(source.device);
	const { bundle } = await (await request(place, `devices/${device}/bundle`, { method: "POST", signal })).json();
	const began = performance.now();
	for (;;) {
		const waited = performance.now() - began;
		if (signal.aborted || waited > PATIENCE) return null;
		packing(Math.floor(waited / 1000));
		const response = await request(place, `bundles/${encodeURIComponent(bundle)}`, { signal });
		if (response.status === 200) return response.blob();
		await pause(EVERY, signal);
	}
}

/** @param {Blob} blob @param {string} file */
function save(blob, file) {
	const url = URL.createObjectURL(blob);
	h("a", { href: url, download: file }).click();
	setTimeout(() => URL.revokeObjectURL(url), 60_000);
}

/** @param {string} id of a device @returns {string} a file name, whatever the id */
const fileName = (id) => `kontor-${id.replace(/[^\w-]/g, "_").slice(0, 64)}.tar.gz`;

/**
 * A sheet that asks, shows how far it is, and why it failed; it can be tried again there. Closing it ends the wait.
 * @param {House} house @param {Source} source @param {string} name of the device
 */
export function openBundle(house, source, name) {
	const stop = new AbortController();
	const words = h("p", { class: "bundle-words", role: "status" });
	const key = h("button", { class: "key", type: "button" });
	const tell = (/** @type {string} */ text) => setText(words, text);
	const offer = (/** @type {string} */ word, /** @type {() => void} */ press) => {
		setText(key, t(word));
		key.onclick = press;
		waits(key, false);
	};
	const run = async () => {
		if (waits(key, true)) return;
		setText(key, t("bundle.again"));
		tell(t("bundle.asking", { name }));
		try {
			const blob = await fetchBundle(source, stop.signal, (n) => n && tell(t("bundle.packing", { name, n })));
			if (stop.signal.aborted) return;
			const file = fileName(source.device);
			tell(t(blob ? "bundle.saved" : "bundle.late", blob ? { file } : { name }));
			if (!blob) offer("bundle.again", run);
			else {
				offer("bundle.save", () => save(blob, file));
				save(blob, file);
			}
		} catch (error) {
			if (stop.signal.aborted) return;
			tell(/** @type {Error} */ (error).message);
			offer("bundle.again", run);
		}
	};
	house.sheet(t("bundle"), [h("p", { class: "second" }, t("bundle.what")), words, key], () => stop.abort());
	run();
}
