"""The hosted room's HTTP, against a server that misbehaves in every way that a server can."""

import base64
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import aiohttp
import pytest
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from yarl import URL

from appliance.core import protocol, sdp
from appliance.rooms.signalling import Joined, Lost, Signalling, device_credentials, fixed_credentials
from tests.rooms.served import served

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

OFFER = sdp.build_offer(sdp.LocalTransport("ufrag", "p" * 22, ":".join(["AB"] * 32)), (), ssrc=42)
ANSWER = sdp.build_answer(
    sdp.parse_offer(OFFER), sdp.HostTransport("host", "h" * 22, ":".join(["CD"] * 32), "192.0.2.1", 4000, 1), [1, 2, 3]
)


@asynccontextmanager
async def server(**handlers: Handler) -> AsyncIterator[Signalling]:
    app = web.Application()
    app.add_routes(
        [
            web.route("*", path, handlers[name])
            for name, path in (
                ("media", "/rooms/main/media"),
                ("session", "/rooms/main/media/7"),
                ("bundles", "/rooms/main/bundles/{word}"),
                ("challenge", "/devices/challenge"),
                ("token", "/devices/token"),
            )
            if name in handlers
        ]
    )
    async with served(app) as (_, signalling):
        yield signalling


def answering(text: str = ANSWER, location: str | None = "/rooms/main/media/7", status: int = 201) -> Handler:
    async def handler(request: web.Request) -> web.Response:
        headers = {} if location is None else {"Location": location}
        return web.Response(status=status, text=text, content_type="application/sdp", headers=headers)

    return handler


async def test_a_support_bundle_is_handed_in() -> None:
    seen: list[tuple[str, str, str, str, bytes]] = []

    async def bundles(request: web.Request) -> web.Response:
        word, who = request.match_info["word"], request.headers["Authorization"]
        seen.append((request.method, word, who, request.content_type, await request.read()))
        return web.Response(status=201 if word == "w" * 22 else 404)

    async with server(bundles=bundles) as signalling:
        await signalling.hand_in("TOKEN", "w" * 22, b"\x1f\x8bpacked")
        with pytest.raises(Lost, match="no such room"):
            await signalling.hand_in("TOKEN", "v" * 22, b"\x1f\x8bpacked")
    assert seen[0] == ("PUT", "w" * 22, "Bearer TOKEN", "application/gzip", b"\x1f\x8bpacked")


async def test_joining_and_leaving() -> None:
    seen: list[tuple[str, str, str, str]] = []

    async def media(request: web.Request) -> web.StreamResponse:
        seen.append((request.method, request.headers["Authorization"], request.content_type, await request.text()))
        return await answering()(request)

    async def session(request: web.Request) -> web.Response:
        seen.append((request.method, request.headers["Authorization"], "", ""))
        return web.Response()

    async with server(media=media, session=session) as signalling:
        joined = await signalling.join("TOKEN", OFFER)
        assert joined.answer.fingerprint == bytes.fromhex("CD" * 32)
        assert joined.location.path == "/rooms/main/media/7"
        await signalling.leave(joined)
    assert seen == [("POST", "Bearer TOKEN", "application/sdp", OFFER), ("DELETE", "Bearer TOKEN", "", "")]


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, "server"),
        (401, "refused"),
        (403, "refused"),
        (404, "gone"),
        (500, "server"),
        (503, "full"),
        (200, "server"),
    ],
)
async def test_each_refusal_has_its_fault(status: int, kind: str) -> None:
    async with server(media=answering(status=status)) as signalling:
        with pytest.raises(Lost) as lost:
            await signalling.join("SECRET-TOKEN", OFFER)
    assert lost.value.fault.kind == kind
    assert lost.value.token_refused is (status == 401)
    assert "SECRET" not in str(lost.value)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [("7", 7.0), ("0.5", 0.5), ("Wed, 21 Oct 2026 07:28:00 GMT", None), ("-3", None), ("inf", None)],
)
async def test_what_a_full_room_asks(value: str, seconds: float | None) -> None:
    async def full(request: web.Request) -> web.Response:
        return web.Response(status=503, headers={"Retry-After": value})

    async with server(media=full) as signalling:
        with pytest.raises(Lost) as lost:
            await signalling.join("T", OFFER)
    assert lost.value.fault.retry_after == seconds


@pytest.mark.parametrize(
    "media",
    [
        answering("junk"),
        answering(""),
        answering(ANSWER, None),
        answering(ANSWER, "http://elsewhere.example/rooms/main/media/7"),
        answering(ANSWER, "http://[broken"),
        answering(ANSWER, "mailto:somebody"),
        answering(ANSWER.replace("a=mid:1", "a=mid:9")),
        answering("v=0\r\n" + "a=x\r\n" * 100_000),
        answering(ANSWER, status=307, location="/rooms/main/media/7"),
    ],
)
async def test_an_answer_that_is_none_is_the_servers_fault(media: Handler) -> None:
    async with server(media=media) as signalling:
        with pytest.raises(Lost) as lost:
            await signalling.join("T", OFFER)
    assert lost.value.fault.kind == "server"


async def test_a_redirect_does_not_get_the_token() -> None:
    followed: list[str] = []

    async def elsewhere(request: web.Request) -> web.Response:
        followed.append(request.headers.get("Authorization", ""))
        return web.Response()

    async with server(media=answering(status=307), session=elsewhere) as signalling:
        with pytest.raises(Lost):
            await signalling.join("T", OFFER)
    assert followed == []


async def test_a_server_that_is_not_there_is_the_networks_fault(free_port: int) -> None:
    async with aiohttp.ClientSession() as http:
        signalling = Signalling(http, URL(f"http://127.0.0.1:{free_port}"), "main")
        with pytest.raises(Lost) as lost:
            await signalling.join("T", OFFER)
        assert lost.value.fault.kind == "network"
        joined = Joined(sdp.parse_answer(ANSWER), URL(f"http://127.0.0.1:{free_port}/rooms/main/media/7"), "T")
        await signalling.leave(joined)  # says nothing: it does not matter


async def test_a_device_signs_the_hosts_challenge_and_no_more() -> None:
    key = Ed25519PrivateKey.generate()
    nonce = "ab" * 16

    async def challenge(request: web.Request) -> web.Response:
        assert await request.json() == {"device": "meeting-room", "room": "main"}
        return web.json_response({"nonce": nonce})

    async def token(request: web.Request) -> web.Response:
        body = await request.json()
        key.public_key().verify(base64.b64decode(body["signature"]), protocol.challenge_text("main", nonce))
        assert (body["device"], body["nonce"], body["room"]) == ("meeting-room", nonce, "main")
        return web.json_response({"token": "GOOD"})

    async with server(challenge=challenge, token=token) as signalling:
        assert await device_credentials("meeting-room", key.sign)(signalling) == "GOOD"
        assert await fixed_credentials("LINK")(signalling) == "LINK"


@pytest.mark.parametrize("nonce", [None, 5, "", "no hex", "ab" * 100, "ab\0" + "ab" * 16])
async def test_a_challenge_of_another_form_is_not_signed(nonce: object) -> None:
    signed: list[bytes] = []

    async def challenge(request: web.Request) -> web.Response:
        return web.json_response({"nonce": nonce})

    def sign(text: bytes) -> bytes:
        signed.append(text)
        return bytes(64)

    async with server(challenge=challenge) as signalling:
        with pytest.raises(Lost) as lost:
            await signalling.device_token("meeting-room", sign)
    assert lost.value.fault.kind == "server"
    assert signed == []


@pytest.mark.parametrize("token", [None, 5, "", "x" * 2000, "a\nb"])
async def test_a_token_of_another_form_is_not_used(token: object) -> None:
    async def challenge(request: web.Request) -> web.Response:
        return web.json_response({"nonce": "ab" * 16})

    async def give(request: web.Request) -> web.Response:
        return web.json_response({"token": token})

    async with server(challenge=challenge, token=give) as signalling:
        with pytest.raises(Lost):
            await signalling.device_token("meeting-room", lambda _: bytes(64))


async def test_an_unknown_device_is_refused() -> None:
    async def challenge(request: web.Request) -> web.Response:
        return web.Response(status=401)

    async with server(challenge=challenge) as signalling:
        with pytest.raises(Lost) as lost:
            await signalling.device_token("nobody", lambda _: bytes(64))
    assert lost.value.fault.kind == "refused"
