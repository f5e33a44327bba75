"""A light member that does the real thing: HTTP, STUN, DTLS, SRTP and presence, without aiortc."""

import asyncio
import contextlib
import secrets
import socket
import struct
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, Self, TypeVar

import aiohttp
from aioice import stun

from appliance.core.sdp import LocalTransport, build_offer, fingerprint_text, parse_answer
from appliance.host import srtp
from appliance.media.red import split
from appliance.media.rtp import ReceiverReport, Rtcp, SenderReport, parse_rtcp
from tests.host.dtls_client import Client, Identity, context, identity
from tests.host.frames import loud, tagged
from tests.host.harness import ROOM, House, token
from tests.support import until

LEVEL_ID, MID_ID = 2, 1
OPUS, RED = 111, 63
FRAME = 0.02


Report = TypeVar("Report", ReceiverReport, SenderReport)


@dataclass(frozen=True)
class Heard:
    """One packet as it arrived, opened."""

    slot: int
    seq: int
    timestamp: int
    marker: bool
    level: int | None
    mid: str
    payload: bytes
    """The newest frame, without redundancy."""
    at: float
    kind: int
    """Payload type."""
    earlier: tuple[tuple[int, bytes], ...] = ()
    """Frames of before that came with it, oldest first, each with its distance in samples."""


class Member:
    """One light member. ``async with`` leaves its socket closed."""

    def __init__(
        self,
        house: House,
        name: str,
        *,
        slots: int = 3,
        red: bool = True,
        certificate: Identity | None = None,
        **claims: Any,
    ) -> None:
        self.house = house
        self.name = name
        self.room = str(claims.get("room", ROOM))
        self.token = token(name, **claims)
        self.certificate = certificate or identity()
        self.slots = slots
        self.waits = False
        """The host begins with DTLS."""
        self.red = red
        self.ufrag, self.pwd = secrets.token_hex(4), secrets.token_hex(12)
        self.heard: list[Heard] = []
        self.refused = 0
        self.reports: list[Rtcp] = []
        self.report_times: list[float] = []
        self.checks_answered = 0
        self.ssrc = secrets.randbits(32)
        self.seq = secrets.randbits(15)
        self.timestamp = secrets.randbits(31)
        self.location = ""
        self._packet = srtp.Datagram()
        self._inbound: srtp.Inbound | None = None
        self._outbound: srtp.Outbound | None = None
        self._dtls: Client | None = None
        self._socket = self._bind()
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._socket, self._readable)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.vanish()

    @property
    def dtls(self) -> Client:
        assert self._dtls is not None
        return self._dtls

    def vanish(self) -> None:
        """Gone without a word."""
        if self._socket.fileno() >= 0:
            self._loop.remove_reader(self._socket)
            self._socket.close()

    # ---- entering

    @property
    def media_url(self) -> str:
        return self.house.url(f"/rooms/{self.room}/media")

    def offer(self) -> str:
        transport = LocalTransport(self.ufrag, self.pwd, fingerprint_text(self.certificate.fingerprint))
        offer = build_offer(transport, [], slots=self.slots, ssrc=self.ssrc)
        offer = offer.replace("a=setup:active", "a=setup:passive") if self.waits else offer
        return offer if self.red else _without_redundancy(offer)

    async def post(self, offer: str | None = None) -> aiohttp.ClientResponse:
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/sdp"}
        async with self.house.http.post(self.media_url, data=offer or self.offer(), headers=headers) as response:
            await response.read()
            return response

    async def join(self) -> "Member":
        response = await self.post()
        text = await response.text()
        assert response.status == 201, text
        self.location = response.headers["Location"]
        self.accept(text)
        return self

    def accept(self, text: str) -> None:
        answer = parse_answer(text)
        self.answer = answer
        self.host_ufrag, self.host_pwd = answer.ufrag, answer.pwd
        words = answer.candidates[0].split(" ")
        self.to = (words[4], int(words[5]))
        self.slot_of = {section.ssrcs[0]: slot for slot, section in enumerate(answer.media) if section.ssrcs}

    async def connect(self) -> "Member":
        """Join, check and shake hands."""
        if not self.location:
            await self.join()
        self._dtls = Client(context(self.certificate), waits=self.waits)
        self.check()
        await until(lambda: self.checks_answered, what="no STUN answer")
        self._send_all(self.dtls.exchange())
        await until(lambda: self.connected, what="no DTLS")
        return self

    @property
    def connected(self) -> bool:
        """Media can flow."""
        return self._outbound is not None

    def begin_dtls(self) -> None:
        """Say hello, after a check was answered."""
        self._dtls = Client(context(self.certificate))
        self._send_all(self.dtls.exchange())

    async def connect_again(self) -> "Member":
        """Join anew, as after a loss."""
        self.location = ""
        self.checks_answered = 0
        self._inbound = self._outbound = None
        return await self.connect()

    async def leave(self) -> int:
        async with self.house.http.delete(
            self.house.base + self.location, headers={"Authorization": f"Bearer {self.token}"}
        ) as response:
            return response.status

    def check(self, nominate: bool = True, password: str | None = None) -> None:
        """Send one connectivity check."""
        message = stun.Message(stun.Method.BINDING, stun.Class.REQUEST)
        message.attributes.update({"USERNAME": f"{self.host_ufrag}:{self.ufrag}", "PRIORITY": 1, "ICE-CONTROLLING": 1})
        if nominate:
            message.attributes["USE-CANDIDATE"] = None
        message.add_message_integrity((password or self.host_pwd).encode())
        self.send_raw(bytes(message))

    def move(self) -> None:
        """To another port, as if to another network."""
        self.vanish()
        self._socket = self._bind()
        self._loop.add_reader(self._socket, self._readable)

    def close_dtls(self) -> None:
        self._send_all(self.dtls.close())

    # ---- talking

    def send_raw(self, data: bytes) -> None:
        with contextlib.suppress(BlockingIOError):
            self._socket.sendto(data, self.to)

    def packet(
        self, payload: bytes, level: int | None = 20, payload_type: int = OPUS, *, frames: int = 1, samples: int = 960
    ) -> bytes:
        """The next packet, protected, ``frames`` and ``samples`` after the one before."""
        assert self._outbound is not None
        self.seq = (self.seq + frames) & 0xFFFF
        self.timestamp = (self.timestamp + samples) & 0xFFFFFFFF
        first = 0x80 if level is None else 0x90
        header = struct.pack("!BBHII", first, payload_type, self.seq, self.timestamp, self.ssrc)
        if level is not None:
            header += b"\xbe\xde\x00\x01" + bytes([LEVEL_ID << 4, level, 0, 0])
        return self._outbound._session.protect(header + payload)

    def say(self, payload: bytes, level: int | None = 20, payload_type: int = OPUS) -> None:
        self.send_raw(self.packet(payload, level, payload_type))

    async def talk(self, seconds: float, level: int = 20, tag: bytes | None = None, *, claim: int | None = -1) -> int:
        """Send a packet every 20 ms, each as loud as it says and with a number of its own; gives how many.

        :param claim: the level that it says instead; None: it says nothing.
        """
        begin, sent = self._loop.time(), 0
        tag = tag or self.name.encode()
        while sent * FRAME < seconds:
            await asyncio.sleep(max(0.0, begin + sent * FRAME - self._loop.time()))
            payload = tagged(loud(level), tag + struct.pack("!I", sent))
            self.say(payload, level if claim == -1 else claim)
            sent += 1
        return sent

    def report(self, bye: bool = False) -> None:
        """An RTCP receiver report, or a BYE."""
        packet = struct.pack("!BBHI", 0x80, 201, 1, self.ssrc)
        if bye:
            packet += struct.pack("!BBHI", 0x81, 203, 1, self.ssrc)
        self.send_rtcp(packet)

    def send_rtcp(self, packet: bytes) -> None:
        """An RTCP packet, protected."""
        assert self._outbound is not None
        sealed = self._outbound.seal_rtcp(packet)
        assert sealed is not None
        self.send_raw(sealed)

    def reports_of(self, kind: type[Report]) -> list[Report]:
        """The RTCP packets of one kind that came."""
        return [report for report in self.reports if isinstance(report, kind)]

    def heard_of(self, tag: bytes | str, slot: int | None = None) -> list[Heard]:
        """The packets with this payload, perhaps of one slot."""
        wanted = tag.encode() if isinstance(tag, str) else tag
        return [h for h in self.heard if wanted in h.payload and slot in {None, h.slot}]

    # ---- presence

    def presence(self) -> "Presence":
        return Presence(self)

    # ---- the socket

    def _bind(self) -> socket.socket:
        made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        made.bind(("127.0.0.1", 0))
        made.setblocking(False)
        return made

    def _send_all(self, datagrams: list[bytes]) -> None:
        for datagram in datagrams:
            self.send_raw(datagram)

    def _readable(self) -> None:
        for _ in range(256):
            try:
                data = self._socket.recv(2048)
            except OSError:
                return
            self._take(data)

    def _take(self, data: bytes) -> None:
        if data[0] < 4:
            answer = stun.parse_message(data)
            if answer.message_class is stun.Class.RESPONSE:
                assert answer.check_message_integrity(self.host_pwd.encode())
                self.checks_answered += 1
        elif 20 <= data[0] <= 63:
            if self._dtls is None:
                return
            self._send_all(self.dtls.exchange(data))
            if self.dtls.keys is not None and self._outbound is None:
                assert self.dtls.server_fingerprint == self.answer.fingerprint
                self._inbound = srtp.Inbound(self.dtls.keys.profile, self.dtls.keys.inbound)
                self._outbound = srtp.Outbound(self.dtls.keys.profile, self.dtls.keys.outbound)
        elif self._inbound is not None:
            self._take_media(data, self._inbound)

    def _take_media(self, data: bytes, inbound: srtp.Inbound) -> None:
        packet = self._packet
        packet.data[: len(data)] = data
        packet.size = len(data)
        if 192 <= data[1] <= 223:
            assert inbound.open_rtcp(packet)
            self.reports.extend(parse_rtcp(packet.view[: packet.size]))
            self.report_times.append(self._loop.time())
            return
        if not inbound.open(packet):
            self.refused += 1
            return
        plain = bytes(packet.view[: packet.size])
        _, kind, seq, timestamp, ssrc = struct.unpack("!BBHII", plain[:12])
        mid = chr(plain[17]) if plain[16] >> 4 == MID_ID else ""
        level = plain[19] if plain[18] >> 4 == LEVEL_ID else None
        slot = self.slot_of[ssrc]
        marker, kind, payload, earlier = kind > 127, kind & 0x7F, plain[20:], []
        if kind == RED:
            *before, newest = split(payload)
            assert all(frame.payload_type == OPUS for frame in (*before, newest))
            payload, earlier = bytes(newest.payload), [(frame.offset, bytes(frame.payload)) for frame in before]
        now = self._loop.time()
        self.heard.append(Heard(slot, seq, timestamp, marker, level, mid, payload, now, kind, tuple(earlier)))


def _without_redundancy(offer: str) -> str:
    """The same offer of someone who does not know RFC 2198."""
    lines = [line for line in offer.split("\r\n") if not line.startswith((f"a=rtpmap:{RED} ", f"a=fmtp:{RED} "))]
    return "\r\n".join(line.replace(f" {RED}", "") if line.startswith("m=audio") else line for line in lines)


class Presence:
    """A presence socket: ``messages`` has everything that came, ``code`` the close code."""

    def __init__(
        self, member: Member | None = None, *, house: House | None = None, hello: str | None = None, room: str = ROOM
    ) -> None:
        self._house = member.house if member else house
        self._token = member.token if member else hello
        self._room = member.room if member else room
        self.messages: list[dict[str, Any]] = []
        self.code: int | None = None
        self.why = ""
        self.answering = True

    async def __aenter__(self) -> Self:
        assert self._house is not None
        url = self._house.url(f"/rooms/{self._room}/presence")
        self.socket = await self._house.http.ws_connect(url, autoping=False)
        self._reading = asyncio.create_task(self._read())
        if self._token is not None:
            await self.send(type="hello", v=1, token=self._token)
            await until(lambda: self.messages or self.code is not None)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.socket.close()
        self._reading.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._reading

    async def send(self, **message: Any) -> None:
        await self.socket.send_json(message)

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [message for message in self.messages if message["type"] == kind]

    def member(self, who: str) -> dict[str, Any] | None:
        """The member as this socket knows it now."""
        known: dict[str, Any] = {}
        for message in self.messages:
            if message["type"] == "welcome":
                known = {member["id"]: member for member in message["members"]}
            elif message["type"] == "member":
                known[message["member"]["id"]] = message["member"]
            elif message["type"] == "left":
                known.pop(message["id"], None)
            elif message["type"] == "members":
                known.update({member["id"]: member for member in message["members"]})
                for left in message["left"]:
                    known.pop(left, None)
        found: dict[str, Any] | None = known.get(who)
        return found

    def state(self, who: str) -> str | None:
        member = self.member(who)
        return None if member is None else str(member["state"])

    def level(self, who: str) -> int | None:
        """The level last told of a member."""
        levels = [m["levels"][who] for m in self.of("levels") if who in m["levels"]]
        return levels[-1] if levels else None

    async def _read(self) -> None:
        while True:
            message = await self.socket.receive()
            if message.type is aiohttp.WSMsgType.TEXT:
                self.messages.append(message.json())
            elif message.type is aiohttp.WSMsgType.PING:
                if self.answering:
                    await self.socket.pong(message.data)
            elif message.type in {aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.CLOSING}:
                self.why = str(message.extra or "")
                self.code = self.socket.close_code
                return


async def open_mic(member: Member, presence: Presence) -> None:
    """Unmute, and wait until the host has taken it."""
    await presence.send(type="muted", muted=False)
    await until(lambda: presence.state(member.name) == "listening", what=f"{member.name} is not unmuted")


@contextlib.asynccontextmanager
async def inside(home: House, *names: str, **claims: Any) -> AsyncIterator[list[tuple[Member, Presence]]]:
    """Members with media up and unmuted, each with its presence."""
    async with contextlib.AsyncExitStack() as stack:
        found = []
        for name in names:
            member = await stack.enter_async_context(Member(home, name, **claims))
            presence = await stack.enter_async_context(member.presence())
            await member.connect()
            if claims.get("role") != "listener":
                await open_mic(member, presence)
            found.append((member, presence))
        yield found
