/** A key that a short press toggles, and that talks for as long as it is held. */

/** Milliseconds: a touch or mouse press this long is holding, not pressing. */
const LONG = 350;

/** @param {HTMLElement} key @param {Pick<Actions, "press" | "hold" | "release">} actions */
export function pressOrHold(key, actions) {
	let timer = 0;
	let held = false;
	// By the clock of the key's own window: that of a hidden one goes slower.
	const clock = () => key.ownerDocument.defaultView ?? window;
	key.addEventListener("pointerdown", () => {
		held = false;
		timer = clock().setTimeout(() => (held = actions.hold()), LONG);
	});
	for (const name of ["pointerup", "pointercancel", "pointerleave"]) {
		key.addEventListener(name, () => {
			clock().clearTimeout(timer);
			if (held) actions.release();
		});
	}
	key.addEventListener("contextmenu", (event) => event.preventDefault());
	key.addEventListener("click", (event) => {
		if (!held || event.detail === 0) actions.press(); // 0: not by a pointer, whatever one did before
		held = false;
	});
}
