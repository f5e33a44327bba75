"""Support bundles through a real host: who may ask, who may hand in, how much, how often, and for how long."""

import asyncio
import contextlib
import gc
import gzip
import io
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from appliance.core.events import EventName
from appliance.core.site_details import is_bundle_word
from appliance.host import bundles
from appliance.host.bundles import MOST, MOST_BYTES
from tests.core.presence import SITE
from tests.host.harness import OTHER_ROOM, ROOM, House, house, token
from tests.host.member import Member, Presence, inside
from tests.host.test_front import street
from tests.support import until

PACKED = gzip.compress(b"what helps\n" * 1000)
GZIP = "application/gzip"
LINGERS = 2.2
"""Seconds for which the host still reads, and throws away, what it has refused: else its sender would not see the refusal."""


async def call(
    home: House, method: str, path: str, bearer: str, data: Any = None, **headers: str
) -> tuple[int, bytes, dict[str, str]]:
    """Status, body and headers of the answer."""
    sent = {"Authorization": f"Bearer {bearer}", **{name.replace("_", "-"): value for name, value in headers.items()}}
    async with home.http.request(method, home.url(path), data=data, headers=sent) as answer:
        return answer.status, await answer.read(), {name.lower(): value for name, value in answer.headers.items()}


def admin(name: str = "boss") -> str:
    return token(name, "admin")


def box_token(name: str = "box") -> str:
    return token(name, kind="site")


async def ask(home: House, device: str = "box", bearer: str = "") -> str:
    """Ask for a bundle; the word."""
    async with home.http.post(
        home.url(f"/rooms/{ROOM}/devices/{device}/bundle"), headers={"Authorization": f"Bearer {bearer or admin()}"}
    ) as answer:
        assert answer.status == 202, await answer.text()
        word = (await answer.json())["bundle"]
    assert is_bundle_word(word)
    return str(word)


async def hand_in(home: House, word: str, data: Any = PACKED, device: str = "box", **headers: str) -> int:
    body = io.BytesIO(data) if isinstance(data, bytes) else data
    status, _, _ = await call(
        home, "PUT", f"/rooms/{ROOM}/bundles/{word}", box_token(device), body, **{"Content_Type": GZIP, **headers}
    )
    return status


async def fetch(home: House, word: str, bearer: str = "") -> tuple[int, bytes, dict[str, str]]:
    return await call(home, "GET", f"/rooms/{ROOM}/bundles/{word}", bearer or admin())


@contextlib.asynccontextmanager
async def boxes(home: House, *names: str, offers: bool = True) -> AsyncIterator[list[tuple[Member, Presence]]]:
    """Devices in the room that have said whether they offer bundles."""
    async with inside(home, *names, kind="site") as found, Presence(house=home, hello=admin("watch")) as watch:
        for _, presence in found:
            await presence.send(type="report", site={**SITE, "details": {"bundle": offers}})
        await until(lambda: all("details" in ((watch.member(name) or {}).get("site") or {}) for name in names))
        yield found


async def test_a_bundle_goes_from_a_device_to_an_admin(tmp_path: Path) -> None:
    async with house(tmp_path) as home, boxes(home, "box") as [(_, box)]:
        word = await ask(home)
        await until(lambda: box.of("bundle_asked"))
        assert box.of("bundle_asked") == [{"type": "bundle_asked", "word": word}]
        status, _, headers = await fetch(home, word)
        assert (status, headers["retry-after"]) == (202, "1")
        assert await hand_in(home, word) == 201
        status, content, headers = await fetch(home, word)
        assert (status, content) == (200, PACKED)
        assert headers["content-type"] == GZIP
        assert headers["content-disposition"] == 'attachment; filename="kontor-box.tar.gz"'
        assert (headers["cache-control"], headers["x-content-type-options"]) == ("no-store", "nosniff")
        assert (await fetch(home, word))[1] == PACKED, "a download that broke off is begun again"
        assert home.count("host_bundles") == 1
        assert [event.fields["member"] for event in home.told(EventName.BUNDLE_ASKED)] == ["box"]


async def test_only_admins_ask_and_fetch(tmp_path: Path) -> None:
    async with house(tmp_path) as home, boxes(home, "box"):
        path = f"/rooms/{ROOM}/devices/box/bundle"
        for role, status in (("speaker", 403), ("listener", 403), ("guest", 403)):
            assert (await call(home, "POST", path, token("eve", role)))[0] == status  # type: ignore[arg-type]
        assert (await call(home, "POST", path, "x.y"))[0] == 401
        assert (await call(home, "POST", path, box_token()))[0] == 403, "nor does a device"
        word = await ask(home)
        assert await hand_in(home, word) == 201
        assert (await fetch(home, word, token("eve")))[0] == 403
        assert (await fetch(home, word, box_token()))[0] == 403
        assert (await fetch(home, word, token("boss", "admin", room=OTHER_ROOM, key=b"w" * 32)))[0] in (401, 403)
        other = await call(
            home, "GET", f"/rooms/{OTHER_ROOM}/bundles/{word}", token("boss", "admin", room=OTHER_ROOM, key=b"w" * 32)
        )
        assert other[0] == 404, "a word is one of its room"
        assert (await fetch(home, "w" * 22))[0] == 404
        assert (await call(home, "POST", "/rooms/attic/devices/box/bundle", admin()))[0] == 404


async def test_only_a_device_that_is_here_and_offers_one_is_asked(tmp_path: Path) -> None:
    async with house(tmp_path) as home, boxes(home, "shy", offers=False) as [(_, shy)], inside(home, "ada"):
        for device, status in (("shy", 409), ("ada", 404), ("nobody", 404)):
            assert (await call(home, "POST", f"/rooms/{ROOM}/devices/{device}/bundle", admin()))[0] == status
        assert shy.of("bundle_asked") == []


async def test_only_the_device_that_was_asked_hands_in_and_only_once(tmp_path: Path) -> None:
    async with house(tmp_path) as home, boxes(home, "box", "other"):
        word = await ask(home)
        assert await hand_in(home, word, device="other") == 404
        assert await hand_in(home, "w" * 22) == 404
        path = f"/rooms/{ROOM}/bundles/{word}"
        person = await call(home, "PUT", path, token("ada"), PACKED, Content_Type=GZIP)
        assert person[0] == 404, "whoever was not asked does not learn that somebody was"
        assert (await call(home, "PUT", path, "x.y", PACKED, Content_Type=GZIP))[0] == 401
        assert (await call(home, "PUT", f"/rooms/attic/bundles/{word}", box_token(), PACKED))[0] == 404
        assert await hand_in(home, word) == 201
        assert await hand_in(home, word, gzip.compress(b"another")) == 409
        assert (await fetch(home, word))[1] == PACKED


async def chunks(size: int) -> AsyncIterator[bytes]:
    """A body of ``size`` bytes whose length is not told."""
    yield b"\x1f\x8b"
    for _ in range(size // 65_536):
        yield bytes(65_536)


async def test_what_is_no_bundle_is_refused_and_the_device_may_try_again(tmp_path: Path) -> None:
    async with house(tmp_path) as home, boxes(home, "box"):
        word = await ask(home)
        assert await hand_in(home, word, PACKED, Content_Type="application/zip") == 415
        assert await hand_in(home, word, PACKED, Content_Type=f"{GZIP}; {'x' * 200}") == 415
        assert await hand_in(home, word, PACKED, Content_Encoding="gzip") == 415
        assert await hand_in(home, word, b"<html>") == 415
        assert await hand_in(home, word, b"") == 415
        assert await hand_in(home, word, b"\x1f\x8b" + bytes(MOST_BYTES)) == 413
        with contextlib.suppress(aiohttp.ClientError):  # the host need not read to the end of it
            assert await hand_in(home, word, chunks(MOST_BYTES + 65_536)) == 413
        assert (await fetch(home, word))[0] == 202
        whole = b"\x1f\x8b" + os.urandom(MOST_BYTES - 2)
        assert await hand_in(home, word, whole) == 201, "as large as it may be"
        assert (await fetch(home, word))[1] == whole
        await asyncio.sleep(LINGERS)


async def test_a_body_that_does_not_come_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundles, "_BODY", 0.2)

    async def dripping() -> AsyncIterator[bytes]:
        while True:
            yield b"\x1f"
            await asyncio.sleep(0.05)

    async with house(tmp_path) as home, boxes(home, "box"):
        word = await ask(home)
        with contextlib.suppress(aiohttp.ClientError):
            assert await hand_in(home, word, dripping()) == 408
        await until(lambda: home.count("host_bad_requests"))
        assert await hand_in(home, word) == 201, "and the next attempt passes"
        await asyncio.sleep(LINGERS)


async def test_a_device_that_never_answers_is_waited_for_two_minutes_and_no_longer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with house(tmp_path) as home, boxes(home, "box") as [(_, box)]:
        word = await ask(home)
        assert (await fetch(home, word))[0] == 202
        monkeypatch.setattr(bundles, "PATIENCE", 0.0)
        status, text, _ = await fetch(home, word)
        assert (status, text) == (504, b"The device has not handed in a support bundle.\n")
        assert (await fetch(home, word))[0] == 404
        assert await hand_in(home, word) == 404, "too late"
        monkeypatch.undo()
        again = await ask(home)
        assert again != word
        assert await ask(home) == again
        monkeypatch.setattr(bundles, "PATIENCE", 0.0)
        third = await ask(home)
        assert third != again, "nor does somebody who asks anew wait for what never comes"
        await until(lambda: len(box.of("bundle_asked")) == 3)


async def test_it_is_forgotten_after_ten_minutes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with house(tmp_path) as home, boxes(home, "box"):
        word = await ask(home)
        assert await hand_in(home, word) == 201
        monkeypatch.setattr(bundles, "KEPT", 0.0)
        assert (await fetch(home, word))[0] == 404


async def test_it_is_out_of_memory_then_though_nobody_asks_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bundles, "KEPT", 0.5)
    packed = gzip.compress(b"of this test alone")

    def kept() -> bool:
        gc.collect()
        return any(isinstance(each, bundles._Bundle) and each.content == packed for each in gc.get_objects())

    async with house(tmp_path) as home, boxes(home, "box"):
        assert await hand_in(home, await ask(home), packed) == 201
        assert kept()
        await until(lambda: not kept())


async def test_four_are_kept_and_what_was_fetched_or_does_not_come_gives_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [f"box{n}" for n in range(MOST + 2)]
    async with house(tmp_path) as home, boxes(home, *names):
        words = [await ask(home, name, admin(f"boss{name}")) for name in names[:MOST]]
        path = f"/rooms/{ROOM}/devices/{names[MOST]}/bundle"
        status, _, headers = await call(home, "POST", path, admin())
        assert (status, headers["retry-after"]) == (503, "60")
        assert await hand_in(home, words[0], device=names[0]) == 201
        assert (await fetch(home, words[0]))[0] == 200
        new = await ask(home, names[MOST])
        assert (await fetch(home, words[0]))[0] == 404
        assert {(await fetch(home, word))[0] for word in (*words[1:], new)} == {202}
        assert (await call(home, "POST", f"/rooms/{ROOM}/devices/{names[-1]}/bundle", admin()))[0] == 503
        monkeypatch.setattr(bundles, "PATIENCE", 0.0)
        assert is_bundle_word(await ask(home, names[-1]))


async def test_what_nobody_waits_for_any_more_gives_way_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = [f"box{n}" for n in range(MOST + 2)]
    async with house(tmp_path) as home, boxes(home, *names):
        words = [await ask(home, name, admin(f"boss{name}")) for name in names[:MOST]]
        for name, word in zip(names, words, strict=False):
            assert await hand_in(home, word, device=name) == 201
        path = f"/rooms/{ROOM}/devices/{names[MOST]}/bundle"
        status, sentence, headers = await call(home, "POST", path, admin())
        assert (status, headers["kontor-refusal"]) == (503, "bundles_full")
        assert sentence == b"4 support bundles are on their way; try again in some minutes.\n"
        assert (await fetch(home, words[0]))[1] == PACKED, "a refusal takes nothing away from those who wait"
        monkeypatch.setattr(bundles, "PATIENCE", 0.0)  # as after two minutes: their pages were closed
        assert is_bundle_word(await ask(home, names[MOST]))


async def test_two_admins_wait_for_the_same_and_nobody_asks_without_end(tmp_path: Path) -> None:
    async with house(tmp_path) as home, boxes(home, "box") as [(_, box)]:
        word = await ask(home)
        assert await ask(home, bearer=admin("other")) == word
        path = f"/rooms/{ROOM}/devices/box/bundle"
        said = [(await call(home, "POST", path, admin()))[0] for _ in range(8)]
        assert said[0] == 202
        assert said[-1] == 429
        assert len(box.of("bundle_asked")) == 1


async def test_it_passes_the_front_of_a_host_in_several_processes(short_dir: Path) -> None:
    async with street(short_dir) as home, boxes(home, "box"):
        word = await ask(home)
        whole = b"\x1f\x8b" + os.urandom(1024 * 1024)
        assert await hand_in(home, word, b"\x1f\x8b" + bytes(MOST_BYTES)) in (413, 503)
        assert await hand_in(home, word, whole) == 201
        assert (await fetch(home, word))[1] == whole
        stranger = await call(home, "PUT", f"/rooms/{ROOM}/bundles/{word}", "x.y", PACKED, Content_Type=GZIP)
        assert stranger[0] == 401
