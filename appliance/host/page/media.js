/**
 * Sound to and from the host: one offer, one answer, three slots down and one way up.
 *
 * The way up carries nothing until `carry` is given a track: joining muted means that no packet of the microphone exists.
 */

/** Milliseconds that a connection may be "disconnected" before it counts as lost. */
const PATIENCE = 2000;
/** The host sends something every second: so many seconds without anything, and the connection counts as lost. */
const SILENT = 3;
const ANSWER_WITHIN = 10000;
const SLOTS = 3;

/** Why the host did not let us in; `kind` is a key of `end.` in the words, or "network" for trying again. */
export class Refused extends Error {
  /**
   * @param {"full" | "invalid" | "noRoom" | "network"} kind
   * @param {number} [retryAfter] seconds
   */
  constructor(kind, retryAfter = 0) {
    super(kind);
    this.kind = kind;
    this.retryAfter = retryAfter;
  }
}

/** @type {Readonly<Record<number, "invalid" | "noRoom" | "full">>} */
const ANSWERS = { 401: "invalid", 403: "invalid", 404: "noRoom", 503: "full" };

export class Media {
  #url;
  #token;
  #onTrack;
  #onLost;
  /** @type {RTCPeerConnection | null} */
  #connection = null;
  /** @type {RTCRtpSender | null} */
  #sender = null;
  #session = "";
  #timer = 0;
  #pulse = 0;

  /**
   * @param {string} room
   * @param {string} token
   * @param {{track: (slot: number, track: MediaStreamTrack) => void, lost: () => void}} handlers
   */
  constructor(room, token, handlers) {
    this.#url = `/rooms/${encodeURIComponent(room)}/media`;
    this.#token = token;
    this.#onTrack = handlers.track;
    this.#onLost = handlers.lost;
  }

  /**
   * Connect anew, and be done when sound flows. Throws `Refused`.
   * @param {boolean} speaker whether the member may ever speak
   */
  async join(speaker) {
    this.#close();
    const connection = new RTCPeerConnection({ iceServers: [] });
    this.#connection = connection;
    for (let slot = 0; slot < SLOTS; slot += 1) {
      const direction = slot === 0 && speaker ? "sendrecv" : "recvonly";
      const transceiver = connection.addTransceiver("audio", { direction });
      if (slot === 0) this.#sender = speaker ? transceiver.sender : null;
      this.#onTrack(slot, transceiver.receiver.track);
    }
    try {
      await connection.setLocalDescription();
      await this.#exchange(connection);
      await this.#connected(connection);
    } catch (error) {
      if (connection === this.#connection) this.leave();
      throw error instanceof Refused ? error : new Refused("network");
    }
    connection.onconnectionstatechange = () => this.#watch(connection);
    this.#watch(connection);
    this.#feel(connection);
  }

  /**
   * Send this track from now on, or nothing.
   * @param {MediaStreamTrack | null} track
   * @returns {Promise<boolean>} whether it is so; without a connection nothing is sent anyway
   */
  async carry(track) {
    try {
      await this.#sender?.replaceTrack(track);
      return this.#sender !== null;
    } catch {
      return false; // the connection was closed meanwhile
    }
  }

  /** Leave the room; this also works while the page goes away. */
  leave() {
    const connection = this.#drop();
    if (!this.#session) return connection?.close();
    const headers = { Authorization: `Bearer ${this.#token}` };
    const told = fetch(this.#session, { method: "DELETE", headers, keepalive: true }).catch(() => {});
    // Closing first would tell the host too, and the word that follows would find nobody.
    told.finally(() => connection?.close());
    this.#session = "";
  }

  #close() {
    this.#drop()?.close();
  }

  /** Forget the connection; nothing is sent over it any more. */
  #drop() {
    clearTimeout(this.#timer);
    clearInterval(this.#pulse);
    const connection = this.#connection;
    this.#sender?.replaceTrack(null).catch(() => {});
    this.#connection = null;
    this.#sender = null;
    if (connection) connection.onconnectionstatechange = null;
    return connection;
  }

  /** @param {RTCPeerConnection} connection */
  async #exchange(connection) {
    const response = await fetch(this.#url, {
      method: "POST",
      headers: { Authorization: `Bearer ${this.#token}`, "Content-Type": "application/sdp" },
      body: connection.localDescription?.sdp,
      signal: AbortSignal.timeout(ANSWER_WITHIN),
    });
    if (response.status !== 201) {
      throw new Refused(ANSWERS[response.status] ?? "network", Number(response.headers.get("Retry-After")) || 10);
    }
    const session = response.headers.get("Location") ?? "";
    const sdp = await response.text();
    if (connection !== this.#connection) throw new Refused("network");
    this.#session = session;
    await connection.setRemoteDescription({ type: "answer", sdp });
  }

  /**
   * @param {RTCPeerConnection} connection
   * @returns {Promise<void>}
   */
  #connected(connection) {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Refused("network")), ANSWER_WITHIN);
      const look = () => {
        if (connection.connectionState === "connected") resolve();
        else if (["failed", "closed"].includes(connection.connectionState)) reject(new Refused("network"));
        else return;
        clearTimeout(timer);
      };
      connection.onconnectionstatechange = look;
      look();
    });
  }

  /** @param {RTCPeerConnection} connection */
  #watch(connection) {
    clearTimeout(this.#timer);
    if (connection !== this.#connection || connection.connectionState === "connected") return;
    const wait = connection.connectionState === "failed" ? 0 : PATIENCE;
    this.#timer = setTimeout(() => this.#lose(), wait);
  }

  /**
   * Feel the pulse: the browser itself needs 7 s to notice that the host is gone.
   * @param {RTCPeerConnection} connection
   */
  #feel(connection) {
    let received = -1;
    let silent = 0;
    this.#pulse = setInterval(async () => {
      const reports = [...(await connection.getStats()).values()];
      const now = reports.find((report) => report.type === "transport")?.bytesReceived ?? received;
      silent = now === received ? silent + 1 : 0;
      received = now;
      if (silent >= SILENT && connection === this.#connection) this.#lose();
    }, 1000);
  }

  #lose() {
    this.#close();
    this.#onLost();
  }
}
