/**
 * The system's own keys for calls: on a headset, on the lock screen, over a floating picture. They mute and leave; the system
 * shows whether the microphone is open, and in which room.
 */

const ICONS = [{ src: "/page/icon-192.png", sizes: "192x192", type: "image/png" }];

/** States in which the microphone can be opened or closed by a press. */
const TURNS = ["muted", "live", "held"];

class Call {
	#house;
	#session = /** @type {any} */ (navigator.mediaSession);
	#told = "";

	/** @param {House} house */
	constructor(house) {
		this.#house = house;
	}

	/** What the browser does not know it refuses by throwing. @param {string} action @param {(() => void) | null} press */
	#on(action, press) {
		try {
			this.#session.setActionHandler(action, press);
		} catch {
			// An older browser: its keys do without this one.
		}
	}

	show() {
		const { stay, session } = this.#house;
		const now = stay ? [stay.title, TURNS.includes(session.own), session.live].join("\n") : "";
		if (now === this.#told) return;
		this.#told = now;
		const turns = stay !== null && TURNS.includes(session.own);
		this.#session.metadata = stay && new MediaMetadata({ title: stay.title, artist: "Kontor", artwork: ICONS });
		this.#on("togglemicrophone", turns ? () => this.#turn() : null);
		this.#on("hangup", stay && (() => this.#house.leave()));
		this.#session.setMicrophoneActive?.(session.live);
	}

	/** The key of a headset is a hand here: it opens too, but only this person's own microphone. */
	#turn() {
		if (TURNS.includes(this.#house.session.own)) this.#house.session.press();
	}
}

/** @param {House} house */
export function start(house) {
	if (!("mediaSession" in navigator)) return;
	const call = new Call(house);
	house.onChange(() => queueMicrotask(() => call.show()));
	call.show();
}
