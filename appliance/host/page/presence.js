/** The room's WebSocket: says hello, gives every message on, comes back by itself, and stops where it is told to stop. */

import { Backoff } from "./backoff.js";
import { Flaw, take, typeOf } from "./intake.js";

/**
 * Close codes after which trying again by itself is of no use, and what to tell. 4410 is none of them: the host had not
 * heard of us for a while, as after a night of sleep; unless it says that we were sent out.
 * @type {Record<number, string>}
 */
const FINAL = { 4401: "invalid", 4403: "invalid", 4404: "noRoom", 4409: "elsewhere" };
/** What a reason given with the code makes of it. @type {Record<string, string>} */
const REASONS = { "4401 expired": "expired", "4410 removed": "removed" };
const ANSWER_WITHIN = 8000;
/** Milliseconds between two times that all is asked for anew because of a message that could not be taken. */
const ANEW = 10_000;

/** What was complained of is not complained of again. @type {Set<string>} */
const told = new Set();

/** One line in the console. @param {string} complaint */
function complain(complaint) {
	if (told.has(complaint)) return;
	told.add(complaint);
	console.warn(`kontor: ${complaint}`);
}

/** @param {string} path @returns {WebSocket} to our own host */
export function connect(path) {
	return new WebSocket(`${location.protocol.replace("http", "ws")}//${location.host}${path}`);
}

export class Presence {
	#path;
	#token;
	#handlers;
	/** @type {WebSocket | null} */
	#socket = null;
	#backoff = new Backoff();
	#timer = 0;
	#watchdog = 0;
	#wanted = false;
	/** This socket has had its welcome. */
	#welcomed = false;
	#anewAt = -Infinity;

	/**
	 * @param {string} room
	 * @param {() => string} token
	 * @param {{message: (m: any) => void, lost: () => void, ended: (why: string) => void}} handlers
	 */
	constructor(room, token, handlers) {
		this.#path = `/rooms/${encodeURIComponent(room)}/presence`;
		this.#token = token;
		this.#handlers = handlers;
		addEventListener("online", () => this.#wake());
		addEventListener("offline", () => this.#drop(this.#socket));
	}

	open() {
		this.#wanted = true;
		this.#connect();
	}

	close() {
		this.#wanted = false;
		clearTimeout(this.#timer);
		clearTimeout(this.#watchdog);
		this.#socket?.close(1000);
		this.#socket = null;
	}

	/**
	 * What cannot be sent is not kept: the welcome after a loss brings all up to date.
	 * @param {object} message @returns {boolean} whether it was sent
	 */
	send(message) {
		if (this.#socket?.readyState !== WebSocket.OPEN) return false;
		this.#socket.send(JSON.stringify(message));
		return true;
	}

	#connect() {
		clearTimeout(this.#timer);
		const socket = connect(this.#path);
		this.#socket = socket;
		this.#welcomed = false;
		this.#watchdog = setTimeout(() => this.#drop(socket), ANSWER_WITHIN);
		socket.onopen = () => socket.send(JSON.stringify({ type: "hello", v: 1, token: this.#token() }));
		socket.onmessage = (event) => socket === this.#socket && this.#take(event.data);
		socket.onclose = (event) => socket === this.#socket && this.#closed(event.code, event.reason);
	}

	/** The socket may be broken without knowing it: a new one, at once. */
	renew() {
		this.#drop(this.#socket);
		this.#wake();
	}

	/** @param {string} text */
	#take(text) {
		const message = this.#read(text);
		if (!message) return;
		if (message.type === "welcome") {
			clearTimeout(this.#watchdog);
			this.#backoff.reset();
			this.#welcomed = true;
		}
		this.#handlers.message(message);
	}

	/** What cannot be taken is left alone; where something is missed by that, all is asked for anew. @param {string} text */
	#read(text) {
		try {
			const message = take(text);
			if (!message) complain(`a message of type ${typeOf(text)} is not known here`);
			else if (message.type === "welcome" || this.#welcomed) return message;
			else complain(`${message.type} came before the welcome`);
		} catch (error) {
			if (!(error instanceof Flaw)) throw error;
			complain(`${typeOf(text)} was not taken: ${error.message}`);
			if (error.matters) this.#again();
		}
		return null;
	}

	/** The welcome of a new socket brings all up to date: not at once again, should the next one be no better. */
	#again() {
		const now = performance.now();
		if (this.#welcomed && now - this.#anewAt < ANEW) return;
		this.#anewAt = now;
		this.#drop(this.#socket);
	}

	/** @param {number} code @param {string} [reason] */
	#closed(code, reason) {
		clearTimeout(this.#watchdog);
		this.#socket = null;
		const final = REASONS[`${code} ${reason}`] ?? FINAL[code];
		if (final) {
			this.#wanted = false;
			this.#handlers.ended(final);
			return;
		}
		this.#handlers.lost();
		this.#timer = setTimeout(() => this.#connect(), this.#backoff.next());
	}

	/** A socket that no longer answers is left behind at once; its own end may take minutes. @param {WebSocket | null} socket */
	#drop(socket) {
		if (!socket || socket !== this.#socket) return;
		this.#closed(1006);
		socket.close();
	}

	#wake() {
		if (!this.#wanted || this.#socket) return;
		this.#backoff.reset();
		this.#connect();
	}
}
