/**
 * The own stay in a room: which room it is about, the way in and out, and what is the matter with it, which stands above the dock.
 *
 * One is in one room, whatever one looks at: only what is said there reaches the microphone.
 */

import { Media } from "./media.js";
import { Microphone } from "./microphone.js";
import { Playback } from "./playback.js";
import { closeToast, notice, say, toast } from "./say.js";
import { Session } from "./session.js";
import { t } from "./words.js";

/** Milliseconds after which a lost socket is called "no network". */
const PATIENCE = 2000;

export class Stay {
	/** The room that it is about: the one that one is in, else the one that is looked at. @type {Feed | null} */
	target = null;
	playback = new Playback((event, detail) => this.#played(event, detail));
	microphone = new Microphone(() => this.session.microphoneChanged());
	media = new Media(
		() => this.target?.room ?? "",
		() => this.target?.token ?? "",
		{ track: (slot, track) => this.playback.play(slot, track), lost: () => this.session.mediaLost() },
	);
	session = new Session({
		media: this.media,
		microphone: this.microphone,
		send: (message) => this.target?.send(message) ?? false,
		changed: () => this.#changed(),
		tell: (event, detail) => this.#tell(event, detail),
	});
	#shown;
	#changed;
	/** Join as soon as the room answers. */
	#joins = false;
	#toldOfMute = false;
	#offline = false;
	#lostTimer = 0;
	/** Seconds until the next try to get into a full room; 0: it is not waited for. */
	#full = 0;
	#fullTimer = 0;

	/** @param {() => Feed | null} shown the room that is looked at @param {() => void} changed called after every change of what the own key says */
	constructor(shown, changed) {
		this.#shown = shown;
		this.#changed = changed;
	}

	/** The room that one is in or coming into; null while in none. */
	get feed() {
		return this.session.phase === "out" ? null : this.target;
	}

	/** @returns {Own} what the own key says */
	get own() {
		return this.#joins ? "connecting" : this.session.own;
	}

	/** Whoever is in another room leaves that. @param {Feed} feed */
	join(feed) {
		if (this.feed === feed) return;
		if (this.feed) this.session.leave();
		this.turnTo(feed);
		this.#joins = !feed.model.you || feed.ended !== ""; // what we may do there is not known yet
		if (!this.#joins) this.session.join();
		else if (feed.ended) feed.open();
		this.#changed();
	}

	leave() {
		this.#joins = false;
		this.session.leave();
		this.#changed();
	}

	/** From now on it is about this room. @param {Feed | null} feed */
	turnTo(feed) {
		if (feed === this.target) return;
		this.target = feed;
		this.#toldOfMute = false;
		this.#forget();
		const self = feed?.model.self();
		const known = self ?? feed?.model.you;
		if (known) this.#permit(known.role);
		if (feed?.model.welcomed) this.#settle(feed);
		else this.session.presenceLost();
		if (self) this.session.told(self);
		else this.session.hand = false;
		this.show();
		this.#changed();
	}

	/** What the room says. @param {any} m @param {boolean} hand whether our own was up before */
	hear(m, hand) {
		const feed = /** @type {Feed} */ (this.target);
		if (m.type === "welcome") this.#welcome(feed);
		else if (m.type === "slots") this.playback.seat(feed.model.slots);
		else if (m.type === "muted_by_admin") this.#mutedByAdmin();
		else if (m.type === "admin_mute_lifted") toast(t("toast.canSpeak"), "mic");
		else if (m.type === "asked_to_unmute") toast(t("toast.asked", { name: m.by.name }), "mic");
		if (feed.model.isOwn(m)) this.#selfChanged(feed, hand);
	}

	/** Its socket is gone, and comes back by itself. */
	lost() {
		this.session.presenceLost();
		this.#lostTimer ||= setTimeout(() => this.#away(true), PATIENCE);
	}

	/** The room cannot be shown any more. */
	end() {
		this.#forget();
		this.session.end();
		this.playback.stop();
		closeToast();
		this.show();
	}

	/** Where the room is full, wait no longer. @returns {boolean} whether one did */
	stopWaiting() {
		const waited = this.#full > 0;
		clearInterval(this.#fullTimer);
		this.#full = 0;
		if (waited) this.show();
		return waited;
	}

	/** What is the matter stands above the dock, the most pressing first. */
	show() {
		const { target, playback } = this;
		if (this.#full) notice(t("end.full"), t("end.full2", { n: this.#full }), () => this.session.join(), "end.again", () => this.stopWaiting());
		else if (this.#offline) notice(t("end.network"), t("end.network2"));
		else if (playback.blocked) notice(t("blocked"), t("blocked2"), () => playback.unblock(), "blocked.start");
		else if (target && !target.ended && !this.feed && target.model.listenOnly) notice(t("noHttps"), t("noHttps2"));
		else notice("");
	}

	/** @param {Feed} feed */
	#welcome(feed) {
		this.#found();
		this.#settle(feed);
		if (!this.#joins) return;
		this.#joins = false;
		this.session.join();
	}

	/** The host has answered: what we may do there, and what of our stay it still has. @param {Feed} feed */
	#settle(feed) {
		if (this.session.phase !== "in") this.#away(false);
		this.#permit(feed.model.you?.role ?? "");
		this.session.welcomed(feed.model.self()?.joined ?? false);
		this.playback.seat(feed.model.slots);
	}

	/** @param {Feed} feed @param {boolean} hand whether it was up before */
	#selfChanged(feed, hand) {
		const self = feed.model.self();
		if (!self) return;
		this.#permit(self.role);
		this.session.told(self);
		this.#toldOfMute &&= self.admin_muted;
		if (self.hand !== hand) say(t(self.hand ? "said.handUp" : "said.handDown"));
	}

	/** @param {string} role */
	#permit(role) {
		this.session.permit(role, this.target?.model.listenOnly !== null);
	}

	/** Told once for each mute, though the host says it again whenever the socket comes back. */
	#mutedByAdmin() {
		this.session.muteByAdmin();
		if (this.#toldOfMute || this.session.phase !== "in") return;
		this.#toldOfMute = true;
		toast(t("toast.adminMuted"), "lock", "alert");
	}

	/** @param {string} event of the session @param {any} detail */
	#tell(event, detail) {
		this.stopWaiting();
		if (event === "left") this.playback.stop();
		if (event === "full") this.#waitForPlace(Math.ceil(detail));
		else if (event === "ended") this.target?.end(detail);
		else if (event === "admitted") toast(t("toast.canSpeak"), "mic");
		else if (event === "microphone") toast(t("toast.microphone", { name: detail }), "mic-off");
		else if (event !== "network") say(t(`said.${event}`));
		if (event === "network" || event === "left") this.#away(detail === true);
		if (event === "left") queueMicrotask(() => this.feed || this.turnTo(this.#shown()));
	}

	/** @param {boolean} offline whether there is no network */
	#away(offline) {
		this.#offline = offline;
		this.show();
	}

	/** The socket is there, or nobody waits for it any more. */
	#found() {
		clearTimeout(this.#lostTimer);
		this.#lostTimer = 0;
	}

	/** Whatever was waited for is over. */
	#forget() {
		this.#joins = this.#offline = false;
		this.#found();
		this.stopWaiting();
	}

	/** @param {number} seconds until the next try */
	#waitForPlace(seconds) {
		this.#full = seconds;
		this.show();
		this.#fullTimer = setInterval(() => {
			if (this.#full === 1) return this.session.join();
			this.#full -= 1;
			this.show();
		}, 1000);
	}

	/** @param {string} event of the playback @param {string} [name] of the device that plays now; "" is the system's */
	#played(event, name) {
		if (event === "blocked") this.show();
		else if (event === "weak") toast(t("toast.weak"), "sound");
		else toast(name ? t("toast.speaker", { name }) : t("toast.speakerGone"), "sound");
	}
}
