/** Sheets: settings, sound, keyboard, and on narrow screens the device. One native dialog each time; Esc closes it. */

import { checkField, h, icon, volumeField } from "./dom.js";
import { prefs, setPrefs } from "./prefs.js";
import { t } from "./words.js";

/** @type {HTMLDialogElement | null} */
let open = null;

/**
 * @param {string} word of its title
 * @param {...Node} content
 * @returns {HTMLDialogElement}
 */
export function sheet(word, ...content) {
  open?.close();
  const close = h("button", { class: "bare", type: "button", "aria-label": t("close") }, icon("close"));
  const title = h("h2", { id: "sheet-title" }, t(word));
  const body = h("div", { class: "sheet-body" }, ...content);
  const dialog = h("dialog", { "aria-labelledby": "sheet-title" }, h("div", { class: "sheet-head" }, title, close), body);
  close.onclick = () => dialog.close();
  dialog.onclick = (event) => event.target === dialog && dialog.close();
  dialog.addEventListener("close", () => {
    if (open === dialog) open = null;
    dialog.remove();
  });
  document.body.append(dialog);
  open = dialog;
  dialog.showModal();
  return dialog;
}

/** @returns {boolean} whether one was open */
export function closeSheet() {
  const there = open !== null;
  open?.close();
  return there;
}

/**
 * @param {string} word
 * @param {ReadonlyArray<readonly [string, string]>} choices value and text
 * @param {string} chosen
 * @param {(value: string) => void} change
 */
function choice(word, choices, chosen, change) {
  const buttons = choices.map(([value, text]) => {
    const radio = h("input", { type: "radio", name: word, value, onchange: () => change(value) });
    radio.checked = value === chosen;
    return h("label", {}, radio, h("span", {}, text));
  });
  return h("fieldset", {}, h("legend", { class: "label" }, t(word)), h("div", { class: "choices" }, ...buttons));
}

/** @param {() => void} keyboard opens the list of keys */
export function settingsSheet(keyboard) {
  const again = (/** @type {any} */ change) => {
    setPrefs(change);
    settingsSheet(keyboard);
  };
  const themes = /** @type {const} */ (["auto", "light", "dark"]).map((theme) => /** @type {const} */ ([theme, t(`set.${theme}`)]));
  sheet(
    "settings",
    choice("set.language", [["en", "English"], ["de", "Deutsch"]], prefs.language, (language) => again({ language })),
    choice("set.theme", themes, prefs.theme, (theme) => setPrefs({ theme: /** @type {any} */ (theme) })),
    checkField("set.still", prefs.still, (still) => setPrefs({ still })),
    checkField("set.letters", prefs.letters, (letters) => setPrefs({ letters })),
    checkField("set.announce", prefs.announce, (announce) => setPrefs({ announce })),
    h("button", { class: "key", type: "button", onclick: keyboard }, t("keyboard")),
  );
}

/** @type {ReadonlyArray<readonly [string, string]>} */
const KEYS = [
  ["M", "key.m"],
  ["", "key.space"],
  ["J", "key.j"],
  ["H", "key.h"],
  ["K", "key.k"],
  ["D", "key.d"],
  ["1 – 9", "key.rooms"],
  ["arrows", "key.arrows"],
  ["Enter", "key.enter"],
  ["Esc", "key.esc"],
  ["?", "key.help"],
];

export function keyboardSheet() {
  const name = (/** @type {string} */ key) => (key === "" ? t("key.nameSpace") : key === "arrows" ? t("key.nameArrows") : key);
  const rows = KEYS.flatMap(([key, word]) => [h("dt", {}, h("kbd", {}, name(key))), h("dd", {}, t(word))]);
  sheet("keyboard", h("dl", { class: "keys" }, ...rows));
}

/**
 * @param {string} word
 * @param {MediaDeviceInfo[]} devices
 * @param {string} chosen
 * @param {(id: string) => void} change
 */
function deviceField(word, devices, chosen, change) {
  const select = h("select", { onchange: () => change(select.value) });
  for (const device of devices) {
    const option = h("option", { value: device.deviceId }, device.label || t("sound.standard"));
    option.selected = device.deviceId === chosen;
    select.append(option);
  }
  return h("label", { class: "stack" }, h("span", {}, t(word)), select);
}

/**
 * @param {import("./playback.js").Playback} playback
 * @param {import("./microphone.js").Microphone} microphone
 * @param {(id: string) => void} chooseMicrophone
 */
export async function soundSheet(playback, microphone, chooseMicrophone) {
  const devices = (await navigator.mediaDevices?.enumerateDevices?.()) ?? [];
  const inputs = devices.filter((device) => device.kind === "audioinput" && device.deviceId);
  const outputs = devices.filter((device) => device.kind === "audiooutput" && device.deviceId);
  const fields = [volumeField("sound.all", playback.all, (gain) => (playback.all = gain))];
  if (inputs.length) fields.push(deviceField("sound.microphone", inputs, microphone.device, chooseMicrophone));
  if (outputs.length && playback.canChoose) {
    fields.push(deviceField("sound.speaker", outputs, playback.sink, (id) => playback.choose(id)));
  }
  sheet("sound", ...fields);
}
