"""Parsers of text: session descriptions, messages of presence and exchange, tokens, challenges, settings."""

import base64
import contextlib
import json
import time
from collections.abc import Iterator
from pathlib import Path

from appliance.core import protocol, sdp, tokens
from appliance.core.protocol import Claims, ProtocolError, TokenError
from appliance.core.sdp_fragment import parse_fragment
from appliance.host.devices import Nonces
from appliance.media.exchange_messages import (
    MAX_MESSAGE,
    Downlink,
    DownlinkReader,
    ExchangeJunk,
    Speaker,
    Uplink,
    UplinkReader,
    decode_downlink,
    decode_uplink,
    encode_downlink,
    encode_uplink,
)
from appliance.rooms.presence import Roomful
from appliance.settings.loader import resolve
from appliance.settings.problems import Problem, SettingsError
from appliance.settings.sources import Source
from tests.core import test_presence_client, test_presence_server
from tests.core.sdp_offers import HOST, LOCAL, OFFERS, SSRCS
from tests.fuzz import mutate
from tests.fuzz.target import Run, Target, simple

# ---- session descriptions


def _offer(data: bytes) -> None:
    offer = sdp.parse_offer(data)
    answer = sdp.build_answer(offer, HOST, SSRCS)
    # Whatever is in the offer, the answer to it is sound.
    assert sdp.parse_answer(answer, [section.mid for section in offer.media]).ufrag == HOST.ufrag


def _answer(data: bytes) -> None:
    answer = sdp.parse_answer(data)
    assert answer.audio
    assert len(answer.candidates) <= sdp.MOST_BYTES


def _answers() -> tuple[bytes, ...]:
    return tuple(sdp.build_answer(sdp.parse_offer(text), HOST, SSRCS).encode() for text in OFFERS.values())


_FRAGMENT = (
    b"a=ice-ufrag:EsAw\r\na=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1\r\nm=audio 9 UDP/TLS/RTP/SAVPF 0\r\na=mid:0\r\n"
    b"a=candidate:1387637174 1 udp 2122260223 192.0.2.1 61764 typ host generation 0 ufrag EsAw network-id 1\r\n"
    b"a=candidate:3471623853 1 udp 2122194687 198.51.100.2 61765 typ srflx raddr 192.0.2.1 rport 61764\r\n"
    b"a=end-of-candidates\r\n"
)

# ---- presence


def _client(data: bytes) -> None:
    message = protocol.parse_client(data)
    assert protocol.parse_client(protocol.client_text(message)) == message


@contextlib.contextmanager
def _server() -> Iterator[Run]:
    """A device reads what its host says, and keeps what it must of it."""
    room = Roomful()

    def run(data: bytes) -> None:
        message = protocol.parse_server(data)
        if message is not None:
            list(room.understand(message))
        assert len(room._members) <= protocol.MOST_MEMBERS
        assert len(room._levels) <= protocol.MOST_MEMBERS

    yield run


def _messages(module: object, name: str) -> tuple[bytes, ...]:
    """The bodies in the table of a test of presence."""
    table = getattr(module, name)
    return tuple(json.dumps(part).encode() for row in table for part in row if isinstance(part, dict))


# ---- tokens and challenges


_KEY = b"k" * 32
_NOW = 1_800_000_000


def _claims(**change: object) -> Claims:
    fields = {"room": "lobby", "identity": "anna", "name": "Anna", "role": "speaker", "kind": "person"}
    return Claims(**{**fields, "expires": _NOW + 600, "key_id": "k1", **change})  # type: ignore[arg-type]


_TOKENS = tuple(
    protocol.issue(_claims(**change), _KEY)
    for change in ({}, {"role": "admin"}, {"kind": "site", "expires": 2**40}, {"name": "Änna 😀" * 8})
)


def _verify(data: bytes) -> None:
    token = data.decode("utf-8", "surrogateescape")
    claims = protocol.verify(token, {"k1": _KEY}, _NOW, "lobby")
    assert token in _TOKENS, "nobody without the key makes a token"
    assert claims.room == "lobby"


def _signed_body(data: bytes) -> None:
    """What somebody signed who has the key, and is not us."""
    body = base64.urlsafe_b64encode(data).rstrip(b"=").decode()
    claims = protocol.verify(f"{body}.{tokens._signature(body, _KEY)}", {"k1": _KEY}, _NOW, "lobby")
    assert claims.expires > _NOW


def _bodies() -> tuple[bytes, ...]:
    return tuple(base64.urlsafe_b64decode(token.split(".")[0] + "==") for token in _TOKENS)


@contextlib.contextmanager
def _challenge() -> Iterator[Run]:
    nonces = Nonces(60.0)
    made = nonces.make("lobby-1", 10.0)

    def run(data: bytes) -> None:
        text = data.decode("utf-8", "surrogateescape")
        if nonces.fault("lobby-1", text, 20.0) is None:
            assert text.lower() == made
        protocol.challenge_text("lobby", text)

    yield run


def _nonces() -> tuple[bytes, ...]:
    return tuple(Nonces(60.0).make("lobby-1", float(now)).encode() for now in (0, 10, 2**40))


# ---- exchange


def _up(message: Uplink) -> bytes:
    buffer = bytearray(MAX_MESSAGE)
    return bytes(buffer[: encode_uplink(message, buffer)])


def _down(message: Downlink) -> bytes:
    buffer = bytearray(MAX_MESSAGE)
    return bytes(buffer[: encode_downlink(message, buffer)])


_UPLINKS = (_up(Uplink(1)), _up(Uplink(2, block=bytes(960), level=-20, direction=90, hand=True, recording=True)))
_DOWNLINKS = (
    _down(Downlink(1)),
    _down(Downlink(2, block=bytes(960), speakers=(Speaker(1, 2, -30, site=True), Speaker(0, 0, -40, site=False)))),
)


@contextlib.contextmanager
def _uplinks() -> Iterator[Run]:
    reader = UplinkReader()

    def run(data: bytes) -> None:
        message = decode_uplink(data)
        assert reader.read(memoryview(data)) == message
        assert _up(message) == data

    yield run


@contextlib.contextmanager
def _downlinks() -> Iterator[Run]:
    reader = DownlinkReader()

    def run(data: bytes) -> None:
        message = decode_downlink(data)
        assert reader.read(memoryview(data)) == message
        assert _down(message) == data

    yield run


# ---- settings


_SETTINGS = (
    b'schema = 1\n[room]\nurl = "https://rooms.example"\nid = "lobby"\n\n[audio]\nframe_ms = 10\n',
    (
        b'schema = 1\n[host]\nenabled = true\nudp_port = 7000\n\n[[host.rooms]]\nid = "lobby"\ntitle = "Lobby"\n'
        b'[host.turn]\nurls = ["turn:turn.example:3478"]\nsecret_file = "/run/secret"\n'
    ),
)


def _settings(data: bytes) -> None:
    began = time.process_time()
    found: tuple[Problem, ...] = ()
    try:
        resolve([Source("a.toml", data, Path("/"))], secrets=())
    except SettingsError as error:
        found = tuple(error.problems)
        raise
    finally:
        assert all(str(problem).isprintable() for problem in found)
        assert time.process_time() - began < 5


CLIENT_MESSAGES = _messages(test_presence_client, "CLIENT")


def targets() -> list[Target]:
    """All of this file."""
    lines, document, binary = mutate.lines, mutate.document, mutate.binary
    offers = (*(text.encode() for text in OFFERS.values()), sdp.build_offer(LOCAL, (), ssrc=42).encode())
    servers = _messages(test_presence_server, "SERVER")
    return [
        Target("sdp_offer", lines, offers, simple(_offer), (sdp.SdpError,)),
        Target("sdp_answer", lines, _answers(), simple(_answer), (sdp.SdpError,)),
        Target("sdp_fragment", lines, (_FRAGMENT,), simple(parse_fragment), (sdp.SdpError,)),
        Target("presence_client", document, CLIENT_MESSAGES, simple(_client), (ProtocolError,)),
        Target("presence_server", document, servers, _server, (ProtocolError,)),
        Target("token", binary, tuple(token.encode() for token in _TOKENS), simple(_verify), (TokenError,)),
        Target("token_body", document, _bodies(), simple(_signed_body), (TokenError,)),
        Target("challenge", binary, _nonces(), _challenge, (ProtocolError,)),
        Target("exchange_uplink", binary, _UPLINKS, _uplinks, (ExchangeJunk,)),
        Target("exchange_downlink", binary, _DOWNLINKS, _downlinks, (ExchangeJunk,)),
        Target("settings", lines, _SETTINGS, simple(_settings), (SettingsError,)),
    ]
