/**
 * Every word of the page, English and German side by side; German does without "du" and "Sie".
 *
 * A place in braces is filled by `t(key, {place: value})`. `own.` is the own key, `state.` a member's state, `lamp.` and
 * `reason.` the device, `end.` why the room cannot be shown.
 */

/** @type {Record<string, readonly [string, string]>} */
export const WORDS = {
	skip: ["To the microphone", "Zum Mikrofon"],
	rooms: ["Rooms", "Räume"],
	members: ["Members", "Mitglieder"],
	who: ["Who speaks", "Wer spricht"],
	dock: ["Microphone and room", "Mikrofon und Raum"],
	close: ["Close", "Schließen"],
	here: ["{n} here", "{n} hier"],
	empty: ["Empty", "Leer"],
	nobody: ["Nobody is here.", "Niemand da."],
	before: ["You see levels now.", "Pegel sind schon zu sehen."],
	before2: ["Sound starts when you join.", "Ton gibt es nach dem Beitreten."],
	noHttps: ["Only listening: this page came without encryption.", "Nur Zuhören: Die Seite kam ohne Verschlüsselung."],
	noHttps2: ["By https one can speak too. Whoever runs the server can set it up.", "Mit https geht auch Sprechen. Einrichten können es die Betreiber des Servers."],
	knocks: ["{name} knocks", "{name} klopft an"],

	// main.js, rooms.js and overview.js: several rooms
	places: ["Places", "Bereiche"],
	more: ["More", "Mehr"],
	widget: ["Floating window", "Schwebendes Fenster"],
	knocksAt: ["{name} knocks: {room}", "{name} klopft an: {room}"],
	"lazy.failed": ["This part of the page did not come. Try again.", "Dieser Teil der Seite kam nicht an. Bitte erneut versuchen."],
	"rooms.in": ["you are in it", "dort dabei"],
	"away.in": ["In the room:", "Im Raum:"],
	"away.join": ["Join here", "Hier beitreten"],
	knock: ["Knock", "Anklopfen"],

	// notify.js

	minuteAgo: ["1 min ago", "vor 1 min"],
	now: ["now", "jetzt"],
	nobodySpeaks: ["Nobody speaks", "Niemand spricht"],
	speaks: ["{name} speaks", "{name} spricht"],
	you: ["(you)", "(ich)"],

	"own.join": ["Join", "Beitreten"],
	"own.join2": ["You join muted", "Mikrofon bleibt stumm"],
	"own.listen": ["Listen", "Zuhören"],
	"own.listen2": ["You can only listen", "Nur zum Zuhören"],
	"own.connecting2": ["The microphone stays closed", "Mikrofon bleibt zu"],
	"own.reconnecting": ["Reconnecting", "Verbindet neu"],
	"own.reconnecting2": ["Nobody hears you yet", "Noch hört niemand mit"],
	"own.muted": ["Unmute", "Sprechen"],
	"own.muted2": ["Hold space to talk", "Leertaste halten"],
	"own.muted2touch": ["Hold to talk", "Halten zum Sprechen"],
	"own.live": ["You are live", "Auf Sendung"],
	"own.live2": ["Everyone hears you", "Alle hören mit"],
	"own.held2": ["Release to mute", "Loslassen macht stumm"],
	"own.adminMuted": ["Ask to speak", "Ums Wort bitten"],
	"own.adminMuted2": ["Muted by admin", "Stumm (Moderation)"],
	"own.guest2": ["Listening until let in", "Zuhören bis zum Einlass"],
	"own.asked": ["You asked to speak", "Wortmeldung läuft"],
	"own.asked2": ["Press to withdraw", "Zurückziehen"],
	"own.none": ["No microphone found", "Kein Mikrofon gefunden"],
	"own.none2": ["You can listen. Check again", "Zuhören geht. Neu suchen"],
	"own.blocked": ["Microphone is blocked", "Mikrofon gesperrt"],
	"own.blocked2": ["Allow it in the browser", "Im Browser freigeben"],
	"own.asking": ["Allow the microphone", "Mikrofon freigeben"],
	"own.asking2": ["The browser asks for it", "Der Browser fragt danach"],
	"own.busy": ["Microphone is in use", "Mikrofon ist belegt"],
	"own.failed": ["Microphone failed", "Mikrofon gestört"],
	"own.failed2": ["You can listen. Try again", "Zuhören geht. Neu starten"],
	"own.unable": ["No sound here", "Hier ohne Ton"],
	"own.unable2": ["This browser lacks WebRTC", "Dem Browser fehlt WebRTC"],
	"hint.title": ["You are muted", "Mikrofon ist stumm"],
	"hint.text": ["Nobody hears this.", "Das hört gerade niemand."],
	"said.muted": ["Muted.", "Stumm."],
	"said.live": ["You are live.", "Auf Sendung."],
	"said.left": ["You left the room.", "Raum verlassen."],
	"said.handUp": ["Hand up.", "Hand oben."],
	"said.handDown": ["Hand down.", "Hand unten."],

	"state.speaking": ["Speaking", "Spricht"],
	"state.listening": ["Listening", "Hört zu"],
	"state.muted": ["Muted", "Stumm"],
	"state.hand": ["Wants to speak", "Meldet sich"],
	"state.connecting": ["Connecting", "Verbindet"],
	"state.on_hold": ["On hold", "Pausiert"],
	"state.admin_muted": ["Muted by admin", "Von der Moderation stumm"],
	"state.guest": ["Guest, listening", "Gast, hört zu"],
	"state.mutedForMe": ["Muted for me", "Für mich stumm"],
	"bridge.unheard": ["{to} does not hear this room", "{to} hört diesen Raum nicht"],
	"bridge.speaking": ["Speaking: {names}", "Spricht: {names}"],
	"bridge.nobody": ["Nobody in {to}", "Niemand in {to}"],
	"bridge.names": ["In {to}: {names}", "In {to}: {names}"],
	"state.spoke": ["Spoke {n} s ago", "Sprach vor {n} s"],

	hand: ["Hand", "Hand"],
	sound: ["Sound", "Ton"],
	leave: ["Leave", "Gehen"],


	"sound.speaker": ["Loudspeaker", "Lautsprecher"],

	// soundsheet.js, echotest.js, playback.js, session.js
	blocked: ["The browser keeps the sound off.", "Der Browser hält den Ton zurück."],
	blocked2: ["It starts with a press.", "Er beginnt mit einem Druck."],
	"blocked.start": ["Start the sound", "Ton starten"],
	"said.unable": ["This browser has no sound for rooms.", "Dieser Browser hat keinen Ton für Räume."],
	"toast.microphone": ["Microphone: {name}. Muted.", "Mikrofon: {name}. Stumm."],
	"toast.weak": ["The browser plays no louder than 100 % now.", "Lauter als 100 % spielt der Browser gerade nicht."],
	"toast.speaker": ["Sound comes from: {name}.", "Der Ton kommt aus: {name}."],
	"toast.speakerGone": ["The chosen loudspeaker is gone. Sound comes from the system's.", "Der gewählte Lautsprecher fehlt. Der Ton kommt aus dem des Systems."],

	"door.open": ["Door open", "Tür offen"],
	"door.listening": ["Device is listening only", "Gerät hört nur zu"],
	"door.closed": ["Door closed", "Tür zu"],
	"door.quietUntil": ["Quiet hours until {time}", "Ruhezeit bis {time}"],

	device: ["Device", "Gerät"],
	"device.in": ["Device in {name}", "Gerät in {name}"],
	"device.none": ["There is no device in this room.", "In diesem Raum ist kein Gerät."],
	"device.mute": ["Mute the device", "Gerät stummschalten"],
	"device.ask": ["Ask the room to unmute", "Um Öffnen bitten"],
	"device.hand": ["Only a hand in the room can unmute it.", "Nur eine Hand im Raum kann es öffnen."],
	"device.reasons": ["Why it is muted", "Warum es stumm ist"],
	"device.switch": ["Mute switch of the device", "Stummschalter des Geräts"],
	"device.demo": ["Demo: switch and keys work here.", "Demo: Schalter und Tasten gehen hier."],
	"device.door": ["Door key of the device", "Türtaste des Geräts"],
	"device.knock": ["Knock key of the device", "Klopftaste des Geräts"],
	"device.voice": ["The voice comes from {hour} o'clock", "Die Stimme kommt von {hour} Uhr"],
	"device.talking": ["Somebody talks into the closed microphone", "Ins stumme Mikrofon wird gesprochen"],

	"device.print": ["Key", "Schlüssel"],

	enrol: ["Add a device", "Gerät hinzufügen"],

	"lamp.off": ["Off", "Aus"],
	"lamp.steady": ["On", "An"],
	"lamp.slow": ["Pulses", "Pulsiert"],
	"lamp.fast": ["Blinks", "Blinkt"],
	"lamp.micOpen": ["Microphone open", "Mikrofon offen"],
	"lamp.micClosed": ["Closed by: {reasons}", "Zu durch: {reasons}"],
	"lamp.micFault": ["Closed by a fault", "Zu wegen Störung"],
	"lamp.room.off": ["Not in the room", "Nicht im Raum"],
	"lamp.room.steady": ["In the room", "Im Raum"],
	"lamp.room.slow": ["Connecting", "Verbindet"],
	"lamp.room.fast": ["Refused", "Abgewiesen"],
	"lamp.hand": ["Hand up:\u00a0{name}", "Meldet\u00a0sich:\u00a0{name}"],
	"lamp.fault.off": ["Healthy", "In Ordnung"],
	"lamp.fault.steady": ["Starting or stopped", "Startet oder steht"],
	"lamp.limited": ["Limited: {what}", "Eingeschränkt: {what}"],
	"lamp.limitedOnly": ["Limited", "Eingeschränkt"],
	"lamp.fault.fast": ["Needs a person", "Braucht jemanden vor Ort"],

	// extra.limited_by of a device (app/about.py) or a bridge
	"limited.sound": ["sound", "Ton"],
	"limited.panel": ["keys or lamps", "Tasten oder Lampen"],
	"limited.under_voltage": ["voltage", "Spannung"],
	"limited.frequency_capped": ["processor clock", "Prozessortakt"],
	"limited.throttled": ["processor", "Prozessor"],
	"limited.hot": ["heat", "Hitze"],
	"limited.untold": ["no word of a recording there", "Aufnahme dort nicht angesagt"],

	"reason.switch": ["Switch", "Schalter"],
	"reason.button": ["Button", "Taste"],
	"reason.admin": ["Admin", "Moderation"],
	"reason.door": ["Door", "Tür"],
	"reason.quiet hours": ["Quiet hours", "Ruhezeit"],
	"reason.push-to-talk": ["Push-to-talk", "Sprechtaste"],
	"reason.no audio": ["No audio", "Kein Ton"],
	"reason.panel lost": ["Panel lost", "Bedienfeld fehlt"],
	"reason.hand": ["Waits for a hand", "Wartet auf eine Hand"],
	"reason.settings on trial": ["Settings on trial", "Einstellungen auf Probe"],
	"reason.recording": ["Recording", "Aufnahme"],
	"reason.starting": ["Starting", "Startet"],
	"reason.fault": ["Fault", "Störung"],
	"reason.ring": ["Another bridge", "Andere Brücke"],
	"reason.away": ["Not in both rooms", "Nicht in beiden Räumen"],

	"rec.starts": ["Recording starts in {n} s", "Aufnahme beginnt in {n} s"],
	"rec.startsBy": ["started by {name}", "gestartet von {name}"],
	"rec.running": ["Recording, {time}", "Aufnahme läuft, {time}"],
	"rec.began": ["This room is being recorded.", "Dieser Raum wird aufgenommen."],
	"rec.stopped": ["Recording stopped.", "Aufnahme beendet."],

	"toast.canSpeak": ["You can now speak.", "Sprechen ist jetzt möglich."],
	"toast.adminMuted": [
		"An admin muted your microphone. You can still listen.",
		"Die Moderation hat das Mikrofon stummgeschaltet. Zuhören geht weiter.",
	],
	"toast.asked": ["{name} asks you to unmute.", "{name} bittet, das Mikrofon zu öffnen."],

	"toast.deviceAsks": ["{name} asks to be let in: Settings, This room, Add a device.", "{name} bittet um Einlass: Einstellungen, Dieser Raum, Gerät hinzufügen."],

	"end.expired": ["This link has expired.", "Der Link ist abgelaufen."],
	"end.expired2": ["Ask for a new one. Names and levels stay hidden.", "Bitte einen neuen anfordern. Namen und Pegel bleiben verborgen."],
	"end.invalid": ["This link is not valid.", "Der Link ist ungültig."],
	"end.invalid2": ["Names and levels stay hidden.", "Namen und Pegel bleiben verborgen."],
	"end.removed": ["You were removed from this room.", "Aus diesem Raum entfernt."],
	"end.removed2": ["Names and levels stay hidden.", "Namen und Pegel bleiben verborgen."],
	"end.noRoom": ["There is no such room.", "Diesen Raum gibt es nicht."],
	"end.noRoom2": ["Check the address.", "Bitte die Adresse prüfen."],
	"end.elsewhere": ["Open in another window.", "In einem anderen Fenster offen."],
	"end.elsewhere2": ["A name is in the room only once.", "Ein Name ist nur einmal im Raum."],
	"end.take": ["Take it here", "Hierher holen"],
	"end.again": ["Try again", "Erneut versuchen"],
	"end.full": ["The room is full.", "Der Raum ist voll."],
	"end.full2": ["Next try in {n} s.", "Neuer Versuch in {n} s."],
	"end.stop": ["Wait no longer", "Nicht länger warten"],
	"end.network": ["No network.", "Kein Netz."],
	"end.network2": ["Trying again by itself.", "Es geht von selbst weiter."],

	settings: ["Settings", "Einstellungen"],
	"set.theme": ["Theme", "Darstellung"],
	"set.auto": ["Automatic", "Automatisch"],
	"set.light": ["Light", "Hell"],
	"set.dark": ["Dark", "Dunkel"],
	"set.toGerman": ["DE EN: switch to German", "DE EN: zu Englisch wechseln"],

	// devices.js, devicecard.js, devicefacts.js, polar.js, bundle.js
	devices: ["Devices", "Geräte"],

	link: ["Make a link", "Link erstellen"],

};

/** @type {"en" | "de"} */
let current = "en";

/** Everything that is asked for from now on is in this language. @param {"en" | "de"} wanted */
export function setLanguage(wanted) {
	current = wanted;
	document.documentElement.lang = wanted;
}

/** What is spoken here now, as a tag for `Intl`: the days of the English pages are written as 3 Nov. */
export const tag = () => (current === "de" ? "de" : "en-GB");

/** A name among other words: it keeps its own direction, and theirs. @param {string} text */
export const isolated = (text) => `\u2068${text}\u2069`;

/** The words for a key; `values` fill the places. An unknown key throws. @param {string} key @param {Record<string, any>} [values] */
export function t(key, values = {}) {
	const pair = WORDS[key];
	if (!pair) throw new Error(`no words for ${key}`);
	return pair[current === "de" ? 1 : 0].replace(/\{(\w+)\}/g, (_, place) => values[place]);
}

/** A moment as short as it can be told from `now`: by its time today, by its day within six days, else by its date. @param {number} seconds Unix time @param {number} now Unix time */
export function timeWords(seconds, now) {
	const [then, today] = [new Date(1000 * seconds), new Date(1000 * now)];
	/** @type {Intl.DateTimeFormatOptions} */
	const day = Math.abs(seconds - now) < 518400 ? { weekday: "short" } : { day: "numeric", month: "short" };
	const shown = then.toDateString() === today.toDateString() ? {} : day;
	return then.toLocaleString(tag(), { ...shown, hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
}

/**
 * Fill every element that names its words: `data-word` its text, `data-label` its accessible name.
 * @param {ParentNode} root
 */
export function translate(root) {
	for (const node of root.querySelectorAll("[data-word]")) node.textContent = t(node.getAttribute("data-word") ?? "");
	for (const node of root.querySelectorAll("[data-label]")) node.setAttribute("aria-label", t(node.getAttribute("data-label") ?? ""));
}
