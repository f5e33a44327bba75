/**
 * The member's own stay in the room: joining, muting, talking while held, being muted by an admin, coming back, leaving.
 *
 * What is shown is what is so: "live" only once the track is on its way, "muted" before anything else is done about it.
 */

import { Backoff } from "./backoff.js";
import { Refused } from "./media.js";

/** All in milliseconds. Presses on the own key that come so soon after joining belong to the press that joined. */
const GUARD = 600;
/** Talking goes on for this long after the key is let go, so that no last syllable is cut. */
const RELEASE = 200;
/** Whoever was live before a loss is live again after it, unless it took longer than this. */
const RESUME = 15_000;
/** A lost WebSocket counts only after this time: the sound goes on without it. */
const GRACE = 2000;

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
	#mediaUp = false;
	#presenceUp = false;
	#guardedUntil = 0;
	#lostAt = 0;
	#resume = false;
	#releaseTimer = 0;
	#presenceTimer = 0;
	/** Counts up with each joining and leaving, for the same reason. */
	#stay = 0;
	#parts;

	/** @param {Parts} parts */
	constructor(parts) {
		this.#parts = parts;
	}

	/** @returns {Own} the state of the own key */
	get own() {
		if (this.phase === "out") return this.listener ? "listen" : "join";
		if (this.phase === "joining") return "connecting";
		if (!this.#isWhole) return "reconnecting";
		if (this.listener) return "listening";
		if (this.guest) return this.hand ? "asked" : "guest";
		if (this.adminMuted) return this.hand ? "asked" : "adminMuted";
		const { state } = this.#parts.microphone;
		if (state === "none" || state === "blocked") return state;
		if (this.live) return this.#held ? "held" : "live";
		return "muted";
	}

	/** Join muted. */
	async join() {
		if (this.phase !== "out") return;
		const stay = ++this.#stay;
		this.phase = "joining";
		this.#parts.changed();
		const microphone = this.listener ? null : this.#parts.microphone.open();
		if (!(await this.#connect(stay))) return;
		await microphone;
		if (stay !== this.#stay) return;
		this.phase = "in";
		this.#guardedUntil = performance.now() + GUARD;
		this.#parts.tell("network", false);
		this.#mute();
		if (!this.#mediaUp) this.mediaLost(); // it went while the browser still asked for the microphone
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
		this.#mediaUp = this.#resume = this.adminMuted = this.hand = false;
		this.#lostAt = 0;
		this.#parts.media.leave();
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
		else if (own === "none" || own === "blocked") this.#parts.microphone.open().then(this.#parts.changed);
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
		this.#releaseTimer = setTimeout(() => this.#held && this.#mute(), atOnce ? 0 : RELEASE);
	}

	/** @param {boolean} up */
	raiseHand(up) {
		if (this.phase === "in") this.#parts.send({ type: "hand", up });
	}

	/** The microphone went away, or shall. */
	mute() {
		if (this.live) this.#mute();
	}

	/** An admin muted this member: closed first, told afterwards. */
	muteByAdmin() {
		if (this.phase === "out") return; // the host says it again when we join
		this.adminMuted = true;
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
		if (this.phase !== "in") return;
		if ((listened || wasGuest) && !this.listener && !this.guest) this.#parts.tell("admitted");
		if (listened && !this.listener) this.#joinAnew();
		else if (!listened && this.listener) this.mute();
	}

	/** A listener came in without a way up: there is one now. */
	async #joinAnew() {
		const stay = this.#stay;
		this.#mediaUp = false;
		this.#parts.changed();
		const microphone = this.#parts.microphone.open();
		if (!(await this.#connect(stay))) return;
		await microphone;
		if (stay === this.#stay) this.#mute();
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
		this.#presenceUp = true;
		if (this.phase === "in") {
			this.#parts.send({ type: "muted", muted: !this.live });
			if (!joined && this.#mediaUp) this.mediaLost();
			else this.#resumed();
		}
		this.#parts.changed();
	}

	presenceLost() {
		clearTimeout(this.#presenceTimer);
		this.#presenceTimer = setTimeout(() => {
			this.#presenceUp = false;
			this.#interrupted();
		}, GRACE);
	}

	/** The sound is gone: a new connection, until one holds. */
	async mediaLost() {
		this.#mediaUp = false;
		if (this.phase !== "in") return;
		this.#interrupted();
		if (await this.#connect(this.#stay)) this.#resumed();
	}

	get #isWhole() {
		return this.#mediaUp && this.#presenceUp;
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
		const wish = ++this.#wish;
		this.#parts.send({ type: "muted", muted: false });
		const carried = await this.#parts.media.carry(this.#parts.microphone.track);
		if (wish !== this.#wish) this.#parts.media.carry(null);
		if (wish !== this.#wish || !carried) return;
		this.#parts.microphone.let(true);
		this.live = true;
		this.#parts.tell("live");
		this.#parts.changed();
	}

	#interrupted() {
		if (this.phase !== "in") return;
		if (!this.#lostAt) {
			this.#lostAt = performance.now();
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

	/** Try until sound flows, or until the host says that it never will. @param {number} stay @returns {Promise<boolean>} */
	async #connect(stay) {
		const backoff = new Backoff();
		while (stay === this.#stay) {
			try {
				await this.#parts.media.join(!this.listener);
				this.#mediaUp = stay === this.#stay;
				if (!this.#mediaUp) this.#parts.media.leave();
				return this.#mediaUp;
			} catch (error) {
				if (!(error instanceof Refused)) throw error;
				if (stay !== this.#stay) return false;
				if (error.kind !== "network") {
					this.end();
					this.#parts.tell(error.kind === "full" ? "full" : "ended", error.kind === "full" ? error.retryAfter : error.kind);
					return false;
				}
				this.#parts.tell("network", true);
				await new Promise((resolve) => setTimeout(resolve, backoff.next()));
			}
		}
		return false;
	}
}
