/** The three slots, made audible: one element each, made once, and each with the volume of whoever is in it. */

export class Playback {
  #elements;
  #gains = [1, 1, 1];
  #all = 1;
  /** @type {AudioContext | null} */
  #context = null;
  /** @type {Array<{source: MediaStreamAudioSourceNode, gain: GainNode} | null>} */
  #boosts = [null, null, null];
  #sink = "";

  /** @param {HTMLAudioElement[]} elements */
  constructor(elements) {
    this.#elements = elements;
  }

  /**
   * @param {number} slot
   * @param {MediaStreamTrack} track
   */
  play(slot, track) {
    this.#unboost(slot);
    const element = this.#elements[slot];
    element.srcObject = new MediaStream([track]);
    element.play().catch(() => {}); // refused only before a first press, and joining is one
    this.#apply(slot);
  }

  stop() {
    for (const [slot, element] of this.#elements.entries()) {
      this.#unboost(slot);
      element.srcObject = null;
    }
  }

  /**
   * @param {number} slot
   * @param {number} gain 0 to 2
   */
  setGain(slot, gain) {
    this.#gains[slot] = gain;
    this.#apply(slot);
  }

  /** @returns {number} the volume of the whole room, 0 to 2 */
  get all() {
    return this.#all;
  }

  set all(gain) {
    this.#all = gain;
    for (const slot of this.#elements.keys()) this.#apply(slot);
  }

  /** @returns {boolean} */
  get canChoose() {
    return "setSinkId" in HTMLMediaElement.prototype;
  }

  get sink() {
    return this.#sink;
  }

  /** @param {string} device id of a loudspeaker, "" for the standard one */
  async choose(device) {
    this.#sink = device;
    for (const element of this.#elements) await /** @type {any} */ (element).setSinkId(device);
    await /** @type {any} */ (this.#context)?.setSinkId?.(device);
  }

  /**
   * An element can only make quieter. Above 100 % the element is muted, but goes on to pull the stream, and a gain node
   * plays in its place.
   * @param {number} slot
   */
  #apply(slot) {
    const gain = Math.min(4, this.#gains[slot] * this.#all);
    const element = this.#elements[slot];
    if (gain > 1 && element.srcObject) {
      this.#boost(slot, /** @type {MediaStream} */ (element.srcObject)).gain.gain.value = gain;
      element.muted = true;
      return;
    }
    this.#unboost(slot);
    element.volume = Math.min(1, gain);
    element.muted = gain === 0;
  }

  /**
   * @param {number} slot
   * @param {MediaStream} stream
   */
  #boost(slot, stream) {
    const there = this.#boosts[slot];
    if (there) return there;
    this.#context ??= new AudioContext();
    const gain = this.#context.createGain();
    const source = this.#context.createMediaStreamSource(stream);
    source.connect(gain).connect(this.#context.destination);
    this.#boosts[slot] = { source, gain };
    return this.#boosts[slot];
  }

  /** @param {number} slot */
  #unboost(slot) {
    this.#boosts[slot]?.source.disconnect();
    this.#boosts[slot]?.gain.disconnect();
    this.#boosts[slot] = null;
  }
}
