/**
 * The member's own microphone, in two copies: one that may be sent, and one that is only measured here.
 *
 * The measured copy stays awake while muted, so that the page can say "You are muted"; its level never leaves the browser.
 */

const SILENCE = -127;

export class Microphone {
  /** @type {"unknown" | "ready" | "none" | "blocked"} */
  state = "unknown";
  /** @type {MediaStream | null} */
  #stream = null;
  /** @type {MediaStreamTrack | null} */
  #outgoing = null;
  /** @type {AudioContext | null} */
  #context = null;
  /** @type {AnalyserNode | null} */
  #analyser = null;
  #samples = new Float32Array(1024);
  #onChange;
  #device = "";

  /** @param {() => void} onChange called when the state changes without our doing */
  constructor(onChange) {
    this.#onChange = onChange;
    navigator.mediaDevices?.addEventListener("devicechange", () => this.state === "none" && this.open().then(onChange));
  }

  /** Ask for the microphone; afterwards `state` says what came of it. */
  async open() {
    this.close();
    try {
      const wish = { echoCancellation: true, noiseSuppression: true, autoGainControl: true, channelCount: 1 };
      const audio = this.#device ? { ...wish, deviceId: { exact: this.#device } } : wish;
      this.#take(await navigator.mediaDevices.getUserMedia({ audio }));
      this.state = "ready";
    } catch (error) {
      const none = error instanceof DOMException && ["NotFoundError", "OverconstrainedError"].includes(error.name);
      this.state = none ? "none" : "blocked";
    }
    return this.state;
  }

  close() {
    for (const track of [this.#outgoing, ...(this.#stream?.getTracks() ?? [])]) track?.stop();
    this.#stream = null;
    this.#outgoing = null;
    this.#analyser = null;
    this.#context?.close();
    this.#context = null;
    this.state = "unknown";
  }

  /** @returns {MediaStreamTrack | null} what may be sent */
  get track() {
    return this.#outgoing;
  }

  /** Let sound into the track that is sent, or silence at once. @param {boolean} on */
  let(on) {
    if (this.#outgoing) this.#outgoing.enabled = on;
  }

  get device() {
    return this.#stream?.getAudioTracks()[0]?.getSettings().deviceId ?? this.#device;
  }

  /** @param {string} id of a microphone */
  async choose(id) {
    this.#device = id;
    return this.open();
  }

  /** @returns {number} dBov, RMS of the last 21 ms */
  level() {
    if (!this.#analyser) return SILENCE;
    this.#analyser.getFloatTimeDomainData(this.#samples);
    let sum = 0;
    for (const sample of this.#samples) sum += sample * sample;
    const power = sum / this.#samples.length;
    return power > 0 ? Math.max(SILENCE, 10 * Math.log10(power)) : SILENCE;
  }

  /** @param {MediaStream} stream */
  #take(stream) {
    const track = stream.getAudioTracks()[0];
    this.#stream = stream;
    this.#outgoing = track.clone();
    this.#outgoing.enabled = false;
    track.onended = () => {
      this.close();
      this.state = "none";
      this.#onChange();
    };
    this.#context = new AudioContext();
    this.#analyser = this.#context.createAnalyser();
    this.#analyser.fftSize = this.#samples.length;
    this.#context.createMediaStreamSource(stream).connect(this.#analyser);
  }
}
