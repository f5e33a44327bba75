/**
 * The demo's device panel: a socket to the virtual panel that lives beside the room. It is no room message, and it exists
 * only where the page was opened with the demo's one-time word.
 */

import { Backoff } from "./backoff.js";
import { connect } from "./presence.js";

export class PanelLink {
	/** @type {WebSocket | null} */
	#socket = null;
	#backoff = new Backoff(300, 5000);
	/** @type {PanelState | null} null while the panel is away */
	state = null;
	/** Called when `state` is another one. */
	changed = () => {};

	/** @param {string} word @param {string} room that the device stands in */
	constructor(word, room) {
		this.word = word;
		this.room = room;
	}

	open() {
		const socket = connect("/demo/panel");
		this.#socket = socket;
		// The word of the address works once; what it is exchanged for opens the panel again after a reload of this tab.
		const kept = `panel:${this.word}`;
		socket.onopen = () => this.#send({ token: sessionStorage.getItem(kept) ?? this.word });
		socket.onmessage = (event) => {
			this.#backoff.reset();
			const told = JSON.parse(event.data);
			if (told.token) sessionStorage.setItem(kept, told.token);
			else this.#take(told);
		};
		socket.onclose = () => {
			this.#take(null);
			setTimeout(() => this.open(), this.#backoff.next());
		};
	}

	/** Move the mute switch; a panel that has a button instead gets it pressed. @param {boolean} closed */
	turn(closed) {
		if (this.state && !this.state.switch) this.press("mute");
		else this.#send({ switch: closed ? "closed" : "open" });
	}

	/** @param {"mute" | "door" | "knock"} key */
	press(key) {
		this.#send({ press: key });
	}

	/** @param {PanelState | null} state */
	#take(state) {
		this.state = state;
		this.changed();
	}

	/** @param {object} message */
	#send(message) {
		if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(message));
	}
}
