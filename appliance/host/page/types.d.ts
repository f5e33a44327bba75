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
	/** For admins only; an older device tells none of it, or not all. */
	details?: Details;
	/** Of a bridge. */
	bridge?: Bridge;
}

/** Who is in the room that a bridge brings, and whether this room is heard there. */
interface Bridge {
	to: string;
	names: string[];
	/** How many besides. */
	more: number;
	speaking: string[];
	heard: boolean;
}

/** What the health of a device is measured by. */
type Measured = "round_trip_ms" | "loss_percent" | "playout_ms" | "dropouts_day" | "processor_percent" | "temperature_c";

/** docs/site-report.md; times in Unix seconds of the host. */
interface Details {
	/** When each reason last held the gate closed: from, to; null while it still does. */
	held?: Record<string, [number, number | null]>;
	/** Frames that left while the gate was closed, and how many were looked at. */
	proof?: { violations?: number; checked?: number; since?: number; engine?: string };
	config?: { version?: number; digest?: string; signed_by?: string; applied?: number; back_s?: number };
	health?: Partial<Record<Measured, number>>;
	link?: { phase?: string; since?: number };
	/** x and y in metres; x is at 3 o'clock of the ring, y at 12. */
	array?: { mics: number[][] };
	/** Degrees. */
	direction_error?: number;
	/** Whether it makes a support bundle when asked from afar. */
	bundle?: boolean;
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
	kind: "person" | "site" | "bridge";
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
	| "asking"
	| "none"
	| "blocked"
	| "busy"
	| "failed"
	| "unable";

/** What a session does its work with. */
interface Parts {
	media: import("./media.js").Media;
	microphone: import("./microphone.js").Microphone;
	/** To the host; whether it was sent. */
	send(message: object): boolean;
	/** Called after every change of what `own` gives. */
	changed(): void;
	tell(event: "muted" | "live" | "left" | "admitted" | "full" | "network" | "ended" | "microphone" | "unable", detail?: any): void;
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

/** Where in the page one is. */
interface Spot {
	view: "overview" | "room" | "devices";
	/** "" outside of a room. */
	room: string;
	/** A device's id on its own page, else "". */
	device: string;
}

type Feed = import("./feeds.js").Feed;

/** Who is told of what the feeds hear. */
interface FeedWatcher {
	/** `known`: the model has taken it; `hand`: whether our own was up before. */
	message(feed: Feed, m: any, known: boolean, hand: boolean): void;
	lost(feed: Feed): void;
	ended(feed: Feed, why: string): void;
}

/** A recording that is announced or runs; times in Unix seconds of the host. */
interface Recorded {
	since: number;
	starts: number;
	by: { id: string; name: string } | null;
}

/** When it was last heard, in Unix seconds of the host: the room, and members by id. */
interface LastSpoke {
	room: number | null;
	members: Record<string, number>;
}

/** How loud a member is for oneself; a gain of 1 is 100 %. */
interface Volume {
	gain: number;
	muted: boolean;
}

/** What the parts of the page work with, also those that come later. */
interface House {
	/** What is known of the room that is looked at; without one, of the room that one is in; of neither, nothing. */
	readonly model: Model;
	/** The id of that room, or "". */
	readonly room: string;
	/** The token for that room, or "". */
	token(): string;
	/** To the host about that room; whether it was sent. */
	send(message: object): boolean;
	/** The room that one is in or coming into; null while in none. */
	readonly stay: Feed | null;
	/** The room that is looked at; null on the overview and the devices page. */
	readonly shown: Feed | null;
	readonly feeds: import("./feeds.js").Feeds;
	readonly session: import("./session.js").Session;
	readonly playback: import("./playback.js").Playback;
	readonly microphone: import("./microphone.js").Microphone;
	readonly media: import("./media.js").Media;
	/** Join a room; whoever is in another one leaves that. */
	join(room: string): void;
	leave(): void;
	/** Keep what a link brings that is opened while the page is, and watch its rooms; the one that one is in gets its new key once one has left. */
	keep(link: import("./keyring.js").Link): void;
	/** Take a room's key out of this browser; that of the room that one is in once one has left. */
	forget(room: string): void;
	/** Knock at a room; by default the one that is looked at. */
	knock(room?: string): void;
	/** To another place of this page, by its path. */
	go(path: string): void;
	/** The host's time, Unix seconds. */
	time(): number;
	toast(text: string, picture: string, how?: "status" | "alert"): void;
	say(text: string, how?: "status" | "alert"): void;
	sheet(title: string, content: Node[], closed?: () => void): void;
	/** Called after every change of a room, of the own state, the place or the settings; levels are no change. Returns what ends it. */
	onChange(changed: (feed: Feed | null) => void): () => void;
	/** Called when the host does not do what was asked of it over presence. Returns what ends it. */
	onRefused(refused: (code: string, text: string) => void): () => void;
	/** Called with each message of a room but levels, once the model has taken it. Returns what ends it. */
	onMessage(heard: (feed: Feed, m: any) => void): () => void;
	/** Called at the meters' pace. Returns what ends it. */
	onPace(draw: (now: number) => void): () => void;
}

/** What a lazily loaded view gives the page: its node, and what ends it. */
interface View {
	node: HTMLElement;
	close?(): void;
	/** Where the devices page goes when another device is chosen there. */
	show?(spot: Spot): void;
}

/** Written by the host above worker.js: the page's files, and a name that changes with any of them. */
declare const VERSION: string;
declare const SHELL: readonly string[];
