/** The device of the room: its front, its lamps in words, why it is muted, and what may be asked of it from here. */

import { byId, h, icon, setAttribute, setText } from "./dom.js";
import { Faceplate } from "./faceplate.js";
import { LAMPS, LampList, LampView, lampWords, reasonWords } from "./lamps.js";
import { FLOOR, Meter } from "./meters.js";
import { say } from "./say.js";
import { t } from "./words.js";

/** @typedef {import("./model.js").Model} Model */
/** @typedef {import("./model.js").Site} Site */

/** What is shown of a device that has not told anything yet: unknown means muted. @type {Site} */
const UNKNOWN = {
  gate: "closed",
  reasons: ["starting"],
  door: "open",
  lamps: { mic: "steady", room: "off", speak: "off", fault: "steady" },
};

export class Device {
  #model;
  #panel;
  #send;
  #title = h("h2", { class: "label", id: "device-title" });
  #face;
  #list = new LampList();
  #says = h("p", { class: "second says" });
  #loudWord = h("span", { class: "second" });
  #loudNumber = h("output", { class: "second", "aria-hidden": "true" });
  #loudBar = h("span", { class: "meter", "aria-hidden": "true" });
  #loudMeter = new Meter(this.#loudBar);
  #keyWord = h("span");
  #key = h("button", { class: "key", type: "button", onclick: () => this.#ask() }, icon("mic-off"), this.#keyWord);
  #note = h("p", { class: "second" });
  #reasons = h("ul", { class: "reasons" });
  #none = h("p", { class: "second" });
  #whole;
  #strip = LAMPS.map(([name, colour]) => ({ name, view: new LampView(name, colour, "one") }));
  #stripWord = h("span");
  #stripState = h("span", { class: "reader" });
  node = h("div", { class: "device" });

  /**
   * @param {Model} model
   * @param {import("./panel.js").PanelLink | null} panel the demo's
   * @param {(message: object) => void} send to the host
   */
  constructor(model, panel, send) {
    this.#model = model;
    this.#panel = panel;
    this.#send = send;
    this.#face = new Faceplate(panel);
    const loud = h("div", { class: "loud" }, this.#loudWord, this.#loudNumber, this.#loudBar);
    const demo = panel ? [loud] : [];
    this.#whole = h("div", {}, this.#face.node, ...(panel ? [this.#says] : []), this.#list.node, ...demo, h("hr"), this.#key, this.#note, this.#reasons);
    this.node.append(this.#title, this.#none, this.#whole);
    byId("lamp-strip").append(this.#stripWord, ...this.#strip.map(({ view }) => view.node), this.#stripState);
  }

  words() {
    this.#face.words();
    setText(this.#note, t("device.hand"));
    setText(this.#none, t("device.none"));
    setText(this.#says, t("device.demo"));
    setText(this.#loudWord, t("device.loudspeaker"));
    setText(this.#stripWord, t("device"));
  }

  show() {
    const member = this.#model.site();
    const there = Boolean(member || this.#panel?.state);
    this.#whole.hidden = !there;
    this.#none.hidden = there;
    setText(this.#title, member ? t("device.in", { name: member.name }) : t("device"));
    const site = this.#panel?.state ?? member?.site ?? UNKNOWN;
    const words = lampWords(site, this.#model);
    this.#list.show(words);
    this.#face.show(site.lamps, this.#switchClosed(site), this.#model);
    for (const { name, view } of this.#strip) view.show(there ? site.lamps[name] : "off");
    setText(this.#stripState, there ? `${words.mic}. ${words.room}` : t("device.none"));
    setText(this.#keyWord, t(site.gate === "open" ? "device.mute" : "device.ask"));
    this.#key.hidden = !member;
    this.#showReasons(site);
  }

  /** @param {number} now */
  level(now) {
    const state = this.#panel?.state;
    if (!this.#panel) return;
    const level = state?.loudspeaker ?? -127;
    this.#loudMeter.show(level, now);
    setText(this.#loudNumber, level > FLOOR ? `−${Math.round(-level)} dB` : "");
  }

  /** @returns {string} the door in words, or "" */
  get door() {
    const site = this.#model.site()?.site;
    return site ? t(`door.${site.door}`) : "";
  }

  /** @param {Site | import("./panel.js").PanelState} site */
  #switchClosed(site) {
    const told = this.#panel?.state?.switch;
    if (told) return told === "closed";
    return site.reasons.some((reason) => reason === "switch" || reason === "button");
  }

  /** @param {Site | import("./panel.js").PanelState} site */
  #showReasons(site) {
    const talking = this.#panel?.state?.talking_while_closed ? [t("device.talking")] : [];
    const words = site.gate === "open" ? [] : [...reasonWords(site.reasons), ...talking];
    const key = words.join("|");
    if (this.#reasons.getAttribute("data-of") === key) return;
    this.#reasons.setAttribute("data-of", key);
    setAttribute(this.#reasons, "aria-label", t("device.reasons"));
    const lamp = () => h("span", { class: "lamp", "data-lamp": "steady", "data-colour": "red", "aria-hidden": "true" });
    this.#reasons.replaceChildren(...words.map((word) => h("li", {}, lamp(), word)));
  }

  /** Anybody may mute it. Opening can only be asked for: a hand in the room decides. */
  #ask() {
    const member = this.#model.site();
    if (!member) return;
    const open = (this.#panel?.state ?? member.site ?? UNKNOWN).gate === "open";
    this.#send({ type: open ? "mute" : "ask_unmute", member: member.id });
    if (!open) say(t("device.asked"));
  }
}
