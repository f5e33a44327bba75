// libdatachannel, which OBS speaks WHIP with, used in OBS's manner: Opus first, then H.264, both sendonly; the offer is posted
// before any candidate is known. node obs_client.mjs MODULES URL TOKEN FRAMES: FRAMES is JSON, Opus frames of 20 ms in base64.
// One line of JSON for each thing that happens; ends with its input.
import { createRequire } from "node:module";
import { readFile } from "node:fs/promises";

const [modules, url, token, frames] = process.argv.slice(2);
const { PeerConnection, Audio, Video, cleanup } = createRequire(`${modules}/`)("node-datachannel");
const tell = (message) => console.log(JSON.stringify(message));
const sound = JSON.parse(await readFile(frames, "utf8")).map((frame) => Buffer.from(frame, "base64"));
const SSRC = 0x4f425321;
const OPUS = 111;

const peer = new PeerConnection("obs", { iceServers: [] });
peer.onStateChange((state) => tell({ state }));
const audio = new Audio("0", "SendOnly");
audio.addOpusCodec(OPUS);
audio.addSSRC(SSRC, "obs", "obs-stream", "obs-audio");
const video = new Video("1", "SendOnly");
video.addH264Codec(96);
video.addSSRC(SSRC + 1, "obs", "obs-stream", "obs-video");
const track = peer.addTrack(audio);
const unwanted = peer.addTrack(video);
const offered = new Promise((resolve) => peer.onLocalDescription(resolve));
peer.setLocalDescription("offer");

const headers = { Authorization: `Bearer ${token}`, "Content-Type": "application/sdp" };
const response = await fetch(url, { method: "POST", headers, body: await offered });
const answer = await response.text();
tell({ status: response.status });
peer.setRemoteDescription(answer, "answer");

const begin = performance.now();
let sent = 0;
const timer = setInterval(() => {
	for (; sent * 20 < performance.now() - begin; sent++) {
		if (!track.isOpen()) continue;
		const header = Buffer.alloc(12);
		header.writeUInt16BE(0x8000 | OPUS, 0);
		header.writeUInt16BE(sent & 0xffff, 2);
		header.writeUInt32BE((sent * 960) >>> 0, 4);
		header.writeUInt32BE(SSRC, 8);
		track.sendMessageBinary(Buffer.concat([header, sound[sent % sound.length]]));
	}
}, 10);

process.stdin.resume().on("end", async () => {
	clearInterval(timer);
	const left = await fetch(new URL(response.headers.get("location"), url), { method: "DELETE", headers });
	tell({ left: left.status, video: unwanted.isOpen() });
	peer.close();
	cleanup();
	process.exit(0);
});
