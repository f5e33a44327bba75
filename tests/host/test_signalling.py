"""Joining, leaving, devices and health over HTTP: every status there is."""

import asyncio
import base64
import ssl
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from appliance.core.events import EventName
from appliance.core.protocol import challenge_text, verify
from appliance.core.roster import Sign
from appliance.core.sdp import parse_answer, parse_offer
from appliance.host.certificate import CertificateError
from appliance.host.config import DeviceConfig, Limits, Rate, Times
from tests.host.dtls_client import identity
from tests.host.harness import KEY, OTHER_ROOM, ROOM, House, house, token
from tests.host.member import Member
from tests.host.steady import tone_between
from tests.support import until


async def post(home: House, body: str | bytes, **headers: str) -> tuple[int, str, Mapping[str, str]]:
    sent = {"Content-Type": "application/sdp", "Authorization": f"Bearer {token('anna')}", **headers}
    path = sent.pop("path", f"/rooms/{ROOM}/media")
    async with home.http.post(home.url(path), data=body, headers={k: v for k, v in sent.items() if v}) as response:
        return response.status, await response.text(), response.headers


def is_sentence(text: str) -> bool:
    return text.endswith(".\n") and text.count("\n") == 1 and text[0].isupper() and len(text) < 200


async def test_an_offer_is_answered_as_whip_does(tmp_path: Path) -> None:
    async with house(tmp_path) as home, Member(home, "anna") as anna:
        status, text, headers = await post(home, anna.offer())
        assert status == 201
        assert headers["Content-Type"].startswith("application/sdp")
        assert headers["Location"].startswith(f"/rooms/{ROOM}/media/")
        assert headers["ETag"].startswith('"')
        answer = parse_answer(text, mids=[section.mid for section in parse_offer(anna.offer()).media])
        assert answer.ice_lite
        assert answer.setup == "passive"
        assert answer.candidates[0].split(" ")[4:6] == ["127.0.0.1", str(home.host.udp_port)]
        assert [section.direction for section in answer.media] == ["sendrecv", "sendonly", "sendonly"]
        assert len({section.ssrcs for section in answer.media}) == 3


async def test_leaving_is_delete_and_only_ones_own(tmp_path: Path) -> None:
    async with house(tmp_path) as home, Member(home, "anna") as anna:
        await anna.join()
        mine, anna.token = anna.token, token("ben")
        assert await anna.leave() == 403
        anna.token = token("anna", key=b"x" * 32)
        assert await anna.leave() == 401
        anna.token = token("anna", expires=int(time.time()) - 5)
        assert await anna.leave() == 200, "an expired token may still leave"
        anna.token = mine
        assert await anna.leave() == 404
        assert home.host.state()["members"] == 0


@pytest.mark.parametrize(
    ("status", "change"),
    [
        (401, {"Authorization": ""}),
        (401, {"Authorization": "Basic YTpi"}),
        (401, {"Authorization": "Bearer "}),
        (401, {"Authorization": "Bearer junk"}),
        (401, {"Authorization": "Bearer " + token("anna", key=b"x" * 32)}),
        (401, {"Authorization": "Bearer " + token("anna", key_id="k2")}),
        (401, {"Authorization": "Bearer " + token("anna", expires=1)}),
        (403, {"Authorization": "Bearer " + token("anna", room=OTHER_ROOM)}),
        (404, {"path": "/rooms/nowhere/media"}),
        (415, {"Content-Type": "text/plain"}),
        (415, {"Content-Type": "application/json"}),
        (405, {"path": f"/rooms/{ROOM}/media/abc"}),
    ],
)
async def test_what_is_not_granted_has_its_status_and_one_sentence(
    tmp_path: Path, status: int, change: dict[str, str]
) -> None:
    async with house(tmp_path) as home, Member(home, "anna") as anna:
        got, text, headers = await post(home, anna.offer(), **change)
        assert got == status
        assert "\n" not in text.strip()
        if status != 405 and "nowhere" not in change.get("path", "nowhere"):
            assert is_sentence(text)
        if status == 401:
            assert headers["WWW-Authenticate"].startswith("Bearer")
        assert home.host.state()["members"] == 0
        sent = change.get("Authorization", "Bearer").partition(" ")[2]
        assert not sent or not any(sent in str(dict(event.fields)) for event in home.events)


@pytest.mark.parametrize(
    "body", ["", "junk", "v=0\r\n", "\0" * 100, "m=audio\r\n" * 50, "v=0\r\n" + "a=x\r\n" * 3000, "\ud800"]
)
async def test_a_malformed_offer_is_400_with_one_sentence(tmp_path: Path, body: str) -> None:
    async with house(tmp_path) as home:
        status, text, _ = await post(home, body.encode("utf-8", "surrogatepass"))
        assert status == 400
        assert is_sentence(text)
        assert home.count("host_bad_requests") == 1


async def test_an_exception_inside_is_400_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_text: str) -> None:
        raise ZeroDivisionError("a surprise")

    monkeypatch.setattr("appliance.host.signalling.parse_offer", broken)
    async with house(tmp_path) as home, Member(home, "anna") as anna:
        status, text, _ = await post(home, anna.offer())
        assert status == 400
        assert is_sentence(text)
        assert "surprise" not in text
        assert home.told(EventName.BAD_REQUEST)[0].fields["error"] == "ZeroDivisionError"


async def test_a_body_that_is_too_big_is_413_however_it_comes(tmp_path: Path) -> None:
    async def chunks() -> Any:
        for _ in range(80):
            yield b"x" * 1024

    async with house(tmp_path) as home:
        assert (await post(home, b"x" * (64 * 1024 + 1)))[0] == 413
        assert (await post(home, chunks()))[0] == 413
        assert (await post(home, b"x" * 64 * 1024))[0] == 400


async def test_a_body_that_does_not_come_is_408(tmp_path: Path) -> None:
    async with house(tmp_path, times=Times(body=0.1)) as home:
        reader, writer = await asyncio.open_connection(*home.host.address)
        head = f"POST /rooms/{ROOM}/media HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token('anna')}\r\n"
        writer.write(f"{head}Content-Type: application/sdp\r\nContent-Length: 9\r\n\r\nv=0".encode())
        assert (await reader.readline()).split()[1] == b"408"
        writer.write(b"\r\nabcd")  # at last
        writer.close()
        await writer.wait_closed()


async def test_a_full_room_says_when_to_come_again_and_lets_its_members_back_in(tmp_path: Path) -> None:
    async with (
        house(tmp_path, max_members=2) as home,
        Member(home, "anna") as anna,
        Member(home, "ben") as ben,
        Member(home, "cleo") as cleo,
    ):
        await anna.join()
        await ben.join()
        response = await cleo.post()
        assert response.status == 503
        assert int(response.headers["Retry-After"]) > 0
        assert home.told(EventName.ROOM_FULL)
        assert (await anna.post()).status == 201
        await ben.leave()
        assert (await cleo.post()).status == 201


async def test_too_many_attempts_of_one_identity_are_429_and_others_are_not(tmp_path: Path) -> None:
    async with (
        house(tmp_path, limits=Limits(joins=Rate(0.1, 3))) as home,
        Member(home, "anna") as anna,
        Member(home, "ben") as ben,
    ):
        assert [(await anna.post()).status for _ in range(4)] == [201, 201, 201, 429]
        assert (await ben.post()).status == 201


async def test_health_tells_strangers_nothing_but_that_it_runs(tmp_path: Path) -> None:
    async with house(tmp_path) as home, Member(home, "anna") as anna:
        await anna.connect()
        async with home.http.get(home.url("/health")) as response:
            assert (response.status, await response.json()) == (200, {"status": "ok"})
        state = home.host.state()
        assert (state["members"], state["udp_port"]) == (1, home.host.udp_port)
        assert state["rooms"][0]["connected"] == 1
        assert state["counters"]["host_joins"] == 1


# ---- devices

DEVICE_KEY = Ed25519PrivateKey.from_private_bytes(b"d" * 32)
DEVICE = DeviceConfig(
    "room-7",
    "Room 7",
    ROOM,
    DEVICE_KEY.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw),
    Sign(3, 9),
)


async def ask(home: House, path: str, body: object, **headers: str) -> tuple[int, dict[str, Any]]:
    async with home.http.post(home.url(f"/devices/{path}"), json=body, headers=headers) as response:
        is_json = response.content_type == "application/json"
        return response.status, await response.json() if is_json else {"text": await response.text()}


async def nonce_for(home: House, device: str = "room-7") -> str:
    status, answer = await ask(home, "challenge", {"device": device})
    assert status == 200
    return str(answer["nonce"])


def answered(nonce: str, room: str = ROOM, key: Ed25519PrivateKey = DEVICE_KEY, **changes: object) -> dict[str, object]:
    signature = base64.b64encode(key.sign(challenge_text(room, nonce))).decode()
    return {"device": "room-7", "nonce": nonce, "signature": signature, "room": room, **changes}


async def test_a_device_gets_a_token_for_its_answer_and_joins_as_a_site(tmp_path: Path) -> None:
    async with house(tmp_path, devices=(DEVICE,)) as home, Member(home, "room-7") as site:
        status, answer = await ask(home, "token", answered(await nonce_for(home)))
        assert status == 200
        claims = verify(answer["token"], {"k1": KEY}, time.time(), ROOM)
        assert (claims.identity, claims.name, claims.kind, claims.role) == ("room-7", "Room 7", "site", "speaker")
        assert 590 < claims.expires - time.time() <= 600
        site.token = answer["token"]
        async with site.presence() as presence:
            await site.connect()
            await until(lambda: presence.state("room-7") == "muted")
            member = presence.member("room-7")
            assert member is not None
            assert member["sign"] == {"hue": 3, "place": 9}


async def test_a_challenge_is_good_once_for_a_minute_and_for_one_device(tmp_path: Path) -> None:
    other = DeviceConfig("room-8", "Room 8", ROOM, DEVICE.public_key)
    async with house(tmp_path, devices=(DEVICE, other), times=Times(nonce=0.3)) as home, tone_between(home) as room:
        nonce = await nonce_for(home)
        assert (await ask(home, "token", answered(nonce)))[0] == 200
        assert (await ask(home, "token", answered(nonce)))[0] == 401
        assert (await ask(home, "token", answered(nonce.upper().lower())))[0] == 401
        assert (await ask(home, "token", answered(await nonce_for(home, "room-8"))))[0] == 401
        late = await nonce_for(home)
        await asyncio.sleep(0.35)
        assert (await ask(home, "token", answered(late)))[0] == 401
        faults = ("host_challenges_replayed", "host_challenges_forged", "host_challenges_expired")
        await room.counts(*faults, "host_refused")
        assert [room.counted()[name] for name in faults] == [2, 1, 1]


async def test_wrong_answers_get_nothing_and_learn_nothing(tmp_path: Path) -> None:
    async with house(tmp_path, devices=(DEVICE,)) as home, tone_between(home) as room:
        stranger = Ed25519PrivateKey.from_private_bytes(b"s" * 32)
        refusals = [
            await ask(home, "token", answered(await nonce_for(home), key=stranger)),
            await ask(home, "token", answered(await nonce_for(home), device="room-9")),
            await ask(home, "token", answered(await nonce_for(home, "room-9"), device="room-9")),
            await ask(home, "token", answered(await nonce_for(home), signature="!")),
            await ask(home, "token", answered(await nonce_for(home), signature=7)),
            await ask(home, "token", {**answered(await nonce_for(home)), "nonce": "00" * 40}),
            await ask(home, "token", {**answered(await nonce_for(home)), "nonce": "zz"}),
        ]
        assert {status for status, _ in refusals} == {401}
        assert len({body["text"] for _, body in refusals}) == 1
        status, _ = await ask(home, "token", answered(await nonce_for(home), room=OTHER_ROOM))
        assert status == 403
        await room.counts("host_challenges_forged", "host_devices_unknown", "host_tokens_foreign", "host_refused")
        assert room.counted() == {
            "host_challenges_forged": 5,
            "host_devices_unknown": 2,
            "host_tokens_foreign": 1,
            "host_refused": 8,
        }


@pytest.mark.parametrize(
    ("status", "body", "headers"),
    [
        (400, {}, {}),
        (400, [], {}),
        (400, {"device": 7}, {}),
        (400, {"device": "Not An Identity"}, {}),
        (400, {"device": "x" * 5000}, {}),
        (413, {"device": "x" * 70_000}, {}),
        (415, {"device": "room-7"}, {"Content-Type": "text/plain"}),
    ],
)
async def test_malformed_device_requests(tmp_path: Path, status: int, body: object, headers: dict[str, str]) -> None:
    async with house(tmp_path) as home:
        for path in ("challenge", "token"):
            assert (await ask(home, path, body, **headers))[0] == status


# ---- the whole host


async def test_https(tmp_path: Path) -> None:
    who = identity()
    chain, key = tmp_path / "chain.pem", tmp_path / "key.pem"
    chain.write_bytes(who.certificate.public_bytes(serialization.Encoding.PEM))
    key.write_bytes(
        who.key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    trust = ssl.create_default_context(cafile=str(chain))
    trust.check_hostname = False
    async with house(tmp_path, tls=(chain, key)) as home:
        url = home.url("/health").replace("http:", "https:")
        async with home.http.get(url, ssl=trust) as response:
            assert (await response.json())["status"] == "ok"


async def test_https_files_that_cannot_be_used_are_told(tmp_path: Path) -> None:
    who = identity()
    chain, key = tmp_path / "chain.pem", tmp_path / "key.pem"
    chain.write_bytes(who.certificate.public_bytes(serialization.Encoding.PEM))
    locked = serialization.BestAvailableEncryption(b"secret")  # nobody is there who could be asked for it
    key.write_bytes(who.key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, locked))
    for files in ((chain, key), (chain, chain), (tmp_path / "none.pem", key)):
        with pytest.raises(CertificateError, match=r"\[host.tls\] certificate and key have to be PEM files"):
            async with house(tmp_path, tls=files):
                pass


async def test_both_ports_are_let_go_and_taken_ports_are_told(tmp_path: Path, free_port: int) -> None:
    async with house(tmp_path, http_port=free_port, udp_port=free_port) as home:
        assert home.host.address[1] == home.host.udp_port == free_port
        with pytest.raises(OSError, match="in use"):
            async with house(tmp_path, http_port=0, udp_port=free_port):
                pass
        with pytest.raises(OSError, match="in use"):
            async with house(tmp_path, http_port=free_port):
                pass
    async with house(tmp_path, http_port=free_port, udp_port=free_port):
        pass
    with pytest.raises(RuntimeError, match="not been started"):
        _ = home.host.address


async def test_the_address_of_media_is_the_one_that_was_reached(tmp_path: Path) -> None:
    elsewhere = {"X-Forwarded-For": "198.51.100.7"}
    cases: list[tuple[dict[str, Any], str]] = [
        ({"udp_host": "0.0.0.0"}, "127.0.0.1"),
        ({"udp_host": "0.0.0.0", "public_address": "0.0.0.0"}, "127.0.0.1"),
        ({"udp_host": "0.0.0.0", "public_address": "192.0.2.9"}, "127.0.0.1"),  # from the same machine
        ({"udp_host": "0.0.0.0", "public_address": "192.0.2.9", "headers": elsewhere}, "192.0.2.9"),
        ({"public_address": ""}, "127.0.0.1"),
    ]
    for settings, expected in cases:
        headers = settings.pop("headers", {})
        async with house(tmp_path, **settings) as home, Member(home, "anna") as anna:
            home.http.headers.update(headers)
            await anna.join()
            assert anna.to == (expected, home.host.udp_port)


async def test_the_end_of_the_ticks_ends_the_host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError

    async with house(tmp_path) as home:
        waiting = asyncio.create_task(home.host.wait())
        await asyncio.sleep(0.1)
        assert not waiting.done()
        monkeypatch.setattr("appliance.host.conference.Conference.tick", broken)
        with pytest.raises(ZeroDivisionError):
            await waiting
