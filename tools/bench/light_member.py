"""A member as light as can be, for load: HTTP, STUN, DTLS and SRTP for real, and nothing else.

It offers one section for each slot it wants to hear. After :meth:`Member.connect` its socket belongs to whoever reads it.
"""

import asyncio
import secrets
import socket
import struct
from dataclasses import dataclass
from functools import cache

import aiohttp
from aioice import stun
from OpenSSL import SSL

from appliance.core.protocol import Claims, issue
from appliance.core.sdp import DEVICE_RED, LocalTransport, build_offer, fingerprint_text, parse_answer
from appliance.host import srtp
from appliance.host.certificate import Certificate, make

ROOM = "bench"
LEVEL_ID = 2
_PATIENCE = 10.0


@cache
def identity() -> Certificate:
    """One certificate for all: making 400 is no part of what is measured."""
    return make()


@cache
def context() -> SSL.Context:
    """The DTLS client's side, shared by all."""
    made = SSL.Context(SSL.DTLS_METHOD)
    made.set_verify(SSL.VERIFY_PEER, lambda *_: True)
    made.use_certificate(identity().certificate)
    made.use_privatekey(identity().key)
    made.set_options(SSL.OP_NO_TICKET | SSL.OP_NO_QUERY_MTU)
    made.set_tlsext_use_srtp(b":".join(srtp.PROFILES))
    return made


@dataclass(frozen=True)
class Way:
    """Where a host is, and how to sign tokens for it."""

    url: str
    key: bytes
    key_id: str = "k"

    def token(self, who: str, role: str) -> str:
        """A token for the room under load."""
        return issue(Claims(ROOM, who, who, role, "person", 2**40, self.key_id), self.key)  # type: ignore[arg-type]


class Member:
    """One member, ``who``; ``slots`` streams down, with redundancy if it takes ``red``, and one up if it ``talks``."""

    def __init__(self, way: Way, who: str, *, slots: int = 3, red: bool = False, talks: bool = False) -> None:
        self.who = who
        self._way = way
        self._slots = slots
        self.red = red
        self._talks = talks
        self._ufrag, self._pwd = secrets.token_hex(4), secrets.token_hex(12)
        self.ssrc = secrets.randbits(32)
        self.location = ""
        self.inbound: srtp.Inbound | None = None
        self.outbound: srtp.Outbound | None = None
        self.token = way.token(who, "speaker" if talks else "listener")
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setblocking(False)

    async def connect(self, http: aiohttp.ClientSession) -> "Member":
        """Join, check, shake hands."""
        transport = LocalTransport(self._ufrag, self._pwd, fingerprint_text(identity().fingerprint))
        offer = build_offer(transport, [], slots=self._slots, send=self._talks, ssrc=self.ssrc)
        if not self.red:
            offer = _without_red(offer)
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/sdp"}
        async with http.post(f"{self._way.url}/rooms/{ROOM}/media", data=offer, headers=headers) as response:
            text = await response.text()
            if response.status != 201:
                raise RuntimeError(f"{self.who}: {response.status} {text.strip()}")
            self.location = response.headers["Location"]
        answer = parse_answer(text)
        self._remote = f"{answer.ufrag}:{self._ufrag}", answer.pwd.encode()
        words = answer.candidates[0].split(" ")
        self.slot_of = {section.ssrcs[0]: slot for slot, section in enumerate(answer.media) if section.ssrcs}
        self.socket.connect((words[4], int(words[5])))
        async with asyncio.timeout(_PATIENCE):
            await self._ask()
            await self._shake()
        return self

    async def leave(self, http: aiohttp.ClientSession) -> None:
        """Leave, and close the socket."""
        async with http.delete(self._way.url + self.location, headers={"Authorization": f"Bearer {self.token}"}):
            self.socket.close()

    def check(self) -> None:
        """Send a connectivity check; it keeps the member in the room as well."""
        message = stun.Message(stun.Method.BINDING, stun.Class.REQUEST)
        message.attributes.update({"USERNAME": self._remote[0], "PRIORITY": 1, "ICE-CONTROLLING": 1})
        message.attributes["USE-CANDIDATE"] = None
        message.add_message_integrity(self._remote[1])
        self._send(bytes(message))

    def say(self, packet: bytes) -> None:
        """Protect and send an RTP packet."""
        if self.outbound is not None:
            self._send(self.outbound._session.protect(packet))  # noqa: SLF001  # a copy is no matter here

    def packet(self, number: int, payload: bytes, level: int) -> bytes:
        """An RTP packet with a level."""
        head = struct.pack("!BBHII", 0x90, 111, number & 0xFFFF, number * 960 & 0xFFFFFFFF, self.ssrc)
        return head + b"\xbe\xde\x00\x01" + bytes([LEVEL_ID << 4, level, 0, 0]) + payload

    def _send(self, data: bytes) -> None:
        try:
            self.socket.send(data)
        except OSError:
            return  # full: as on any network, it is lost

    async def _receive(self) -> bytes:
        return await asyncio.get_running_loop().sock_recv(self.socket, 2048)

    async def _ask(self) -> None:
        while True:
            self.check()
            try:
                async with asyncio.timeout(0.5):
                    while (await self._receive())[0] > 3:
                        pass
                    return
            except TimeoutError:
                continue

    async def _shake(self) -> None:
        dtls = SSL.Connection(context(), None)
        dtls.set_connect_state()
        dtls.set_ciphertext_mtu(1200)
        while not self._advance(dtls):
            self._flush(dtls)
            try:
                async with asyncio.timeout(dtls.DTLSv1_get_timeout() or 1.0):
                    data = await self._receive()
                if 20 <= data[0] <= 63:
                    dtls.bio_write(data)
            except TimeoutError:
                dtls.DTLSv1_handle_timeout()
        self._flush(dtls)
        self._dtls = dtls

    def _flush(self, dtls: SSL.Connection) -> None:
        try:
            while True:
                self._send(dtls.bio_read(4096))
        except SSL.WantReadError:
            return

    def _advance(self, dtls: SSL.Connection) -> bool:
        try:
            dtls.do_handshake()
        except SSL.WantReadError:
            return False
        profile = srtp.PROFILES[dtls.get_selected_srtp_profile()]
        key, salt = profile.key, profile.salt
        secret = dtls.export_keying_material(b"EXTRACTOR-dtls_srtp", 2 * (key + salt))
        self.outbound = srtp.Outbound(profile, secret[:key] + secret[2 * key : 2 * key + salt])
        self.inbound = srtp.Inbound(profile, secret[key : 2 * key] + secret[2 * key + salt :])
        return True


def _without_red(offer: str) -> str:
    lines = offer.split("\r\n")
    kept = [line for line in lines if not line.startswith((f"a=rtpmap:{DEVICE_RED} ", f"a=fmtp:{DEVICE_RED} "))]
    return "\r\n".join(line.removesuffix(f" {DEVICE_RED}") if line.startswith("m=") else line for line in kept)
