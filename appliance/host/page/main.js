/** Puts the page together: address, model, socket, sound, and the parts that show them. */

import { readAddress } from "./address.js";
import { Bar } from "./bar.js";
import { Device } from "./device.js";
import { byId, icon, pictureKey, setAttribute, setText } from "./dom.js";
import { Ended } from "./ended.js";
import { Hint } from "./hint.js";
import { listen } from "./keys.js";
import { Media } from "./media.js";
import { Members } from "./members.js";
import { pace } from "./meters.js";
import { Microphone } from "./microphone.js";
import { Model } from "./model.js";
import { OwnKey } from "./ownkey.js";
import { PanelLink } from "./panel.js";
import { Playback } from "./playback.js";
import { onPrefs, prefs, setPrefs } from "./prefs.js";
import { Presence } from "./presence.js";
import { Recording } from "./recording.js";
import { Rooms } from "./rooms.js";
import { closeToast, notice, say, toast } from "./say.js";
import { Session } from "./session.js";
import { closeSheet, keyboardSheet, settingsSheet, sheet, soundSheet } from "./sheets.js";
import { drawMark, drawSign, makeSign } from "./signs.js";
import { Volumes } from "./volumes.js";
import { setLanguage, t, translate } from "./words.js";

const root = document.documentElement;
const wide = matchMedia("(min-width: 68.75rem)");

class Page {
  #address = readAddress(location);
  #model = new Model();
  #bar = new Bar();
  #rooms = new Rooms();
  #ownKey = new OwnKey();
  #hint = new Hint();
  #ownSign = makeSign();
  #volumes = new Volumes(() => this.#volumesChanged());
  #playback = new Playback([byId("slot-0"), byId("slot-1"), byId("slot-2")]);
  #microphone = new Microphone(() => this.#microphoneChanged());
  #presence;
  #session;
  #members;
  #device;
  #recording;
  #ended;
  #announced = "";
  #toldOfMute = false;
  #takes = false;
  #full = 0;
  #lost = 0;

  constructor() {
    const { room, token, panel } = this.#address;
    const media = new Media(room, token, {
      track: (slot, track) => this.#playback.play(slot, track),
      lost: () => this.#session.mediaLost(),
    });
    this.#presence = new Presence(room, token, {
      message: (message) => this.#message(message),
      lost: () => this.#presenceLost(),
      ended: (why) => this.#end(why),
    });
    const send = (/** @type {object} */ message) => this.#presence.send(message);
    const changed = () => this.#showOwn();
    const tell = (/** @type {string} */ event, /** @type {any} */ detail) => this.#tell(event, detail);
    this.#session = new Session({ media, microphone: this.#microphone, send, changed, tell });
    const link = panel ? new PanelLink(panel, () => this.#device.show()) : null;
    this.#device = new Device(this.#model, link, send);
    this.#members = new Members(this.#model, this.#volumes, send);
    this.#recording = new Recording(() => this.#session.leave());
    this.#ended = new Ended((why) => this.#again(why));
    link?.open();
  }

  start() {
    for (const mark of document.querySelectorAll(".mark")) drawMark(mark);
    byId("self-sign").append(this.#ownSign);
    onPrefs(() => this.#prefsChanged());
    this.#prefsChanged();
    this.#place();
    wide.addEventListener("change", () => this.#place());
    this.#buttons();
    listen(this.#actions());
    pace((now) => this.#draw(now));
    setInterval(() => this.#second(), 1000);
    addEventListener("pagehide", () => this.#session.leave());
    addEventListener("pageshow", (event) => event.persisted && location.reload());
    if (!this.#address.token) this.#end("invalid");
    else this.#presence.open();
  }

  #buttons() {
    byId("skip").onclick = () => byId("own").focus();
    byId("language").onclick = () => setPrefs({ language: prefs.language === "de" ? "en" : "de" });
    byId("theme").onclick = () => {
      const order = /** @type {const} */ (["auto", "light", "dark"]);
      setPrefs({ theme: order[(order.indexOf(prefs.theme) + 1) % 3] });
    };
    byId("settings").onclick = () => settingsSheet(keyboardSheet);
    byId("knock").onclick = () => this.#knock();
    byId("hand").onclick = () => this.#session.raiseHand(!this.#session.hand);
    byId("leave").onclick = () => this.#session.leave();
    byId("sound").onclick = () => soundSheet(this.#playback, this.#microphone, (id) => this.#chooseMicrophone(id));
    byId("lamp-strip").onclick = () => this.#deviceSheet();
  }

  /** @returns {import("./keys.js").Actions} */
  #actions() {
    const muting = ["muted", "live", "held"];
    return {
      press: () => this.#session.press(),
      hold: () => this.#session.hold(),
      release: (atOnce) => this.#session.release(atOnce),
      room: (n) => this.#rooms.go(n),
      close: () => closeSheet() || this.#members.closeMenu() || this.#rooms.close() || closeToast(),
      letters: {
        m: () => muting.includes(this.#session.own) && this.#session.press(),
        j: () => this.#session.join(),
        h: () => this.#session.raiseHand(!this.#session.hand),
        k: () => this.#knock(),
        d: () => (wide.matches ? byId("aside").focus() : this.#deviceSheet()),
        "?": () => closeSheet() || keyboardSheet(),
      },
    };
  }

  /** @param {any} m */
  #message(m) {
    const now = performance.now();
    const before = this.#model.self()?.hand ?? false;
    if (this.#model.apply(m, now)) this.#modelChanged(m, before, now);
    else if (m.type === "muted_by_admin") {
      this.#mutedByAdmin();
    } else if (m.type === "admin_mute_lifted") {
      this.#session.liftAdminMute();
      toast(t("toast.canSpeak"), "mic");
      say(t("toast.canSpeak"));
    } else if (m.type === "asked_to_unmute") this.#hear("toast.asked", m.by.name, "mic");
    else if (m.type === "knock" && m.by.id !== this.#model.you?.id) this.#hear("knocks", m.by.name, "knock");
    else if (m.type === "recording") this.#recording.apply(m);
  }

  /** Told once for each mute, though a host may say it again whenever the socket comes back. */
  #mutedByAdmin() {
    this.#session.muteByAdmin();
    if (this.#toldOfMute || this.#session.phase !== "in") return;
    this.#toldOfMute = true;
    toast(t("toast.adminMuted"), "lock");
    say(t("toast.adminMuted"), "alert");
  }

  /**
   * @param {string} word
   * @param {string} name
   * @param {string} picture
   */
  #hear(word, name, picture) {
    toast(t(word, { name }), picture);
    say(t(word, { name }));
  }

  /**
   * @param {any} m
   * @param {boolean} handBefore
   * @param {number} now
   */
  #modelChanged(m, handBefore, now) {
    if (m.type === "welcome") this.#welcome();
    const self = this.#model.self();
    if (self && (m.type === "welcome" || m.member?.id === self.id)) {
      this.#session.told(self);
      this.#toldOfMute &&= self.admin_muted;
      if (self.hand !== handBefore) say(t(self.hand ? "said.handUp" : "said.handDown"));
    }
    if (m.type === "welcome" || m.type === "slots") this.#volumesChanged();
    if (m.type === "levels") this.#announce();
    this.#showRoom(now);
  }

  #welcome() {
    const you = this.#model.you;
    this.#ended.end();
    clearTimeout(this.#lost);
    this.#lost = 0;
    if (this.#session.phase !== "in") notice(null);
    this.#session.listener = you?.role === "listener";
    this.#session.welcomed(this.#model.self()?.joined ?? false);
    root.setAttribute("data-levels", this.#model.realLevels ? "real" : "none");
    this.#showSelf();
    if (this.#takes) this.#session.join();
    this.#takes = false;
  }

  #presenceLost() {
    this.#session.presenceLost();
    this.#model.silence();
    this.#showRoom(performance.now());
    if (this.#lost || this.#ended.shown) return;
    this.#lost = setTimeout(() => this.#noNetwork(), 2000);
  }

  #noNetwork() {
    notice({ first: t("end.network"), second: t("end.network2") });
  }

  /**
   * @param {string} event of the session
   * @param {any} detail
   */
  #tell(event, detail) {
    clearInterval(this.#full);
    if (event === "muted") say(t("said.muted"));
    else if (event === "live") say(t("said.live"));
    else if (event === "left") {
      this.#playback.stop();
      say(t("said.left"));
    } else if (event === "network") detail ? this.#noNetwork() : notice(null);
    else if (event === "full") this.#waitForPlace(detail);
    else if (event === "ended") this.#end(detail);
  }

  /** @param {number} seconds */
  #waitForPlace(seconds) {
    let left = Math.ceil(seconds);
    const key = { word: t("end.again"), press: () => this.#session.join() };
    const show = () => notice({ first: t("end.full"), second: t("end.full2", { n: left }), key });
    show();
    this.#full = setInterval(() => {
      left -= 1;
      if (left > 0) show();
      else this.#session.join();
    }, 1000);
  }

  /** @param {string} why */
  #end(why) {
    const expired = why === "invalid" && this.#address.expires * 1000 < Date.now();
    notice(null);
    clearInterval(this.#full);
    this.#presence.close();
    this.#session.end();
    this.#playback.stop();
    this.#model.silence();
    this.#ended.begin(expired ? "expired" : why);
  }

  /** @param {string} why it had ended */
  #again(why) {
    this.#takes = why === "elsewhere";
    this.#ended.end();
    this.#presence.open();
  }

  #knock() {
    if (!this.#presence.send({ type: "knock" })) return;
    toast(t("knocked"), "knock");
    say(t("knocked"));
  }

  /** @param {string} id */
  async #chooseMicrophone(id) {
    const live = this.#session.live;
    if (live) this.#session.press();
    await this.#microphone.choose(id);
    this.#showOwn();
  }

  #microphoneChanged() {
    if (this.#session.live) this.#session.press();
    this.#showOwn();
  }

  #volumesChanged() {
    for (const [slot, id] of this.#model.slots.entries()) this.#playback.setGain(slot, this.#volumes.gain(id));
    this.#members?.show();
  }

  #prefsChanged() {
    setLanguage(prefs.language);
    setAttribute(root, "data-theme", prefs.theme === "auto" ? null : prefs.theme);
    root.toggleAttribute("data-still", prefs.still);
    translate(document);
    this.#headWords();
    this.#bar.words();
    this.#device.words();
    this.#ended.show();
    this.#showSelf();
    this.#showRoom(performance.now());
    this.#showOwn();
  }

  #headWords() {
    const [german, english] = byId("language").children;
    german.classList.toggle("on", prefs.language === "de");
    english.classList.toggle("on", prefs.language === "en");
    byId("language").setAttribute("aria-label", t("set.toGerman"));
    pictureKey(byId("theme"), `theme-${prefs.theme}`, `${t("set.theme")}: ${t(`set.${prefs.theme}`)}`);
    pictureKey(byId("settings"), "settings", t("settings"));
    pictureKey(byId("knock"), "knock", t("key.k"));
    pictureKey(byId("rooms-button"), "down", t("rooms"));
    for (const id of ["hand", "sound", "leave"]) {
      const word = document.createElement("span");
      word.textContent = t(id);
      byId(id).replaceChildren(icon(id), word);
    }
  }

  #showSelf() {
    const you = this.#model.you;
    const self = this.#model.self();
    const sign = self?.sign ?? you?.sign;
    setText(byId("self-name"), you?.name ?? this.#address.name);
    drawSign(this.#ownSign, { kind: "person", initials: self?.initials ?? you?.initials ?? "", sign: sign ?? null });
  }

  /** @param {number} now */
  #showRoom(now) {
    if (this.#ended.shown) return;
    const count = this.#model.here().length;
    const title = this.#model.room.title || this.#address.room;
    document.title = title ? `${title} · Kontor` : "Kontor";
    setText(byId("title"), title);
    this.#showCount(count);
    this.#rooms.show(title, count);
    this.#bar.show(this.#model, now);
    this.#members.show();
    this.#device.show();
  }

  /** @param {number} count */
  #showCount(count) {
    const known = this.#model.room.title !== "";
    const door = this.#device.door;
    const line = byId("count");
    setText(line, known ? (count ? t("here", { n: count }) : t("empty")) : "");
    setText(byId("door"), known && door ? `, ${door}` : "");
  }

  #showOwn() {
    this.#ownKey.show(this.#session.own);
    setAttribute(byId("hand"), "aria-pressed", String(this.#session.hand));
    byId("slot-0").parentElement?.setAttribute("data-own", this.#session.own);
  }

  /** Who speaks, for screen readers, only where it was asked for. */
  #announce() {
    if (!prefs.announce) return;
    const names = [...this.#model.speaking].map((id) => this.#model.members.get(id)?.name).join(", ");
    if (names && names !== this.#announced) say(t("speaks", { name: names }));
    this.#announced = names;
  }

  /** The meters' pace. @param {number} now */
  #draw(now) {
    this.#bar.levels(this.#model, now);
    this.#rooms.level(this.#model.loudest(), now);
    this.#device.level(now);
    const own = this.#session.own;
    const level = this.#microphone.level();
    this.#ownKey.level(this.#session.live ? level : -127, now);
    this.#hint.update(own === "muted" || own === "adminMuted" || own === "asked", level, now);
  }

  #second() {
    const now = performance.now();
    this.#model.tick(now);
    if (!this.#ended.shown) this.#bar.show(this.#model, now);
  }

  /** The device stands beside the room where there is space for it, else in a sheet. */
  #place() {
    closeSheet();
    if (wide.matches) byId("aside").append(this.#device.node);
    else this.#device.node.remove();
  }

  #deviceSheet() {
    sheet("device", this.#device.node);
  }
}

new Page().start();
