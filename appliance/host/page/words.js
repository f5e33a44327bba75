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
	knocked: ["You knocked.", "Angeklopft."],

	// main.js, rooms.js and overview.js: several rooms
	places: ["Places", "Bereiche"],
	more: ["More", "Mehr"],
	widget: ["Floating window", "Schwebendes Fenster"],
	knocksAt: ["{name} knocks: {room}", "{name} klopft an: {room}"],
	"lazy.failed": ["This part of the page did not come. Try again.", "Dieser Teil der Seite kam nicht an. Bitte erneut versuchen."],
	"rooms.in": ["you are in it", "dort dabei"],
	"away.in": ["In the room:", "Im Raum:"],
	"away.back": ["Go back", "Zurück"],
	"away.join": ["Join here", "Hier beitreten"],
	"overview.speaking": ["{n} are speaking, in {rooms} rooms", "{n} sprechen, in {rooms} Räumen"],
	"overview.speakingOne": ["{n} are speaking, in 1 room", "{n} sprechen, in 1 Raum"],
	"overview.oneSpeaks": ["1 is speaking, in 1 room", "1 spricht, in 1 Raum"],
	"overview.none": ["No room is open here. Open the link that you were given.", "Hier ist kein Raum offen. Bitte den erhaltenen Link öffnen."],
	"overview.also": ["Also here: {names}", "Auch hier: {names}"],
	"overview.nobodyOpen": ["Nobody is here. The door is open.", "Niemand da. Die Tür ist offen."],
	"overview.quiet": ["Quiet hours until {time}.", "Ruhezeit bis {time}."],
	"overview.lastSpoke": ["Last spoke {time}", "Zuletzt gesprochen {time}"],
	"overview.chime": ["A knock rings a chime there", "Anklopfen läutet dort"],
	"overview.reconnecting": ["{name} is reconnecting", "{name} verbindet neu"],
	"overview.in": ["You are in this room.", "In diesem Raum dabei."],
	"overview.open": ["Open", "Öffnen"],
	"ago.s": ["{n} s ago", "vor {n} s"],
	"ago.min": ["{n} min ago", "vor {n} min"],
	"ago.h": ["{n} h ago", "vor {n} h"],
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
	"own.guest2": ["Listening until someone lets you in", "Zuhören, bis jemand hereinlässt"],
	"own.asked": ["You asked to speak", "Wortmeldung läuft"],
	"own.asked2": ["Press to withdraw", "Zurückziehen"],
	"own.none": ["No microphone found", "Kein Mikrofon gefunden"],
	"own.none2": ["You can listen. Check again", "Zuhören geht. Neu suchen"],
	"own.blocked": ["Microphone is blocked", "Mikrofon gesperrt"],
	"own.blocked2": ["Allow it in the browser", "Im Browser freigeben"],
	"own.asking": ["Allow the microphone", "Mikrofon freigeben"],
	"own.asking2": ["The browser asks for it", "Der Browser fragt danach"],
	"own.busy": ["Microphone is in use", "Mikrofon ist belegt"],
	"own.busy2": ["You can listen. Check again", "Zuhören geht. Neu suchen"],
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
	"state.spoke": ["Spoke {n} s ago", "Sprach vor {n} s"],

	hand: ["Hand", "Hand"],
	sound: ["Sound", "Ton"],
	leave: ["Leave", "Gehen"],

	"menu.volume": ["Volume", "Lautstärke"],
	"menu.muteForMe": ["Mute for me", "Für mich stumm"],
	"menu.mute": ["Mute for everyone", "Für alle stummschalten"],
	"menu.allow": ["Allow to speak", "Sprechen erlauben"],
	"menu.admit": ["Admit", "Hereinlassen"],
	"menu.remove": ["Remove", "Entfernen"],
	"menu.removeSure": ["Remove for good", "Endgültig entfernen"],

	"sound.all": ["Volume of the room", "Lautstärke des Raums"],
	"sound.speaker": ["Loudspeaker", "Lautsprecher"],

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
	"device.asked": ["The room was asked to unmute.", "Der Raum wurde ums Öffnen gebeten."],
	"device.reasons": ["Why it is muted", "Warum es stumm ist"],
	"device.switch": ["Mute switch of the device", "Stummschalter des Geräts"],
	"device.demo": ["Demo: switch and keys work here.", "Demo: Schalter und Tasten gehen hier."],
	"device.door": ["Door key of the device", "Türtaste des Geräts"],
	"device.knock": ["Knock key of the device", "Klopftaste des Geräts"],
	"device.voice": ["The voice comes from {hour} o'clock", "Die Stimme kommt von {hour} Uhr"],
	"device.talking": ["Somebody talks into the closed microphone", "Ins stumme Mikrofon wird gesprochen"],

	"device.print": ["Key", "Schlüssel"],

	enrol: ["Add a device", "Gerät hinzufügen"],
	"enrol.asking": ["Asks to be let in", "Bittet um Einlass"],
	"enrol.compare": ["The device shows its key by: kontor status. Let it in if it is the same.", "Das Gerät zeigt seinen Schlüssel mit: kontor status. Nur bei gleichem Schlüssel hereinlassen."],
	"enrol.letIn": ["Let in", "Hereinlassen"],
	"enrol.replaces": ["Takes the place of {id}.", "Tritt an die Stelle von {id}."],
	"enrol.comes": ["{name} comes within half a minute.", "{name} kommt in einer halben Minute."],
	"enrol.name": ["Name of the device", "Name des Geräts"],
	"enrol.wifi": ["Wi-Fi (empty: by cable)", "WLAN (leer: per Kabel)"],
	"enrol.password": ["Password of the Wi-Fi", "Passwort des WLANs"],
	"enrol.stays": ["The password goes into the file and nowhere else.", "Das Passwort kommt in die Datei und sonst nirgendwohin."],
	"enrol.make": ["Make the file", "Datei erstellen"],
	"enrol.made": ["kontor.toml for {name} is made.", "kontor.toml für {name} ist erstellt."],
	"enrol.then": ["Copy it onto the boot partition of the card. It lets one device in, until {time}.", "Auf die Boot-Partition der Karte kopieren. Bis {time} lässt die Datei ein Gerät herein."],
	"enrol.again": ["Download again", "Erneut herunterladen"],
	"enrol.another": ["Another device", "Weiteres Gerät"],

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
	"lamp.hand": ["Hand up: {name}", "Meldet sich: {name}"],
	"lamp.fault.off": ["Healthy", "In Ordnung"],
	"lamp.fault.steady": ["Starting or stopped", "Startet oder steht"],
	"lamp.limited": ["Limited: {what}", "Eingeschränkt: {what}"],
	"lamp.limitedOnly": ["Limited", "Eingeschränkt"],
	"lamp.fault.fast": ["Needs a person", "Braucht jemanden vor Ort"],

	"reason.switch": ["Switch", "Schalter"],
	"reason.button": ["Button", "Taste"],
	"reason.admin": ["Admin", "Moderation"],
	"reason.door": ["Door", "Tür"],
	"reason.quiet hours": ["Quiet hours", "Ruhezeit"],
	"reason.push-to-talk": ["Push-to-talk", "Sprechtaste"],
	"reason.no audio": ["No audio", "Kein Ton"],
	"reason.panel lost": ["Panel lost", "Bedienfeld fehlt"],
	"reason.hand": ["Waits for a hand", "Wartet auf eine Hand"],
	"reason.settings on trial": ["Settings on trial", "Neue Einstellungen auf Probe"],
	"reason.recording": ["Recording", "Aufnahme"],
	"reason.starting": ["Starting", "Startet"],
	"reason.fault": ["Fault", "Störung"],

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

	"toast.deviceAsks": ["{name} asks to be let in: Settings, Add a device.", "{name} bittet um Einlass: Einstellungen, Gerät hinzufügen."],

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
	"end.network": ["No network.", "Kein Netz."],
	"end.network2": ["Trying again by itself.", "Es geht von selbst weiter."],

	settings: ["Settings", "Einstellungen"],
	"set.language": ["Language", "Sprache"],
	"set.theme": ["Theme", "Darstellung"],
	"set.auto": ["Automatic", "Automatisch"],
	"set.light": ["Light", "Hell"],
	"set.dark": ["Dark", "Dunkel"],
	"set.still": ["Still display", "Ruhige Anzeige"],
	"set.letters": ["Single-letter keys", "Tasten mit einem Buchstaben"],
	"set.muteNew": ["Mute new members", "Neue stumm beitreten lassen"],
	"set.announce": ["Announce who speaks", "Ansagen, wer spricht"],
	"set.toGerman": ["DE EN: switch to German", "DE EN: zu Englisch wechseln"],

	keyboard: ["Keyboard", "Tastatur"],
	"key.m": ["Mute or unmute", "Stumm oder sprechen"],
	"key.space": ["Talk while held", "Halten zum Sprechen"],
	"key.h": ["Hand up or down", "Hand heben oder senken"],
	"key.k": ["Knock", "Anklopfen"],
	"key.rooms": ["Go to a room", "Zu einem Raum"],
	"key.arrows": ["Move in the member list", "In der Mitgliederliste bewegen"],
	"key.enter": ["Menu of a member", "Menü eines Mitglieds"],
	"key.esc": ["Close, never leave", "Schließen, nie gehen"],
	"key.help": ["This list", "Diese Liste"],
	"key.nameSpace": ["Space", "Leertaste"],
	"key.nameArrows": ["Arrows", "Pfeile"],

	// devices.js, devicecard.js, devicefacts.js, polar.js, bundle.js
	devices: ["Devices", "Geräte"],
	"devices.one": ["1 device", "1 Gerät"],
	"devices.many": ["{n} devices", "{n} Geräte"],
	"devices.none": ["No device reports a state yet.", "Noch meldet kein Gerät seinen Stand."],
	"devices.gone": ["This device is not here.", "Dieses Gerät ist nicht hier."],
	"devices.gone2": ["It may have been removed, or belong to a room without an admin’s link here.", "Es wurde entfernt oder gehört zu einem Raum, für den hier kein Link der Moderation ist."],
	"devices.admins": ["This page is for admins.", "Diese Seite ist für die Moderation."],
	"devices.admins2": ["With an admin's link the devices of a room stand here.", "Mit einem Link der Moderation stehen hier die Geräte eines Raums."],
	"devices.back": ["All devices", "Alle Geräte"],
	"devices.listening": ["Listening only", "Hört nur zu"],
	"devices.reconnecting": ["Reconnecting, {time}", "Verbindet neu, {time}"],
	"devices.unknown": ["Not known: no network", "Unbekannt: kein Netz"],
	"devices.micOpen": ["microphone open", "Mikrofon offen"],
	"devices.micClosed": ["microphone closed", "Mikrofon zu"],
	"devices.mute": ["Mute", "Stummschalten"],
	"devices.older": ["Not told: this device has older software.", "Nicht gemeldet: Dieses Gerät hat ältere Software."],
	"devices.seconds": ["{n} s", "{n} s"],
	"devices.minutes": ["{n} min", "{n} min"],
	"devices.hours": ["{n} h", "{n} h"],

	"gate.open": ["Gate: open", "Mikrofon: offen"],
	"gate.closed": ["Gate: closed", "Mikrofon: zu"],
	"gate.clear": ["All clear. When each last held:", "Alles frei. Wann es zuletzt zu war:"],
	"gate.clearOnly": ["All clear. It tells no times.", "Alles frei. Zeiten meldet es nicht."],
	"gate.never": ["never", "nie"],
	"gate.since": ["since {time}", "seit {time}"],
	"gate.span": ["{from} to {to}", "{from} bis {to}"],
	"gate.today": ["today, {time}", "heute, {time}"],
	"gate.now": ["holds now", "gilt jetzt"],

	polar: ["Talker direction", "Richtung der Stimme"],
	"polar.when": ["Drawn only while the gate is open.", "Nur bei offenem Mikrofon gezeichnet."],
	"polar.blank": ["Not drawn while muted", "Nicht gezeichnet, solange stumm"],
	"polar.at": ["at {hour} o’clock", "bei {hour} Uhr"],
	"polar.between": ["between {from} and {to} o’clock", "zwischen {from} und {to} Uhr"],
	"polar.error": [", ± {n}°", ", ± {n}°"],
	"polar.nobody": ["Nobody located yet", "Noch niemand geortet"],
	"polar.none": ["This device tells no direction", "Dieses Gerät meldet keine Richtung"],

	proof: ["Proof of mute", "Nachweis der Stummheit"],
	"proof.frames": ["frames left while the gate was closed.", "Rahmen gingen hinaus, während das Mikrofon zu war."],
	"proof.checked": ["{n} checked since {date}, every engine.", "{n} geprüft seit {date}, jede Technik."],
	"proof.broken": ["Something left a closed microphone. Unplug this device and send its support bundle.", "Aus dem geschlossenen Mikrofon kam etwas. Gerät vom Strom nehmen und das Diagnosepaket einsenden."],

	config: ["Config", "Konfiguration"],
	"config.version": ["Version", "Version"],
	"config.digest": ["Digest", "Prüfsumme"],
	"config.signed": ["Signed by", "Signiert von"],
	"config.applied": ["Applied", "Übernommen"],
	"config.back": ["Back in the room", "Wieder im Raum"],
	"config.after": ["after {time}", "nach {time}"],

	health: ["Health", "Zustand"],
	"health.round_trip_ms": ["Round trip", "Laufzeit"],
	"health.loss_percent": ["Packet loss", "Paketverlust"],
	"health.playout_ms": ["Playout delay", "Puffer"],
	"health.dropouts_day": ["Dropouts", "Aussetzer"],
	"health.processor_percent": ["Processor", "Prozessor"],
	"health.temperature_c": ["Temperature", "Temperatur"],
	"health.max": ["max {n}", "max. {n}"],
	"health.range": ["{from} to {to}", "{from} bis {to}"],
	"health.day": ["in 24 h", "in 24 h"],
	"health.core": ["of one core", "eines Kerns"],
	"health.good": ["Within the limit", "Im Rahmen"],
	"health.bad": ["Beyond the limit", "Außerhalb des Rahmens"],
	"health.round_trip_ms.way": ["Round trip: the way to the host is long or busy. A cable helps more than Wi-Fi.", "Laufzeit: Der Weg zum Server ist lang oder belegt. Kabel hilft mehr als WLAN."],
	"health.loss_percent.way": ["Packet loss: use a cable, or a Wi-Fi with less traffic.", "Paketverlust: Kabel nehmen oder ein ruhigeres WLAN."],
	"health.playout_ms.way": ["Playout delay: packets come unevenly. Use a cable, or a Wi-Fi with less traffic.", "Puffer: Pakete kommen ungleichmäßig. Kabel nehmen oder ein ruhigeres WLAN."],
	"health.dropouts_day.way": ["Dropouts: check power supply and USB cable, then run: kontor doctor", "Aussetzer: Netzteil und USB-Kabel prüfen, dann: kontor doctor"],
	"health.processor_percent.way": ["Processor: end other programs on the device, or use a faster board.", "Prozessor: Andere Programme auf dem Gerät beenden oder eine schnellere Platine nehmen."],
	"health.temperature_c.way": ["Temperature: give it air or a heat sink, away from sun and heating.", "Temperatur: Für Luft oder einen Kühlkörper sorgen, weg von Sonne und Heizung."],

	bundle: ["Support bundle", "Diagnosepaket"],
	"bundle.what": ["No secret, no sound and nobody’s name is in it.", "Kein Geheimnis, kein Ton und kein Name ist darin."],
	"bundle.asking": ["Asking {name}", "{name} wird gefragt"],
	"bundle.packing": ["{name} packs it, {n} s", "{name} packt, {n} s"],
	"bundle.saved": ["{file} is saved.", "{file} ist gespeichert."],
	"bundle.late": ["{name} has not sent it within two minutes.", "{name} hat es in zwei Minuten nicht geschickt."],
	"bundle.again": ["Try again", "Erneut versuchen"],
	"bundle.save": ["Save again", "Erneut speichern"],

	// menu.js, admin.js, enrol.js, asks.js, recording.js
	cancel: ["Cancel", "Abbrechen"],
	"menu.listenOnly": ["Let listen only", "Nur zuhören lassen"],
	"menu.removeAsk": ["Remove {name}? Every link to this name stops working until they are let in again.", "{name} entfernen? Alle Links auf diesen Namen gelten nicht mehr, bis wieder Einlass gewährt wird."],

	admin: ["This room", "Dieser Raum"],
	"admin.title": ["Title of the room", "Titel des Raums"],
	"admin.count": ["{n} of {most}", "{n} von {most}"],
	"admin.rename": ["Rename", "Umbenennen"],
	"admin.renamed": ["The room has a new title.", "Der Raum hat einen neuen Titel."],
	"admin.titleEmpty": ["A title has at least one character.", "Ein Titel hat mindestens ein Zeichen."],
	"admin.tooLong": ["At most {most} characters.", "Höchstens {most} Zeichen."],
	"admin.badTitle": ["The host does not take this title: only characters that can be read on one line.", "Der Server nimmt diesen Titel nicht: nur Zeichen, die auf einer Zeile lesbar sind."],
	"admin.muteNew2": ["Whoever comes in from now on is muted until an admin lets them speak.", "Wer von jetzt an hereinkommt, ist stumm, bis die Moderation das Sprechen erlaubt."],
	"admin.sentOut": ["Sent out", "Entfernt"],
	"admin.nobodyOut": ["Nobody was sent out.", "Niemand wurde entfernt."],
	"admin.by": ["by {name}", "von {name}"],
	"admin.allow": ["Let in again", "Wieder hereinlassen"],
	"admin.allowName": ["Let {name} in again", "{name} wieder hereinlassen"],
	"admin.allowed": ["May come in again.", "Darf wieder herein."],

	link: ["Make a link", "Link erstellen"],
	"link.name": ["Name of whoever it is for", "Name der Person"],
	"link.may": ["With this link one can", "Mit diesem Link geht"],
	"link.speaker": ["Speak and listen", "Sprechen und Zuhören"],
	"link.listener": ["Listen only", "Nur Zuhören"],
	"link.good": ["Good for", "Gültig für"],
	"link.day": ["1 day", "1 Tag"],
	"link.days": ["{n} days", "{n} Tage"],
	"link.make": ["Make the link", "Link erstellen"],
	"link.for": ["Link for {name}", "Link für {name}"],
	"link.until": ["until {time}", "bis {time}"],
	"link.copy": ["Copy", "Kopieren"],
	"link.byHand": ["Press Ctrl+C to copy.", "Mit Strg+C kopieren."],
	"link.scan": ["Or scan this with a phone.", "Oder mit dem Telefon abscannen."],
	"link.warning": ["Whoever has this link comes in as {name}.", "Wer diesen Link hat, kommt als {name} herein."],
	"link.another": ["Another link", "Weiterer Link"],
	"toast.linkCopied": ["Link copied.", "Link kopiert."],

	"ask.hand": ["{name} wants to speak", "{name} meldet sich"],
	"ask.later": ["Not now", "Jetzt nicht"],
	"ask.more": ["and {n} more", "und {n} weitere"],
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

/** A moment as short as it can be told from `now`: by its time today, by its day this week, else by its date. @param {number} seconds Unix time @param {number} now Unix time */
export function timeWords(seconds, now) {
	const [then, today] = [new Date(1000 * seconds), new Date(1000 * now)];
	/** @type {Intl.DateTimeFormatOptions} */
	const day = seconds - now < 518400 ? { weekday: "short" } : { day: "numeric", month: "short" };
	const shown = then.toDateString() === today.toDateString() ? {} : day;
	return then.toLocaleString(current, { ...shown, hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
}

/**
 * Fill every element that names its words: `data-word` its text, `data-label` its accessible name.
 * @param {Document | DocumentFragment} root
 */
export function translate(root) {
	for (const node of root.querySelectorAll("[data-word]")) node.textContent = t(node.getAttribute("data-word") ?? "");
	for (const node of root.querySelectorAll("[data-label]")) node.setAttribute("aria-label", t(node.getAttribute("data-label") ?? ""));
}
