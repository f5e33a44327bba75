// libwebrtc for node under Medooze's WHIP and WHEP clients: speaks a tone, or tells what it hears.
// node node_client.mjs MODULES whip|whep URL TOKEN HERTZ: one line of JSON for each thing that happens; ends with its input.
import { createRequire } from "node:module";
import { readFile } from "node:fs/promises";

const [modules, kind, url, token, hertz] = process.argv.slice(2);
const wrtc = createRequire(`${modules}/`)("@roamhq/wrtc");
const RATE = 48000;
const BLOCK = RATE / 100;

const tell = (message) => console.log(JSON.stringify(message));

async function client(name) {
	// The package has modules and does not say so.
	const source = await readFile(`${modules}/whip-whep/${name}.js`, "utf8");
	return import(`data:text/javascript,${encodeURIComponent(source)}`);
}

function speak(peer) {
	const source = new wrtc.nonstandard.RTCAudioSource();
	peer.addTransceiver(source.createTrack(), { direction: "sendonly" });
	const begin = performance.now();
	let sent = 0;
	return setInterval(() => {
		for (; sent * 10 < performance.now() - begin; sent++) {
			const samples = new Int16Array(BLOCK);
			for (let i = 0; i < BLOCK; i++) {
				samples[i] = 8000 * Math.sin((2 * Math.PI * hertz * (sent * BLOCK + i)) / RATE);
			}
			source.onData({ samples, sampleRate: RATE, bitsPerSample: 16, channelCount: 1, numberOfFrames: BLOCK });
		}
	}, 10);
}

// How much of a second of sound is the tone, by Goertzel's algorithm, and how loud it is.
function measure(samples, rate) {
	const step = 2 * Math.cos((2 * Math.PI * hertz) / rate);
	let [before, last, energy] = [0, 0, 0];
	for (const sample of samples) {
		[before, last] = [last, sample + step * last - before];
		energy += sample * sample;
	}
	const power = last * last + before * before - step * last * before;
	return { share: (2 * power) / (samples.length * energy || 1), rms: Math.sqrt(energy / samples.length) };
}

function listen(peer) {
	peer.addTransceiver("audio", { direction: "recvonly" });
	peer.ontrack = ({ track }) => {
		let kept = [];
		new wrtc.nonstandard.RTCAudioSink(track).ondata = ({ samples, sampleRate, channelCount }) => {
			for (let i = 0; i < samples.length; i += channelCount) kept.push(samples[i]);
			if (kept.length < sampleRate) return;
			tell({ heard: measure(kept, sampleRate) });
			kept = [];
		};
	};
}

const peer = new wrtc.RTCPeerConnection({ bundlePolicy: "max-bundle" });
peer.addEventListener("connectionstatechange", () => tell({ state: peer.connectionState }));
const { WHIPClient, WHEPClient } = await client(kind);
const session = kind === "whip" ? new WHIPClient() : new WHEPClient();
const timer = kind === "whip" ? speak(peer) : listen(peer);
const inner = globalThis.fetch;
globalThis.fetch = async (...request) => {
	const response = await inner(...request);
	tell({ method: request[1].method, status: response.status });
	return response;
};
await (kind === "whip" ? session.publish(peer, url, token) : session.view(peer, url, token));
process.stdin.resume().on("end", async () => {
	clearInterval(timer);
	await session.stop();
	process.exit(0);
});
