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

/** Why the host did not let us in: "network" is worth another try, the others are keys of the `end.` words. */
export class Refused extends Error {
	/** @param {"full" | "invalid" | "noRoom" | "network"} kind @param {number} [retryAfter] seconds */
	constructor(kind, retryAfter = 0) {
		super(kind);
		this.kind = kind;
		this.retryAfter = retryAfter;
	}
}

/** @type {Record<number, "invalid" | "noRoom" | "full">} */
const ANSWERS = { 401: "invalid", 403: "invalid", 404: "noRoom", 503: "full" };

export class Media {
	#url;
	#token;
	#handlers;
	/** @type {RTCPeerConnection | null} */
	#connection = null;
	/** @type {RTCRtpSender | null} */
	#sender = null;
	#session = "";
	#timer = 0;
	#pulse = 0;

	/**
	 * @param {string} room
	 * @param {() => string} token
	 * @param {{track: (slot: number, track: MediaStreamTrack) => void, lost: () => void}} handlers
	 */
	constructor(room, token, handlers) {
		this.#url = `/rooms/${encodeURIComponent(room)}/media`;
		this.#token = token;
		this.#handlers = handlers;
	}

	/**
	 * Connect anew, and be done when sound flows. Throws `Refused`.
	 *
	 * The host needs none of our candidates, so the offer goes first: its answer names the relays, and only then they are
	 * asked for an address.
	 * @param {boolean} speaker whether it may ever speak
	 */
	async join(speaker) {
		this.#close();
		const connection = new RTCPeerConnection({ iceServers: [] });
		this.#connection = connection;
		for (const slot of [0, 1, 2]) {
			const talks = slot === 0 && speaker;
			const { sender, receiver } = connection.addTransceiver("audio", { direction: talks ? "sendrecv" : "recvonly" });
			if (talks) this.#sender = sender;
			this.#handlers.track(slot, receiver.track);
		}
		try {
			await this.#exchange(connection, await connection.createOffer());
			await connected(connection);
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
		const told = fetch(this.#session, { method: "DELETE", headers: this.#authorization(), keepalive: true });
		this.#session = "";
		// Closing first would tell the host too, and the word that follows would find nobody.
		told.catch(() => {}).finally(() => connection?.close());
	}

	#authorization() {
		return { Authorization: `Bearer ${this.#token()}` };
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

	/** @param {RTCPeerConnection} connection @param {RTCSessionDescriptionInit} offer */
	async #exchange(connection, offer) {
		const response = await fetch(this.#url, {
			method: "POST",
			headers: { ...this.#authorization(), "Content-Type": "application/sdp" },
			body: offer.sdp,
			signal: AbortSignal.timeout(ANSWER_WITHIN),
		});
		if (response.status !== 201) {
			throw new Refused(ANSWERS[response.status] ?? "network", Number(response.headers.get("Retry-After")) || 10);
		}
		const sdp = await response.text();
		if (connection !== this.#connection) throw new Refused("network");
		this.#session = response.headers.get("Location") ?? "";
		connection.setConfiguration?.({ iceServers: relays(response.headers.get("Link") ?? "") });
		await connection.setLocalDescription(offer);
		await connection.setRemoteDescription({ type: "answer", sdp });
	}

	/** @param {RTCPeerConnection} connection */
	#watch(connection) {
		clearTimeout(this.#timer);
		if (connection.connectionState === "connected") return;
		this.#timer = setTimeout(() => this.#lose(connection), connection.connectionState === "failed" ? 0 : PATIENCE);
	}

	/** Feel the pulse: the browser itself needs 7 s to notice that the host is gone. @param {RTCPeerConnection} connection */
	#feel(connection) {
		let received = -1;
		let silent = 0;
		this.#pulse = setInterval(async () => {
			const reports = [...(await connection.getStats()).values()];
			const now = reports.find((report) => report.type === "transport")?.bytesReceived;
			if (now === undefined) return; // a browser that does not count: it has to notice by itself
			silent = now === received ? silent + 1 : 0;
			received = now;
			if (silent >= SILENT) this.#lose(connection);
		}, 1000);
	}

	/** @param {RTCPeerConnection} connection */
	#lose(connection) {
		if (connection !== this.#connection) return;
		this.#close();
		this.#handlers.lost();
	}
}

/** The relays that an answer names (RFC 9725, 4.6). @param {string} link header @returns {RTCIceServer[]} */
export function relays(link) {
	const found = [];
	for (const [, urls, rest] of link.matchAll(/<((?:stun|turn)s?:[^>]*)>((?:\s*;\s*[\w-]+="[^"]*")*)/g)) {
		const values = Object.fromEntries([...rest.matchAll(/([\w-]+)="([^"]*)"/g)].map((pair) => pair.slice(1)));
		if (values.rel === "ice-server") found.push({ urls, username: values.username, credential: values.credential });
	}
	return found;
}

/** @param {RTCPeerConnection} connection @returns {Promise<void>} */
function connected(connection) {
	return new Promise((resolve, reject) => {
		const timer = setTimeout(reject, ANSWER_WITHIN);
		const look = () => {
			if (connection.connectionState === "connected") resolve();
			else if (["failed", "closed"].includes(connection.connectionState)) reject();
			else return;
			clearTimeout(timer);
		};
		connection.onconnectionstatechange = look;
		look();
	});
}
