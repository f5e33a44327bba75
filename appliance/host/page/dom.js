/** Making and changing elements. Nothing here writes a style attribute: the page's policy forbids it. */

/** @param {string} id of an element that must be there @returns {any} */
export function byId(id) {
	const node = document.getElementById(id);
	if (!node) throw new Error(`no element #${id}`);
	return node;
}

/** @param {ParentNode} root @param {string} selector of an element that must be there @returns {any} */
export function find(root, selector) {
	const node = root.querySelector(selector);
	if (!node) throw new Error(`no element ${selector}`);
	return node;
}

/** The focus goes to the first heading that can be seen. @param {Element} root */
export function focusHeading(root) {
	/** @type {HTMLElement | undefined} */ ([...root.querySelectorAll("h1")].find((node) => node.checkVisibility()))?.focus();
}

/**
 * Dress a new element; `onclick` and the like take a function.
 * @template {Element} E
 * @param {E} node @param {Record<string, any>} attributes @param {Array<Node | string>} children
 */
function dress(node, attributes, children) {
	for (const [name, value] of Object.entries(attributes)) {
		if (typeof value === "function") node.addEventListener(name.slice(2), value);
		else node.setAttribute(name, value);
	}
	node.append(...children);
	return node;
}

/**
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} tag @param {Record<string, any>} [attributes] @param {...(Node | string)} children
 */
export function h(tag, attributes = {}, ...children) {
	return dress(document.createElement(tag), attributes, children);
}

/** @param {string} tag @param {Record<string, any>} [attributes] @param {...Node} children */
export function svg(tag, attributes = {}, ...children) {
	return dress(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);
}

/** @param {string} name of a picture in the sprite */
const picture = (name) => `/page/icons.svg#${name}`;

/** @param {string} name of a picture; it says nothing to readers, a word stands beside it */
export function icon(name) {
	return svg("svg", { class: "icon", "aria-hidden": true }, svg("use", { href: picture(name) }));
}

/** Show another picture in an icon. @param {Element} root @param {string} name */
export function setIcon(root, name) {
	setAttribute(find(root, "use"), "href", picture(name));
}

/** Put there anew, it does not count as moved to where it stands now. @param {Element} node */
export function renew(node) {
	node.replaceWith(node.cloneNode(true));
}

/** Change a text only if it is another one: no work and no announcement otherwise. @param {Element} node @param {string} text */
export function setText(node, text) {
	if (node.textContent !== text) node.textContent = text;
}

/** The same for an attribute; `null` takes it away. @param {Element} node @param {string} name @param {any} value */
export function setAttribute(node, name, value) {
	if (value === null) node.removeAttribute(name);
	else if (node.getAttribute(name) !== String(value)) node.setAttribute(name, value);
}

/** @type {Map<string, Promise<void>>} */
const styles = new Map();

/** A style sheet that comes with a part of the page, once. Rejects when it does not come; the next call tries again. @param {string} name as "sound.css" */
export function loadStyle(name) {
	const there = styles.get(name);
	if (there) return there;
	/** @type {Promise<void>} */
	const coming = new Promise((resolve, reject) => {
		const link = h("link", { rel: "stylesheet", href: `/page/${name}`, onload: () => resolve() });
		link.onerror = () => {
			link.remove();
			styles.delete(name);
			reject(new Error(`${name} did not come`));
		};
		document.head.append(link);
	});
	styles.set(name, coming);
	return coming;
}
