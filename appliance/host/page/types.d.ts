// What the modules' comments call by name. For editors and checkers only; no browser asks for it.

type Model = import("./model.js").Model;
type Lit = "off" | "steady" | "slow" | "fast";
type LampName = "mic" | "room" | "speak" | "fault";

/** Hue (which also decides the figure) and place of a member; the host sends both. */
interface Sign {
	hue: number;
	place: number;
}

/** What a device tells of itself. */
interface Site {
	gate: "open" | "closed";
	reasons: string[];
	door: "open" | "listening" | "closed";
	/** When quiet hours end, Unix time in seconds. */
	quiet_until?: number | null;
	lamps: Record<LampName, Lit>;
	/** dBov */
	loudspeaker?: number;
	/** Where who is heard talks: degrees counter-clockwise from the array's x axis, seen from above. Only of an open gate. */
	direction?: number | null;
	extra?: Record<string, unknown>;
	/** The fingerprint of its key, as the host knows it. */
	key?: string;
}

/** What the demo's panel tells, from the device itself. */
interface PanelState extends Site {
	/** Where the mute switch stands; null: the panel has a button instead. */
	switch: "open" | "closed" | null;
	talking_while_closed: boolean;
}

/** The demo's way to the device: what a hand would do there. */
interface Panel {
	turn(closed: boolean): void;
	press(key: "door" | "knock"): void;
}

interface Member {
	id: string;
	name: string;
	initials: string;
	kind: "person" | "site";
	role: "guest" | "listener" | "speaker" | "admin";
	state: "connecting" | "listening" | "muted" | "admin_muted" | "hand" | "on_hold";
	joined: boolean;
	muted: boolean;
	admin_muted: boolean;
	hand: boolean;
	sign: Sign;
	site: Site | null;
}

interface You {
	id: string;
	name: string;
	role: string;
	kind: string;
	sign?: Sign;
	initials?: string;
}

/** The states of the own key. */
type Own =
	| "join"
	| "listen"
	| "listening"
	| "guest"
	| "connecting"
	| "reconnecting"
	| "muted"
	| "live"
	| "held"
	| "adminMuted"
	| "asked"
	| "none"
	| "blocked";

/** What a session does its work with. */
interface Parts {
	media: import("./media.js").Media;
	microphone: import("./microphone.js").Microphone;
	/** To the host; whether it was sent. */
	send(message: object): boolean;
	/** Called after every change of what `own` gives. */
	changed(): void;
	tell(event: "muted" | "live" | "left" | "admitted" | "full" | "network" | "ended", detail?: any): void;
}

/** What the keyboard can do. */
interface Actions {
	/** The own key. */
	press(): void;
	hold(): boolean;
	release(atOnce?: boolean): void;
	/** By the key's lower-case name; "?" too. */
	letters: Record<string, () => void>;
	/** Go to the n-th room, from 1. */
	room(n: number): void;
	/** Close what is open. */
	close(): void;
}
