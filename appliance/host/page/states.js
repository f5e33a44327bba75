/** What a member is doing, in one word of the `state.` words, in a sign and in a picture. */

/** @typedef {import("./model.js").Member} Member */
/** @typedef {import("./model.js").Model} Model */

/** The picture at the right of a tile; states without one need none. */
export const PICTURES = Object.freeze({
  muted: "mic-off",
  admin_muted: "lock",
  hand: "hand",
  on_hold: "pause",
  mutedForMe: "sound-off",
});

/**
 * @param {Member} member
 * @param {Model} model
 * @returns {"speaking" | Member["state"]}
 */
export function stateOf(member, model) {
  return model.speaking.has(member.id) ? "speaking" : member.state;
}

/**
 * Filled leaves the microphone, hollow does not.
 * @param {Member} member
 * @param {Model} model
 * @returns {"speaking" | "quiet" | "muted" | "connecting"}
 */
export function signState(member, model) {
  if (model.speaking.has(member.id)) return "speaking";
  if (member.state === "connecting") return "connecting";
  return member.muted || member.admin_muted || ["muted", "admin_muted"].includes(member.state) ? "muted" : "quiet";
}
