/**
 * The demo's device panel: a socket to the virtual panel that lives beside the room. It is no room message, and it exists
 * only where the page was opened with the demo's one-time word.
 */

import { Backoff } from "./backoff.js";

/**
 * @typedef {object} PanelState
 * @property {"open" | "closed"} gate
 * @property {string[]} reasons
 * @property {Record<"mic" | "room" | "speak" | "fault", "off" | "steady" | "slow" | "fast">} lamps
 * @property {"open" | "closed" | null} switch null: the panel has a button instead
 * @property {string} door
 * @property {number} loudspeaker dBov
 * @property {boolean} talking_while_closed
 */

export class PanelLink {
  #word;
  #onState;
  /** @type {WebSocket | null} */
  #socket = null;
  #backoff = new Backoff(300, 5000);
  /** @type {PanelState | null} */
  state = null;

  /**
   * @param {string} word
   * @param {() => void} onState called when `state` is another one; it is null while the panel is away
   */
  constructor(word, onState) {
    this.#word = word;
    this.#onState = onState;
  }

  open() {
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    const socket = new WebSocket(`${scheme}://${location.host}/demo/panel`);
    this.#socket = socket;
    // The word of the address works once; what it is exchanged for opens the panel again after a reload of this tab.
    const kept = `panel:${this.#word}`;
    socket.onopen = () => socket.send(JSON.stringify({ token: sessionStorage.getItem(kept) ?? this.#word }));
    socket.onmessage = (event) => {
      const told = JSON.parse(event.data);
      if (told.token) sessionStorage.setItem(kept, told.token);
      else this.#take(told);
    };
    socket.onclose = () => {
      this.#take(null);
      setTimeout(() => this.open(), this.#backoff.next());
    };
  }

  /** @param {boolean} closed */
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
    if (state) this.#backoff.reset();
    this.state = state;
    this.#onState();
  }

  /** @param {object} message */
  #send(message) {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(message));
  }
}
