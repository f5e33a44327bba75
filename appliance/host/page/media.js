/**
 * Sound to and from the host: one offer, one answer, three slots down and one way up.
 *
 * The way up carries nothing until `carry` is given a track: joining muted means that no packet of the microphone exists.
 */

/** Milliseconds that a connection may be "disconnected" before it counts as lost. */
const PATIENCE = 1500;
/** When there is reason to doubt: milliseconds within which something must come, a little more than the host's second. */
const DOUBT = 1300;
/** The host sends something every second: so many seconds without anything, and the connection counts as lost. */
const SILENT = 3;
/** Milliseconds: an attempt that is older than this does not survive a change of the network. */
const STALE = 1000;
const ANSWER_WITHIN = 10000;

/** Whether this browser can do it at all. */
export const POSSIBLE = typeof RTCPeerConnection === "function";

/** Why the host did not let us in: "network" is worth another try, the others are keys of the `end.` words. */
export class Refused extends Error {
	/** @param {"full" | "invalid" | "noRoom" | "network" | "unable"} kind @param {number} [retryAfter] seconds */
	constructor(kind, retryAfter = 0) {
		super(kind);
		this.kind = kind;
		this.retryAfter = retryAfter;
	}
}

/** @type {Record<number, "invalid" | "noRoom" | "full">} */
const ANSWERS = { 401: "invalid", 403: "invalid", 404: "noRoom", 503: "full" };

export class Media {
	#room;
	#token;
	/** What opens the room that was joined last; `#token` may meanwhile be another room's. */
	#authorization = {};
	#handlers;
	/** @type {RTCPeerConnection | null} */
	#connection = null;
	/** @type {RTCRtpSender | null} */
	#sender = null;
	#session = "";
	#timer = 0;
	#pulse = 0;
	#asked = 0;
	/** Joined, as far as is known. */
	#up = false;
	#abort = new AbortController();
	/** What the browser counts of the connection, once a second. @type {((reports: any[]) => void) | null} */
	counted = null;

	/**
	 * @param {() => string} room that is joined next
	 * @param {() => string} token for it
	 * @param {{track: (slot: number, track: MediaStreamTrack) => void, lost: () => void}} handlers
	 */
	constructor(room, token, handlers) {
		this.#room = room;
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
		const connection = this.#prepare(speaker);
		const abort = new AbortController();
		this.#abort = abort;
		this.#asked = performance.now();
		const giveUp = setTimeout(() => abort.abort(), ANSWER_WITHIN);
		try {
			await this.#exchange(connection, await connection.createOffer(), abort.signal);
			await connected(connection, abort.signal);
			if (connection !== this.#connection) throw new Refused("network"); // it came too late
		} catch (error) {
			if (connection === this.#connection) this.leave();
			throw error instanceof Refused ? error : new Refused("network");
		} finally {
			clearTimeout(giveUp);
		}
		connection.onconnectionstatechange = connection.oniceconnectionstatechange = () => this.#watch(connection);
		this.#up = true;
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

	/**
	 * There is reason to doubt that the host still hears us: the network is another one, or the host has closed its socket.
	 * An attempt that was under way is given up, a connection has a moment to show that it lives.
	 * @returns {Promise<boolean>} whether it did not
	 */
	async doubt() {
		const connection = this.#connection;
		if (!connection || !this.#up) {
			if (performance.now() - this.#asked > STALE) this.#abort.abort();
			return false;
		}
		const before = await received(connection);
		const until = performance.now() + DOUBT;
		while (connection === this.#connection && performance.now() < until) {
			await new Promise((resolve) => setTimeout(resolve, 100));
			if ((await received(connection)) !== before) return false;
		}
		if (connection !== this.#connection || before === undefined) return false;
		this.#lose(connection);
		return true;
	}

	/** The connection is gone for certain: nobody keeps one through a sleep. */
	lose() {
		if (this.#connection && this.#up) this.#lose(this.#connection);
		else this.#abort.abort();
	}

	/** Leave the room; this also works while the page goes away. */
	leave() {
		const connection = this.#drop();
		if (!this.#session) return connection?.close();
		const told = fetch(this.#session, { method: "DELETE", headers: this.#authorization, keepalive: true });
		this.#session = "";
		// Closing first would tell the host too, and the word that follows would find nobody.
		told.catch(() => {}).finally(() => connection?.close());
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
		this.#up = false;
		if (connection) connection.onconnectionstatechange = connection.oniceconnectionstatechange = null;
		return connection;
	}

	/** A connection with three slots down, and one way up. @param {boolean} speaker @returns {RTCPeerConnection} */
	#prepare(speaker) {
		/** @type {RTCPeerConnection} */
		let connection;
		try {
			connection = new RTCPeerConnection({ iceServers: [] });
		} catch {
			throw new Refused("unable"); // switched off by a setting or by whoever runs this machine
		}
		this.#connection = connection;
		for (const slot of [0, 1, 2]) {
			const talks = slot === 0 && speaker;
			const { sender, receiver } = connection.addTransceiver("audio", { direction: talks ? "sendrecv" : "recvonly" });
			if (talks) this.#sender = sender;
			this.#handlers.track(slot, receiver.track);
		}
		return connection;
	}

	/** @param {RTCPeerConnection} connection @param {RTCSessionDescriptionInit} offer @param {AbortSignal} signal */
	async #exchange(connection, offer, signal) {
		if (connection !== this.#connection) throw new Refused("network"); // by now another room is the one to join
		const headers = { Authorization: `Bearer ${this.#token()}` };
		this.#authorization = headers;
		const response = await fetch(`/rooms/${encodeURIComponent(this.#room())}/media`, {
			method: "POST",
			headers: { ...headers, "Content-Type": "application/sdp" },
			body: offer.sdp,
			signal,
		});
		if (response.status !== 201) {
			throw new Refused(ANSWERS[response.status] ?? "network", Number(response.headers.get("Retry-After")) || 10);
		}
		const session = response.headers.get("Location") ?? "";
		if (connection !== this.#connection) {
			if (session) fetch(session, { method: "DELETE", headers, keepalive: true }).catch(() => {}); // nobody stays there without a connection
			throw new Refused("network");
		}
		this.#session = session;
		const sdp = await response.text();
		if (connection !== this.#connection) throw new Refused("network");
		connection.setConfiguration?.({ iceServers: relays(response.headers.get("Link") ?? "") });
		await connection.setLocalDescription(offer);
		await connection.setRemoteDescription({ type: "answer", sdp });
	}

	/** @param {RTCPeerConnection} connection */
	#watch(connection) {
		clearTimeout(this.#timer);
		if (state(connection) === "connected") return;
		this.#timer = setTimeout(() => this.#lose(connection), state(connection) === "failed" ? 0 : PATIENCE);
	}

	/** Feel the pulse: the browser itself needs 7 s to notice that the host is gone. @param {RTCPeerConnection} connection */
	#feel(connection) {
		let before = -1;
		let silent = 0;
		this.#pulse = setInterval(async () => {
			const reports = [...(await connection.getStats()).values()];
			if (connection !== this.#connection) return;
			this.counted?.(reports);
			const now = bytes(reports);
			if (now === undefined) return; // a browser that does not count: it has to notice by itself
			silent = now === before ? silent + 1 : 0;
			before = now;
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

/** A browser may have only the older of the two states. @param {RTCPeerConnection} connection */
function state(connection) {
	const older = connection.iceConnectionState;
	return connection.connectionState ?? (older === "completed" ? "connected" : older);
}

/** @param {RTCPeerConnection} connection @returns {Promise<number | undefined>} */
async function received(connection) {
	return bytes([...(await connection.getStats()).values()]);
}

/** What has come in; Firefox counts it by pair and not by transport. @param {any[]} reports @returns {number | undefined} */
export function bytes(reports) {
	const counts = (/** @type {string} */ type) => reports.filter((report) => report.type === type && Number.isFinite(report.bytesReceived));
	const found = [counts("transport"), counts("candidate-pair")].find((some) => some.length);
	return found?.reduce((sum, report) => sum + report.bytesReceived, 0);
}

/** @param {RTCPeerConnection} connection @param {AbortSignal} signal @returns {Promise<void>} */
function connected(connection, signal) {
	return new Promise((resolve, reject) => {
		const look = () => {
			if (state(connection) === "connected") resolve();
			else if (signal.aborted || ["failed", "closed"].includes(state(connection))) reject();
		};
		connection.onconnectionstatechange = connection.oniceconnectionstatechange = look;
		signal.addEventListener("abort", look);
		look();
	});
}
