/**
 * The member's own stay in the room: joining, muting, talking while held, being muted by an admin, coming back, leaving.
 *
 * What is shown is what is so: "live" only once the track is on its way, "muted" before anything else is done about it.
 */

import { Line } from "./line.js";
import { POSSIBLE, Refused } from "./media.js";
import { prefs } from "./prefs.js";

/** All in milliseconds. Presses on the own key that come so soon after joining belong to the press that joined. */
const GUARD = 600;
/** So long a joining waits for the microphone; after that one is in, and listens while the browser still asks. */
const PROMPT = 700;
/** Whoever was live before a loss is live again after it, unless it took longer than this. */
const RESUME = 15_000;
/** A lost WebSocket counts only after this time: the sound goes on without it. */
const GRACE = 2000;
/** No connection outlives a sleep this long. */
const SLEPT = 10_000;
/** Why the microphone cannot be opened; a press looks again. */
const SHUT = /** @type {const} */ (["none", "blocked", "busy", "failed"]);

export class Session {
	/** @type {"out" | "joining" | "in"} */
	phase = "out";
	listener = false;
	/** Only listening until a member lets us in. */
	guest = false;
	adminMuted = false;
	hand = false;
	live = false;
	#held = false;
	/** Counts up with each wish to be live or muted: a wish that is not the last one any more has no effect. */
	#wish = 0;
	#line;
	#presenceUp = false;
	#guardedUntil = 0;
	#lostAt = 0;
	#resume = false;
	#releaseTimer = 0;
	#presenceTimer = 0;
	/** This browser cannot do it, or must not. */
	#unable = !POSSIBLE;
	/** Counts up with each joining and leaving, for the same reason. */
	#stay = 0;
	#parts;

	/** @param {Parts} parts */
	constructor(parts) {
		this.#parts = parts;
		this.#line = new Line(parts.media);
	}

	/** @returns {Own} the state of the own key */
	get own() {
		if (this.#unable) return "unable";
		if (this.phase === "out") return this.listener ? "listen" : "join";
		if (this.phase === "joining") return "connecting";
		if (!this.#isWhole) return "reconnecting";
		if (this.listener) return "listening";
		if (this.guest) return this.hand ? "asked" : "guest";
		if (this.adminMuted) return this.hand ? "asked" : "adminMuted";
		const { state } = this.#parts.microphone;
		const shut = SHUT.find((why) => why === state);
		if (shut || state === "asking") return shut ?? "asking";
		if (this.live) return this.#held ? "held" : "live";
		return "muted";
	}

	/** Join muted. */
	async join() {
		if (this.phase !== "out" || this.#unable) return;
		const stay = ++this.#stay;
		this.phase = "joining";
		this.#parts.changed();
		const { listener } = this;
		const microphone = listener ? null : this.#openMicrophone();
		if (!(await this.#connect())) return;
		await Promise.race([microphone, wait(PROMPT)]);
		if (stay !== this.#stay) return;
		this.phase = "in";
		this.#guardedUntil = performance.now() + GUARD;
		this.#parts.tell("network", false);
		this.#mute();
		if (listener && !this.listener) this.#joinAnew(); // let speak meanwhile: there is no way up yet
		else if (!this.#line.up) this.mediaLost(); // it went while the browser still asked for the microphone
	}

	leave() {
		if (this.phase === "out") return;
		this.end();
		this.#parts.tell("left");
	}

	/** Leave without a word: the host ended it, or it is taken elsewhere. */
	end() {
		this.#stay += 1;
		this.phase = "out";
		this.#close();
		this.#resume = this.adminMuted = this.hand = false;
		this.#lostAt = 0;
		this.#line.close();
		this.#parts.microphone.close();
		this.#parts.changed();
	}

	/** A press on the own key, or M. */
	press() {
		const { own } = this;
		if (performance.now() < this.#guardedUntil) return;
		if (own === "join" || own === "listen") this.join();
		else if (own === "muted") this.#unmute();
		else if (own === "live" || own === "held") this.#mute();
		else if (["adminMuted", "asked", "guest"].includes(own)) this.raiseHand(!this.hand);
		else if (SHUT.some((why) => why === own)) this.#openMicrophone();
	}

	/** Both when it is asked for and when it is there, or is not, the key says so. */
	async #openMicrophone() {
		const opened = this.#parts.microphone.open();
		this.#parts.changed();
		await opened;
		this.#parts.changed();
	}

	/** Talk while something is held down. @returns {boolean} whether it does */
	hold() {
		clearTimeout(this.#releaseTimer);
		if (this.#held) return true;
		if (this.own !== "muted" || performance.now() < this.#guardedUntil) return false;
		this.#held = true;
		this.#unmute();
		return true;
	}

	/** @param {boolean} [atOnce] the window lost the focus: nobody holds anything any more */
	release(atOnce = false) {
		if (!this.#held) return;
		clearTimeout(this.#releaseTimer);
		if (atOnce) this.#mute();
		else this.#releaseTimer = setTimeout(() => this.#held && this.#mute(), prefs.release);
	}

	/** @param {boolean} up */
	raiseHand(up) {
		if (this.phase === "in") this.#parts.send({ type: "hand", up });
	}

	mute() {
		if (this.live) this.#mute();
	}

	/** The microphone went away, or came back: closed first, and closed it stays. */
	microphoneChanged() {
		const { state, name } = this.#parts.microphone;
		this.#resume = false;
		if (this.live) this.#mute();
		else this.#close();
		this.#parts.changed();
		if (state === "ready" && this.phase === "in") this.#parts.tell("microphone", name);
	}

	/** Another microphone is chosen. Whoever is live talks into the old one until the new one is there, and then into that. */
	async changeMicrophone() {
		const { microphone, media } = this.#parts;
		await microphone.open();
		if (microphone.state !== "ready") return this.microphoneChanged();
		const wish = this.#wish;
		if (this.live) {
			const carried = await media.carry(microphone.track);
			if (wish === this.#wish && carried) microphone.let(true);
			else this.#close();
		}
		this.#parts.changed();
	}

	/** What the browser does to the sound is chosen anew. */
	async processMicrophone() {
		if (!(await this.#parts.microphone.process())) await this.changeMicrophone();
	}

	/**
	 * The machine slept, or the network is another one: what is broken is mended now, and not when somebody notices.
	 * @param {number} slept milliseconds; 0: it was the network
	 * @returns {Promise<boolean>} whether what was connected is broken
	 */
	async woke(slept) {
		this.#line.hurry();
		if (this.#lostAt) this.#lostAt -= slept;
		if (slept < SLEPT) return this.#parts.media.doubt();
		this.#interrupted(slept);
		this.#parts.media.lose();
		return true;
	}

	/** An admin muted this member: closed first, told afterwards. */
	muteByAdmin() {
		if (this.phase === "out") return; // the host says it again when we join
		this.adminMuted = true;
		this.#resume = false; // should it be lifted before the network is back
		this.#close();
		this.#parts.changed();
	}

	/**
	 * What we may do. Nothing opens by it: whoever may speak now still has to unmute.
	 * @param {string} role @param {boolean} listenOnly whatever the role says
	 */
	permit(role, listenOnly) {
		const [listened, wasGuest] = [this.listener, this.guest];
		this.listener = role === "listener" || listenOnly;
		this.guest = role === "guest" && !listenOnly;
		if (this.listener || this.guest) this.#resume = false;
		if (this.phase !== "in") return;
		if ((listened || wasGuest) && !this.listener && !this.guest) this.#parts.tell("admitted");
		if (listened && !this.listener) this.#joinAnew();
		else if (this.listener || this.guest) this.mute();
	}

	/** A listener came in without a way up: there is one now. */
	#joinAnew() {
		this.#reconnect();
		this.#openMicrophone();
	}

	/** What the host says of this member. Nothing opens by it. @param {Member} member */
	told(member) {
		this.hand = member.hand;
		if (member.admin_muted && !this.adminMuted) this.muteByAdmin();
		this.adminMuted = member.admin_muted && this.phase !== "out";
		this.#parts.changed();
	}

	/** The WebSocket is there again. @param {boolean} joined whether the host still has our sound */
	welcomed(joined) {
		clearTimeout(this.#presenceTimer);
		this.#presenceTimer = 0;
		this.#presenceUp = true;
		if (this.phase === "in") {
			this.#parts.send({ type: "muted", muted: !this.live });
			if (!joined && this.#line.up) this.mediaLost();
			else this.#resumed();
		}
		this.#parts.changed();
	}

	/** The WebSocket is gone, or a try to get it back failed: it counts from the first. */
	presenceLost() {
		if (this.phase === "in") this.#parts.media.doubt(); // a host that stopped has closed its sockets
		this.#presenceTimer ||= setTimeout(() => {
			this.#presenceUp = false;
			this.#interrupted();
		}, GRACE);
	}

	/** The sound is gone: a new connection, until one holds. */
	async mediaLost() {
		this.#line.up = false;
		if (this.phase !== "in") return;
		this.#interrupted();
		await this.#reconnect();
	}

	get #isWhole() {
		return this.#line.up && this.#presenceUp;
	}

	/** Nothing leaves from here on; what is shown follows at once. */
	#close() {
		clearTimeout(this.#releaseTimer);
		this.#wish += 1;
		this.live = this.#held = false;
		this.#parts.microphone.let(false);
		this.#parts.media.carry(null);
	}

	#mute() {
		this.#close();
		this.#parts.send({ type: "muted", muted: true });
		if (!this.listener) this.#parts.tell("muted");
		this.#parts.changed();
	}

	async #unmute() {
		const { track } = this.#parts.microphone;
		if (!track) return this.#mute();
		const wish = ++this.#wish;
		this.#parts.send({ type: "muted", muted: false });
		const carried = await this.#parts.media.carry(track);
		if (wish !== this.#wish) this.#parts.media.carry(null);
		if (wish !== this.#wish || !carried) return;
		if (track !== this.#parts.microphone.track) return this.#mute(); // another one came meanwhile
		this.#parts.microphone.let(true);
		this.live = true;
		this.#parts.tell("live");
		this.#parts.changed();
	}

	/** @param {number} [since] milliseconds that it has already lasted */
	#interrupted(since = 0) {
		if (this.phase !== "in") return;
		if (!this.#lostAt) {
			this.#lostAt = performance.now() - since;
			this.#resume = this.live && !this.#held;
		}
		this.#close();
		this.#parts.tell("network", true);
		this.#parts.changed();
	}

	#resumed() {
		if (this.phase !== "in" || !this.#isWhole || !this.#lostAt) return;
		const soon = performance.now() - this.#lostAt < RESUME;
		this.#lostAt = 0;
		this.#parts.tell("network", false);
		if (this.#resume && soon && !this.adminMuted) this.#unmute();
		else this.#mute();
	}

	/** One is in already: whatever tried for it before gives way to this. */
	async #reconnect() {
		if (!(await this.#connect())) return;
		if (this.#lostAt) this.#resumed();
		else this.#mute();
	}

	/** @returns {Promise<boolean>} whether sound flows; where the host says that it never will, one is out and it is told */
	async #connect() {
		try {
			return await this.#line.open(() => !this.listener, () => this.#parts.tell("network", true));
		} catch (error) {
			this.#unable = error instanceof Refused && error.kind === "unable";
			this.end();
			if (!(error instanceof Refused)) throw error;
			const { kind, retryAfter } = error;
			if (kind === "unable") this.#parts.tell("unable");
			else this.#parts.tell(kind === "full" ? "full" : "ended", kind === "full" ? retryAfter : kind);
			return false;
		}
	}
}

/** @param {number} milliseconds @returns {Promise<void>} */
function wait(milliseconds) {
	return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
