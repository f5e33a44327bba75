import assert from "node:assert/strict";
import { test } from "node:test";

import { qrPicture } from "../../../appliance/host/page/qr.js";

/** As much of a document as drawing needs. */
globalThis.document = {
	createElementNS: (_space, tag) => ({
		tag,
		attributes: {},
		children: [],
		setAttribute(name, value) {
			this.attributes[name] = String(value);
		},
		append(...more) {
			this.children.push(...more);
		},
	}),
};

/** The modules that a path of runs darkens. */
function dark(path) {
	const runs = [...path.matchAll(/M(\d+) (\d+)h(\d+)v1h-(\d+)z/g)];
	assert.equal(runs.map(([run]) => run).join(""), path, "nothing but runs");
	return new Set(runs.flatMap(([, x, y, length, back]) => {
		assert.equal(length, back);
		return Array.from({ length: Number(length) }, (_, n) => `${Number(x) + n},${y}`);
	}));
}

test("every dark module is dark, no other is, and four modules around are free", () => {
	const rows = ["1101", "0000", "1111", "0001"];
	const picture = qrPicture(rows);
	assert.equal(picture.attributes.viewBox, "0 0 12 12");
	const [ground, code] = picture.children;
	assert.equal(ground.attributes.d, "M0 0h12v12H0z");
	const wanted = rows.flatMap((row, y) => [...row].flatMap((module, x) => (module === "1" ? [`${x + 4},${y + 4}`] : [])));
	assert.deepEqual([...dark(code.attributes.d)].sort(), wanted.sort());
});

for (const junk of [undefined, null, "11", [], ["10", "1"], ["1x", "11"], [1, 2], ["11"], Array(178).fill("1".repeat(178))]) {
	test(`no picture of ${JSON.stringify(junk)?.slice(0, 20)}`, () => assert.equal(qrPicture(junk), null));
}
