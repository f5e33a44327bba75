"""A stand-in for the server that forwards sound in a voice chat: one UDP socket for each who joined.

What it speaks is what ntgcalls 3.0.5 speaks: full ICE (RFC 8445, it nominates), DTLS with it as the client (the join payload
says ``setup: passive``), SRTP, SCTP for the data channel, and Opus that it passes on untouched, under the sender's own SSRC. It
drops nothing of whom it takes for muted: what leaks is heard. DTLS, SRTP and SCTP are those of aiortc.
"""

import asyncio
import contextlib
import json
import os
import secrets
import struct
import time
from collections.abc import Callable
from typing import Any, cast

import numpy as np
from aioice import stun
from aiortc.rtcdtlstransport import RTCCertificate, RTCDtlsFingerprint, RTCDtlsParameters, RTCDtlsTransport
from aiortc.rtcsctptransport import RTCSctpCapabilities, RTCSctpTransport
from aiortc.rtp import RtpPacket

from appliance.core.units import BLOCK, RATE
from appliance.media.opus import Encoder

OPUS, LEVEL, SEND_TIME, SEQUENCE = 111, 1, 3, 5
"""The payload type, and the header extensions' numbers."""
_PRIORITY = "2130706431"
_CERTIFICATE = RTCCertificate.generateCertificate()
_STUN_BELOW = 4
_AWAY = 0.02
"""Seconds to this server and back. Where it answers at once, ntgcalls may be connected before it listens to be told so."""
_VIDEO = {
    "endpoint": "e",
    "server_sources": [1],
    "payload-types": [
        {
            "id": 100,
            "name": "VP8",
            "clockrate": 90_000,
            "channels": 1,
            "parameters": {},
            "rtcp-fbs": [{"type": "goog-remb"}, {"type": "nack"}, {"type": "nack", "subtype": "pli"}],
        },
        {"id": 101, "name": "rtx", "clockrate": 90_000, "parameters": {"apt": 100}},
    ],
    "rtp-hdrexts": [{"id": SEND_TIME, "uri": "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time"}],
}
"""Nobody sends any, but ntgcalls ends its process where none is offered."""
_FRAME = 2 * BLOCK
_SCTP = 5000


class Ice(asyncio.DatagramProtocol):
    """The controlling end of one candidate pair: it answers checks, checks back, and nominates whoever answered."""

    role = "controlled"
    """What SCTP goes by: it waits for the other end's first word, which may not be ready for ours, and would hear it again
    only after three seconds. In ICE we control."""

    def __init__(self) -> None:
        self.ufrag, self.pwd = secrets.token_hex(4), secrets.token_hex(16)
        self.remote = ("", "")
        self.peer: tuple[str, int] | None = None
        self.nominated = asyncio.Event()
        self.cut = False
        """Nothing comes through, either way."""
        self._tie = int.from_bytes(os.urandom(8), "big")
        self._asked: set[bytes] = set()
        self._media: asyncio.Queue[bytes] = asyncio.Queue()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str | Any, int]) -> None:
        if self.cut:
            return
        if data[0] < _STUN_BELOW:
            with contextlib.suppress(ValueError):
                self._checked(stun.parse_message(data), addr)
        else:
            self._media.put_nowait(data)

    def _checked(self, message: stun.Message, addr: tuple[str, int]) -> None:
        if message.message_class == stun.Class.RESPONSE and message.transaction_id in self._asked:
            self._asked.clear()
            self.peer = addr
            self.nominated.set()
        elif message.message_class == stun.Class.REQUEST:
            if message.attributes.get("USERNAME", "").split(":")[0] != self.ufrag:
                return
            answer = stun.Message(stun.Method.BINDING, stun.Class.RESPONSE, message.transaction_id)
            answer.attributes["XOR-MAPPED-ADDRESS"] = addr
            self._send_signed(answer, self.pwd, addr)
            if not self.nominated.is_set():
                self._check(addr)

    def _check(self, addr: tuple[str, int]) -> None:
        ask = stun.Message(stun.Method.BINDING, stun.Class.REQUEST)
        ask.attributes["USERNAME"] = f"{self.remote[0]}:{self.ufrag}"
        ask.attributes["PRIORITY"] = int(_PRIORITY)
        ask.attributes["ICE-CONTROLLING"] = self._tie
        ask.attributes["USE-CANDIDATE"] = None
        self._asked.add(ask.transaction_id)
        self._send_signed(ask, self.remote[1], addr)

    def _send_signed(self, message: stun.Message, key: str, addr: tuple[str, int]) -> None:
        message.add_message_integrity(key.encode())
        message.add_fingerprint()
        self._send_later(bytes(message), addr)

    def _send_later(self, data: bytes, addr: tuple[str, int]) -> None:
        asyncio.get_running_loop().call_later(_AWAY, self._send_now, data, addr)

    def _send_now(self, data: bytes, addr: tuple[str, int]) -> None:
        if not self.transport.is_closing() and not self.cut:
            self.transport.sendto(data, addr)

    # What aiortc's DTLS transport asks of the transport below it.

    async def _recv(self) -> bytes:
        return await self._media.get()

    async def _send(self, data: bytes) -> None:
        if self.peer is not None:
            self._send_later(data, self.peer)


class Joint:
    """The media connection of one who joined."""

    def __init__(self, source: int, forward: "Callable[[Joint, bytes], None]") -> None:
        self.source = source
        """The SSRC that it sends under, unsigned."""
        self.connected = asyncio.Event()
        self.packets = 0
        self._forward = forward

    async def answer(self, payload: dict[str, Any], host: str) -> str:
        """The parameters of ``updateGroupCallConnection`` for the ``params`` of ``phone.joinGroupCall``."""
        loop = asyncio.get_running_loop()
        _, self.ice = await loop.create_datagram_endpoint(Ice, local_addr=(host, 0))
        self.ice.remote = payload["ufrag"], payload["pwd"]
        self.dtls = RTCDtlsTransport(cast(Any, self.ice), [_CERTIFICATE])
        self.dtls._set_role("client")
        self.dtls._handle_rtp_data = self._heard  # type: ignore[method-assign]
        self.dtls._handle_rtcp_data = _nothing  # type: ignore[method-assign]
        self.sctp = RTCSctpTransport(self.dtls, _SCTP)
        self._task = asyncio.create_task(self._connect(payload))
        return json.dumps(self._parameters(host))

    def _parameters(self, host: str) -> dict[str, Any]:
        [own] = [f for f in self.dtls.getLocalParameters().fingerprints if f.algorithm == "sha-256"]
        candidate = {"generation": "0", "component": "1", "protocol": "udp", "foundation": "1", "id": "1"}
        candidate |= {"priority": _PRIORITY, "type": "host", "network": "0", "ip": host}
        candidate["port"] = str(self.ice.transport.get_extra_info("sockname")[1])
        opus = {"id": OPUS, "name": "opus", "clockrate": RATE, "channels": 2}
        opus |= {"parameters": {"minptime": 10, "useinbandfec": 1}, "rtcp-fbs": [{"type": "transport-cc"}]}
        times = "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time"
        numbers = "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01"
        extensions = {LEVEL: "urn:ietf:params:rtp-hdrext:ssrc-audio-level", SEND_TIME: times, SEQUENCE: numbers}
        return {
            "transport": {
                "ufrag": self.ice.ufrag,
                "pwd": self.ice.pwd,
                "fingerprints": [{"hash": own.algorithm, "setup": "active", "fingerprint": own.value}],
                "candidates": [candidate],
                "xmlns": "urn:xmpp:jingle:transports:ice-udp:1",
                "rtcp-mux": True,
            },
            "audio": {
                "payload-types": [opus],
                "rtp-hdrexts": [{"id": number, "uri": uri} for number, uri in extensions.items()],
            },
            "video": _VIDEO,
        }

    async def _connect(self, payload: dict[str, Any]) -> None:
        await self.ice.nominated.wait()
        shown = [RTCDtlsFingerprint(f["hash"], f["fingerprint"]) for f in payload["fingerprints"]]
        await self.dtls.start(RTCDtlsParameters(shown))
        self.connected.set()
        await self.sctp.start(RTCSctpCapabilities(maxMessageSize=65_536), _SCTP)

    async def _heard(self, data: bytes, arrival_time_ms: int) -> None:
        self.packets += 1
        self._forward(self, data)

    async def send(self, packet: bytes) -> None:
        """Send one packet of somebody else's."""
        if self.connected.is_set() and not self.ice.transport.is_closing():
            with contextlib.suppress(ConnectionError):
                await self.dtls._send_rtp(packet)

    async def close(self) -> None:
        """End it without a word, as this server does with who has left."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        with contextlib.suppress(Exception):
            await self.sctp.stop()
        with contextlib.suppress(Exception):
            await self.dtls.stop()
        self.ice.transport.close()


async def _nothing(data: bytes) -> None:
    """Reports are for nobody here."""


class Sfu:
    """Who hears whom in one voice chat."""

    def __init__(self, host: str) -> None:
        self._host = host
        self.kept: list[tuple[float, RtpPacket]] | None = None
        """Each packet that came, if it is a list, and when (time.monotonic)."""
        self._joints: dict[int, Joint] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def join(self, params: str) -> tuple[int, str]:
        """Take somebody in. Gives its SSRC, unsigned, and the answer.

        :raises KeyError, ValueError: ``params`` are not what ntgcalls makes.
        """
        payload = json.loads(params)
        joint = Joint(payload["ssrc"] & 0xFFFFFFFF, self._forward)
        answer = await joint.answer(payload, self._host)
        await self.leave(joint.source)
        self._joints[joint.source] = joint
        return joint.source, answer

    async def leave(self, source: int) -> None:
        """Whoever sends under ``source`` is out."""
        joint = self._joints.pop(source, None)
        if joint is not None:
            await joint.close()

    def cut(self, source: int, *, off: bool) -> None:
        """Take the cable of ``source`` out, or put it in again."""
        self._joints[source].ice.cut = off

    def packets(self, source: int) -> int:
        """How many packets of sound came from ``source``."""
        return self._joints[source].packets

    def _forward(self, sender: Joint, packet: bytes) -> None:
        if self.kept is not None:
            self.kept.append((time.monotonic(), RtpPacket.parse(packet)))
        self._pass_on(packet, sender)

    def _pass_on(self, packet: bytes, sender: Joint | None) -> None:
        for joint in self._joints.values():
            if joint is not sender:
                task = asyncio.create_task(joint.send(packet))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)

    async def speak(self, source: int, hertz: float, seconds: float, level: float = 0.25) -> None:
        """Somebody who is not there sends a tone of peak ``level`` under ``source``, in packets of 20 ms."""
        encoder, wave = Encoder(20), np.arange(_FRAME) / RATE
        loop = asyncio.get_running_loop()
        due = loop.time()
        for turn in range(round(seconds * 50)):
            sine = np.sin(2 * np.pi * hertz * (wave + turn * _FRAME / RATE)) * 32767 * level
            header = struct.pack("!BBHII", 0x80, OPUS, (turn + 1) & 0xFFFF, turn * _FRAME, source)
            self._pass_on(header + bytes(encoder.encode(sine.astype(np.int16))), None)
            due += 0.02
            await asyncio.sleep(max(0.0, due - loop.time()))
