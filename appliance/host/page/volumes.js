/** How loud each member is for me alone, 0 to 2, kept for this visit. It changes nothing for anybody else. */

const KEY = "kontor-volumes";

export class Volumes {
  /** @type {Map<string, {gain: number, muted: boolean}>} */
  #of = new Map();
  #onChange;

  /** @param {() => void} onChange */
  constructor(onChange) {
    this.#onChange = onChange;
    try {
      this.#of = new Map(JSON.parse(sessionStorage.getItem(KEY) ?? "[]"));
    } catch {
      this.#of = new Map();
    }
  }

  /** @param {string} id */
  of(id) {
    return this.#of.get(id) ?? { gain: 1, muted: false };
  }

  /** @param {string | null} id @returns {number} what its slot is played with */
  gain(id) {
    if (id === null) return 1;
    const { gain, muted } = this.of(id);
    return muted ? 0 : gain;
  }

  /**
   * @param {string} id
   * @param {Partial<{gain: number, muted: boolean}>} change
   */
  set(id, change) {
    this.#of.set(id, { ...this.of(id), ...change });
    try {
      sessionStorage.setItem(KEY, JSON.stringify([...this.#of]));
    } catch {
      // Not stored: it holds until the page is closed.
    }
    this.#onChange();
  }
}
