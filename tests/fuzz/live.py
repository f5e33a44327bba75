"""HTTP both ways: requests to a running host, answers to a device, headers of proxies."""

import asyncio
import base64
import contextlib
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from typing import Any, cast

import aiohttp
from aiohttp import web
from multidict import CIMultiDict
from yarl import URL

from appliance.core import sdp
from appliance.core.enrolment import enrolment_text
from appliance.core.events import EventName
from appliance.host.approach import approach_of
from appliance.host.config import DeviceConfig, Limits, Proxy, Rate, Times
from appliance.rooms.device_key import DeviceKey
from appliance.rooms.signalling import Lost, Signalling
from tests.core.sdp_offers import HOST, OFFERS, SSRCS
from tests.fuzz import mutate
from tests.fuzz.target import Run, Target
from tests.host.harness import ROOM, House, house, token

_OFTEN = Rate(1e6, 1e6)
_LIMITS = Limits(
    joins=_OFTEN,
    messages=_OFTEN,
    address_joins=_OFTEN,
    address_sockets=_OFTEN,
    address_challenges=_OFTEN,
    address_wrong=_OFTEN,
)
_NO_ANSWER = 1.0
"""Seconds after which a request is taken for one that gets no answer: it was cut off."""


@contextlib.contextmanager
def own_loop() -> Iterator[asyncio.AbstractEventLoop]:
    loop = asyncio.new_event_loop()
    try:
        yield loop
    finally:
        loop.run_until_complete(asyncio.sleep(0))
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()


@contextlib.contextmanager
def open_house(loop: asyncio.AbstractEventLoop, **settings: Any) -> Iterator[House]:
    with TemporaryDirectory() as folder:
        lives = house(Path(folder), limits=_LIMITS, **settings)
        found = loop.run_until_complete(lives.__aenter__())
        try:
            yield found
        finally:
            loop.run_until_complete(lives.__aexit__(None, None, None))


def nothing_broke(found: House) -> None:
    """What breaks inside is contained and told; here it is a finding."""
    broken = [event for event in found.told(EventName.BAD_REQUEST) if "error" in event.fields]
    found.events.clear()
    assert not broken, broken


# ---- requests to a host


_TOKEN = token("anna")
_KEY = DeviceKey(bytes(32))
_ASKS = base64.b64encode(_KEY.sign(enrolment_text(ROOM, "box", ""))).decode()
_OFFER = OFFERS["chromium-room"]


def _public() -> str:
    return base64.b64encode(_KEY.public).decode()


def _request(line: str, body: str = "", **headers: str) -> bytes:
    rows = [
        f"{line} HTTP/1.1",
        "Host: 127.0.0.1",
        *(f"{name.replace('_', '-')}: {value}" for name, value in headers.items()),
    ]
    return ("\n".join(rows) + "\n\n" + body).encode()


def _requests() -> tuple[bytes, ...]:
    bearer, admin = f"Bearer {_TOKEN}", f"Bearer {token('boss', 'admin')}"
    signature = base64.b64encode(bytes(64)).decode()
    return (
        _request(f"POST /rooms/{ROOM}/media", _OFFER, Authorization=bearer, Content_Type="application/sdp"),
        _request(f"POST /rooms/{ROOM}/whip", _OFFER, Authorization=bearer, Content_Type="application/sdp"),
        _request(f"OPTIONS /rooms/{ROOM}/media", Origin="https://a.example", Access_Control_Request_Method="POST"),
        _request(
            f"PATCH /rooms/{ROOM}/media/0123456789abcdef",
            "a=ice-ufrag:EsAw\r\na=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1\r\na=end-of-candidates\r\n",
            Authorization=bearer,
            Content_Type="application/trickle-ice-sdpfrag",
            If_Match='"x"',
        ),
        _request(f"DELETE /rooms/{ROOM}/media/0123456789abcdef", Authorization=bearer),
        _request("POST /devices/challenge", '{"device":"box"}', Content_Type="application/json"),
        _request(
            "POST /devices/token",
            f'{{"device":"box","room":"{ROOM}","nonce":"{"ab" * 40}","signature":"{signature}"}}',
            Content_Type="application/json",
        ),
        _request(
            "POST /devices/enrol",
            f'{{"device":"box","name":"B","room":"{ROOM}","key":"{_public()}","signature":"{_ASKS}"}}',
            Content_Type="application/json",
        ),
        _request(
            f"POST /rooms/{ROOM}/devices",
            '{"name":"Box","url":"https://rooms.example.org"}',
            Authorization=admin,
            Content_Type="application/json",
        ),
        _request(f"GET /rooms/{ROOM}/devices", Authorization=admin),
        _request(
            f"POST /rooms/{ROOM}/links",
            '{"name":"Ada","role":"listener","days":30}',
            Authorization=admin,
            Content_Type="application/json",
            Origin="https://rooms.example.org",
        ),
        _request(f"POST /rooms/{ROOM}/devices/box/bundle", Authorization=admin),
        _request(f"GET /rooms/{ROOM}/bundles/{'w' * 22}", Authorization=admin),
        _request(
            f"PUT /rooms/{ROOM}/bundles/{'w' * 22}",
            "\x1f\x8b",
            Authorization=bearer,
            Content_Type="application/gzip",
        ),
        _request(f"GET /rooms/{ROOM}/removed", Authorization=admin),
        _request(f"DELETE /rooms/{ROOM}/removed/eve", Authorization=admin),
        _request("GET /rooms", X_Forwarded_For="192.0.2.1", X_Forwarded_Proto="https", X_User="Anna"),
        _request(f"POST /rooms/{ROOM}/token", X_Forwarded_For="192.0.2.1", X_Forwarded_Proto="https", X_User="Anna"),
        _request(
            f"GET /rooms/{ROOM}/presence",
            Upgrade="websocket",
            Connection="Upgrade",
            Sec_WebSocket_Version="13",
            Sec_WebSocket_Key="dGhlIHNhbXBsZSBub25jZQ==",
        ),
        _request(
            f"GET /rooms/{ROOM}/presence",
            Upgrade="websocket",
            Connection="Upgrade",
            Sec_WebSocket_Version="13",
            Sec_WebSocket_Key="\u00e4" * 12,
        ),
        _request("GET /health"),
        _request(f"GET /{ROOM}"),
        _request("GET /page/../../etc/passwd"),
        _request("GET /certificate"),
    )


def _http_bytes(data: bytes) -> bytes:
    """A request as it is sent: lines end as they must, and unless it says so itself it tells how long its body is."""
    head, _, body = data.partition(b"\n\n")
    rows = [row.rstrip(b"\r") for row in head.split(b"\n")]
    if not any(row.lower().startswith((b"content-length", b"transfer-encoding")) for row in rows):
        rows.append(b"Content-Length: %d" % len(body))
    return b"\r\n".join(rows) + b"\r\n\r\n" + body


async def _ask(address: tuple[str, int], request: bytes) -> bytes:
    """The beginning of the answer, empty when none came."""
    reader, writer = await asyncio.open_connection(*address)
    try:
        writer.write(request)
        async with asyncio.timeout(_NO_ANSWER):
            return await reader.read(4096)
    except (TimeoutError, OSError):
        return b""
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


@contextlib.contextmanager
def _http() -> Iterator[Run]:
    proxy = Proxy(trusted=("127.0.0.1/32",), name_header="X-User")
    devices = (DeviceConfig("box", "Box", ROOM, bytes(32)),)
    with (
        own_loop() as loop,
        open_house(loop, proxy=proxy, devices=devices, times=Times(body=0.05), max_members=2048) as found,
    ):

        def run(data: bytes) -> None:
            answer = loop.run_until_complete(_ask(found.host.address, _http_bytes(data)))
            status = answer[9:12]
            assert not answer or answer.startswith(b"HTTP/"), answer
            assert not status.startswith(b"5") or status in {b"501", b"503"}, answer
            nothing_broke(found)

        yield run


# ---- answers to a device


def _reply(status: str, body: str = "", **headers: str) -> bytes:
    rows = [
        f"HTTP/1.1 {status}",
        "Connection: close",
        *(f"{name.replace('_', '-')}: {value}" for name, value in headers.items()),
    ]
    return ("\n".join(rows) + "\n\n" + body).encode()


_LINK = (
    '<turn:192.0.2.7:3478?transport=udp>; rel="ice-server"; username="9:a"; credential="c"; credential-type="password"'
)
_OUR_OFFER = sdp.build_offer(sdp.LocalTransport("devfrag", "p" * 22, ":".join(["AB"] * 32)), (), ssrc=42)


def _replies() -> tuple[bytes, ...]:
    answer = sdp.build_answer(sdp.parse_offer(_OUR_OFFER), HOST, SSRCS)
    return (
        _reply(
            "200 OK",
            f'{{"nonce":"{"ab" * 40}"}}',
            Content_Type="application/json",
            Date="Thu, 26 Nov 2026 16:00:00 GMT",
        ),
        _reply("200 OK", f'{{"token":"{_TOKEN}","nonce":"{"ab" * 40}"}}', Content_Type="application/json"),
        _reply(
            "201 Created",
            answer,
            Location=f"/rooms/{ROOM}/media/0123",
            ETag='"0123"',
            Link=_LINK,
            Content_Type="application/sdp",
            Date="Thu, 26 Nov 2026 16:00:00 GMT",
        ),
        _reply("401 Unauthorized", "A token is missing.\n", WWW_Authenticate="Bearer"),
        _reply("503 Service Unavailable", "The room is full.\n", Retry_After="20"),
        _reply("307 Temporary Redirect", Location="https://elsewhere.example/"),
    )


@contextlib.contextmanager
def _device() -> Iterator[Run]:
    """A device that joins where whatever it asks gets the same odd answer."""
    answer = b""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(answer)
            await writer.drain()
            writer.close()
            await writer.wait_closed()

    async def session() -> aiohttp.ClientSession:
        return aiohttp.ClientSession(trust_env=False, connector=aiohttp.TCPConnector(force_close=True))

    async def join(http: aiohttp.ClientSession, port: int) -> None:
        signalling = Signalling(http, URL(f"http://127.0.0.1:{port}"), ROOM)
        if b"nonce" in answer:
            made = await signalling.device_token("box", lambda _: bytes(64))
            assert made.isprintable()
        else:
            joined = await signalling.join(_TOKEN, _OUR_OFFER)
            assert joined.location.port == port, "the token goes to nobody else"

    with own_loop() as loop:
        server = loop.run_until_complete(asyncio.start_server(serve, "127.0.0.1", 0))
        port = server.sockets[0].getsockname()[1]
        http = loop.run_until_complete(session())

        def run(data: bytes) -> None:
            nonlocal answer
            answer = _http_bytes(data)
            loop.run_until_complete(join(http, port))

        yield run
        loop.run_until_complete(http.close())
        server.close()
        loop.run_until_complete(server.wait_closed())
        loop.run_until_complete(asyncio.sleep(0.05))


# ---- headers of proxies


_APPROACHES = (
    b"X-Forwarded-For: 203.0.113.5, 10.0.0.2\nX-Forwarded-Proto: https\nX-User: Anna",
    b"X-Forwarded-For: [2001:db8::7]:443\nX-Forwarded-For: 10.0.0.3\nX-User: =?utf-8?q?Anna?=",
    b"X-Forwarded-For: unknown\nForwarded: for=192.0.2.60;proto=http;by=203.0.113.43\nX-User: \xc3\x84nna",
)


class _From:
    """A connection from somebody."""

    def __init__(self, peer: object) -> None:
        self._peer = peer

    def get_extra_info(self, name: str, default: object = None) -> object:
        return self._peer if name == "peername" else default


_PEERS = (("10.0.0.9", 5), ("198.51.100.7", 5), ("::ffff:10.0.0.9", 5, 0, 0), "", None)


@contextlib.contextmanager
def _approach() -> Iterator[Run]:
    proxy = Proxy(trusted=("10.0.0.0/8",), name_header="X-User")

    def run(data: bytes) -> None:
        pairs = (row.partition(b":") for row in data.split(b"\n"))
        headers = CIMultiDict((n.decode("latin1"), v.strip().decode("utf-8", "surrogateescape")) for n, _, v in pairs)
        for peer in _PEERS:
            request = SimpleNamespace(headers=headers, transport=_From(peer))
            found = approach_of(cast("web.Request", request), proxy, tls=False)
            if peer == _PEERS[1]:
                assert (found.address, found.secure, found.name) == ("198.51.100.7", False, None)
            assert found.name is None or found.name.isprintable()

    yield run


def targets() -> list[Target]:
    """All of this file."""
    lines = mutate.lines
    return [
        Target("http", lines, _requests(), _http),
        Target("host_reply", lines, _replies(), _device, (Lost,)),
        Target("approach", lines, _APPROACHES, _approach),
    ]
