"""Looking at a published folder, over real sockets and real TLS: what comes, what does not, and that nothing is lost by it."""

import random
from collections.abc import Mapping
from pathlib import Path

import pytest
from aiohttp import web

from appliance.core.documents import Faults, Floor, NotTaken, Told, Verdict, Why, judge_content, judge_pointer
from appliance.core.events import RULES, EventName
from appliance.provisioning import fetch
from appliance.provisioning.fetch import Fetcher, Look, Place, pause
from appliance.provisioning.minisign import LARGEST_SIGNATURE
from appliance.provisioning.publication import Published, digest, read_pointer
from appliance.provisioning.signing import SecretKey
from appliance.settings.sources import LARGEST
from tests.provisioning.published import Raw, publish, shown
from tests.support import ports

KEY = SecretKey(bytes(range(8)), bytes(32))
STRANGER = SecretKey(bytes(8), bytes([1]) * 32)
NOW = 1_800_000_000.0
ONE, TWO = b"schema = 1\n", b"schema = 1\n[audio]\nframe_ms = 10\n"
SCOPES = ("all", "groups/bonn", "devices/lobby")


def fetcher(url: str, known: Mapping[str, Published] | None = None, **floors: Floor) -> Fetcher:
    return Fetcher(Place(url, (KEY.public,)), lambda: NOW, known or {}, floors)


def why(look: Look, scope: str = "all") -> tuple[Why, str]:
    return look.faults[scope].why, look.faults[scope].text


async def test_documents_come_once_and_pointers_are_asked_for_each_time(tmp_path: Path) -> None:
    publish(tmp_path, KEY, "all", 42, ONE)
    publish(tmp_path, KEY, "devices/lobby", 3, TWO)
    async with shown(tmp_path) as server:
        looking = fetcher(server.url)
        look = await looking.look(SCOPES)
        assert (look.news, look.reached, dict(look.faults)) == (("all", "devices/lobby"), True, {})
        lobby = Published("devices/lobby", 3, TWO, None, KEY.public.name)
        assert dict(look.documents) == {"all": Published("all", 42, ONE, None, KEY.public.name), "devices/lobby": lobby}
        assert lobby.name == "devices/lobby.toml (version 3)"
        assert looking.floors["all"] == Floor(42, look.documents["all"].digest)
        server.asked.clear()
        again = await looking.look(SCOPES)
        assert server.asked == [
            ("/all.minisig", 304),
            ("/groups/bonn.minisig", 404),
            ("/devices/lobby.minisig", 304),
        ]
        assert (again.news, again.reached, again.documents) == ((), True, look.documents)
        publish(tmp_path, KEY, "all", 43, TWO)
        newer = await looking.look(SCOPES)
        assert newer.news == ("all",)
        assert newer.documents["all"].content == TWO


async def test_what_was_accepted_before_need_not_come_again(tmp_path: Path) -> None:
    publish(tmp_path, KEY, "all", 42, ONE)
    async with shown(tmp_path) as server:
        looking = fetcher(server.url, {"all": Published("all", 42, ONE)})
        look = await looking.look(["all"])
        assert server.asked == [("/all.minisig", 200)]
    assert (look.news, look.documents["all"].version) == ((), 42)


async def test_an_empty_folder_is_no_fault_and_proves_nothing(tmp_path: Path) -> None:
    async with shown(tmp_path) as server:
        look = await fetcher(server.url, {"all": Published("all", 42, ONE)}).look(SCOPES)
    assert (look.reached, dict(look.faults), list(look.documents)) == (False, {}, ["all"])


async def test_a_floor_outlives_what_was_fetched(tmp_path: Path) -> None:
    publish(tmp_path, KEY, "all", 41, ONE)
    async with shown(tmp_path) as server:
        look = await fetcher(server.url, all=Floor(42, "aa")).look(["all"])
        assert why(look)[0] is Why.OLDER
        publish(tmp_path, KEY, "all", 42, TWO)
        assert why(await fetcher(server.url, all=Floor(42, "aa")).look(["all"]))[0] is Why.REWRITTEN


async def test_an_older_ledger_lowers_no_floor_below_what_is_in_force(tmp_path: Path) -> None:
    """A card that was copied back, say: who keeps an old pointer must not bring its document back by that."""
    publish(tmp_path, KEY, "all", 41, ONE)
    async with shown(tmp_path) as server:
        look = await fetcher(server.url, {"all": Published("all", 42, TWO)}, all=Floor(40, digest(ONE))).look(["all"])
    assert why(look)[0] is Why.OLDER
    assert look.documents["all"].version == 42


async def test_another_document_signed_under_a_version_that_is_here_is_told(tmp_path: Path) -> None:
    publish(tmp_path, KEY, "all", 42, ONE)
    async with shown(tmp_path) as server:
        looking = fetcher(server.url)
        await looking.look(["all"])
        publish(tmp_path, KEY, "all", 42, TWO)
        look = await looking.look(["all"])
        assert why(look) == (
            Why.REWRITTEN,
            "Version 42 was here already, with other content: raise the version.",
        )
        assert look.documents["all"].content == ONE
        publish(tmp_path, KEY, "all", 42, ONE)
        assert (await looking.look(["all"])).reached


async def test_a_version_that_is_here_may_be_signed_by_a_new_key(tmp_path: Path) -> None:
    publish(tmp_path, STRANGER, "all", 42, ONE)
    async with shown(tmp_path) as server:
        place = Place(server.url, (KEY.public, STRANGER.public))
        look = await Fetcher(place, lambda: NOW, {"all": Published("all", 42, ONE)}).look(["all"])
    assert (look.reached, dict(look.faults)) == (True, {})


async def test_a_replayed_pointer_of_another_device_is_not_taken(tmp_path: Path) -> None:
    publish(tmp_path, KEY, "devices/other", 9, TWO)
    (tmp_path / "devices/lobby.minisig").write_bytes((tmp_path / "devices/other.minisig").read_bytes())
    async with shown(tmp_path) as server:
        look = await fetcher(server.url).look(["devices/lobby"])
    assert why(look, "devices/lobby")[0] is Why.OTHER_SCOPE
    assert not look.documents


async def test_one_bad_document_does_not_hold_up_the_others(tmp_path: Path) -> None:
    publish(tmp_path, STRANGER, "all", 1, ONE)
    publish(tmp_path, KEY, "groups/bonn", 1, ONE, expires=NOW - 1)
    publish(tmp_path, KEY, "devices/lobby", 1, TWO)
    async with shown(tmp_path) as server:
        look = await fetcher(server.url).look(SCOPES)
    assert {scope: fault.why for scope, fault in look.faults.items()} == {
        "all": Why.FOREIGN_KEY,
        "groups/bonn": Why.EXPIRED,
    }
    assert look.news == ("devices/lobby",)


async def test_a_document_that_is_not_there_yet_comes_with_a_later_look(tmp_path: Path) -> None:
    publish(tmp_path, KEY, "all", 1, ONE)
    (tmp_path / "all.1.toml").unlink()
    async with shown(tmp_path) as server:
        looking = fetcher(server.url)
        assert why(await looking.look(["all"])) == (Why.MISSING, "all.1.toml is not there, though its pointer is.")
        (tmp_path / "all.1.toml").write_bytes(ONE)
        assert (await looking.look(["all"])).news == ("all",)


async def test_another_document_than_the_signed_one(tmp_path: Path) -> None:
    publish(tmp_path, KEY, "all", 1, ONE)
    (tmp_path / "all.1.toml").write_bytes(TWO)
    async with shown(tmp_path) as server:
        looking = fetcher(server.url)
        assert why(await looking.look(["all"]))[0] is Why.FORGED
    assert not looking.floors


async def test_signed_bytes_that_are_no_text(tmp_path: Path) -> None:
    publish(tmp_path, KEY, "all", 1, b"\xff\xfe")
    async with shown(tmp_path) as server:
        look = await fetcher(server.url).look(["all"])
    assert why(look) == (Why.NOT_TEXT, "all.1.toml is not UTF-8 text, though it was signed.")


# ---- servers that are not well


async def answered(tmp_path: Path, response: web.StreamResponse, path: str = "/all.minisig") -> Look:
    """A look at a server that has something else in place of ``path``."""
    publish(tmp_path, KEY, "all", 43, TWO)

    async def answer(request: web.Request) -> web.StreamResponse:
        return response if request.path == path else await server.show(request)

    async with shown(tmp_path) as server:
        server.answer = answer
        look = await fetcher(server.url, {"all": Published("all", 42, ONE)}).look(["all"])
    assert look.documents["all"] == Published("all", 42, ONE), "the last good one is what holds"
    assert (look.news, look.reached) == ((), False)
    return look


async def test_a_server_error(tmp_path: Path) -> None:
    look = await answered(tmp_path, web.Response(status=500))
    assert why(look) == (Why.STATUS, "127.0.0.1 answers 500 for /all.minisig.")


async def test_a_redirect_is_not_followed(tmp_path: Path) -> None:
    look = await answered(tmp_path, web.Response(status=302, headers={"Location": "https://portal.example/login"}))
    assert look.faults["all"].why is Why.REDIRECT
    assert look.faults["all"].text == (
        "127.0.0.1 sends on to another address, which is not followed: write the right one, or look for a captive portal"
        " on the way."
    )


async def test_a_captive_portal_that_answers_itself(tmp_path: Path) -> None:
    page = web.Response(text="<!doctype html><h1>Welcome</h1>", content_type="text/html")
    kind, words = why(await answered(tmp_path, page))
    assert kind is Why.NOT_SIGNED
    assert "captive portal" in words
    kind, _words = why(await answered(tmp_path, web.Response(text="<h1>Welcome</h1>"), "/all.43.toml"))
    assert kind is Why.FORGED


async def test_a_pointer_and_a_document_that_are_too_long(tmp_path: Path) -> None:
    kind, words = why(await answered(tmp_path, web.Response(body=b" " * (LARGEST_SIGNATURE + 1))))
    assert (kind, words.endswith("/all.minisig is longer than 4096 bytes.")) == (Why.TOO_LONG, True)
    kind, _words = why(await answered(tmp_path, web.Response(body=b" " * (LARGEST + 1)), "/all.43.toml"))
    assert kind is Why.TOO_LONG


async def test_what_is_packed_is_not_unpacked(tmp_path: Path) -> None:
    packed = web.Response(body=b"\x1f\x8b", headers={"Content-Encoding": "gzip"})
    kind, words = why(await answered(tmp_path, packed))
    assert (kind, words) == (
        Why.NOT_TEXT,
        "127.0.0.1 sends /all.minisig packed, though plain text was asked for.",
    )


async def test_nothing_is_as_it_was_where_nothing_was(tmp_path: Path) -> None:
    look = await answered(tmp_path, web.Response(status=304))
    assert why(look) == (Why.STATUS, "127.0.0.1 answers 304 for /all.minisig.")


async def talked_to(says: bytes, *, hang_up: bool = True) -> Look:
    raw = Raw(says, hang_up)
    try:
        return await fetcher(await raw.serve()).look(SCOPES)
    finally:
        await raw.stop()


async def test_an_answer_that_is_cut_off() -> None:
    look = await talked_to(b"HTTP/1.1 200 OK\r\nContent-Length: 400\r\n\r\nuntrusted comment: ")
    assert why(look)[0] is Why.CUT_OFF


async def test_an_answer_that_is_no_http() -> None:
    kind, words = why(await talked_to(b"SSH-2.0-OpenSSH_9.2\r\n"))
    assert (kind, words) == (Why.UNREACHABLE, "127.0.0.1 cannot be reached.")


async def test_an_answer_that_does_not_end_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetch, "PATIENCE", 0.3)
    look = await talked_to(b"HTTP/1.1 200 OK\r\nContent-Length: 400\r\n\r\nuntrus", hang_up=False)
    assert {fault.why for fault in look.faults.values()} == {Why.SLOW}
    assert list(look.faults) == list(SCOPES), "nobody waits for it three times"
    assert look.faults["all"].text.endswith("/all.minisig did not come within 0.3 s.")


async def test_nobody_listens_there() -> None:
    look = await fetcher(f"http://127.0.0.1:{ports.free_port()}").look(SCOPES)
    assert why(look) == (Why.UNREACHABLE, "127.0.0.1 cannot be reached.")
    assert list(look.faults) == list(SCOPES)


async def test_a_proxy_that_is_not_there_and_one_that_refuses(tmp_path: Path) -> None:
    nobody = f"http://127.0.0.1:{ports.free_port()}"
    look = await Fetcher(Place("https://e.invalid", (), proxy=nobody), lambda: NOW).look(["all"])
    assert why(look) == (Why.UNREACHABLE, "The proxy 127.0.0.1 cannot be reached.")
    raw = Raw(b"HTTP/1.1 407 Who are you\r\nContent-Length: 0\r\n\r\n", hang_up=True)
    try:
        look = await Fetcher(Place("https://e.invalid", (), proxy=await raw.serve()), lambda: NOW).look(["all"])
    finally:
        await raw.stop()
    assert why(look) == (Why.UNREACHABLE, "The proxy answers 407, and does not lead to e.invalid.")


async def test_a_name_that_nobody_knows() -> None:
    look = await fetcher("https://no-such-name.invalid").look(["all"])
    assert why(look) == (Why.UNREACHABLE, "The name no-such-name.invalid is not known to the network.")


@pytest.mark.parametrize("tag", ["", "x" * 201, "ä"])
async def test_a_tag_that_is_none_is_not_sent_back(tmp_path: Path, tag: str) -> None:
    publish(tmp_path, KEY, "all", 1, ONE)
    sent: list[str | None] = []

    async def answer(request: web.Request) -> web.StreamResponse:
        sent.append(request.headers.get("If-None-Match"))
        return web.Response(body=(tmp_path / request.path[1:]).read_bytes(), headers={"ETag": tag})

    async with shown(tmp_path) as server:
        server.answer = answer
        looking = fetcher(server.url)
        await looking.look(["all"])
        assert (await looking.look(["all"])).reached
    assert sent == [None, None, None]


# ---- for long, and often


def test_looks_are_spread_over_time() -> None:
    pauses = [pause(25, random.Random(number).random()) for number in range(500)]
    assert min(pauses) >= 20
    assert max(pauses) <= 30
    assert max(pauses) - min(pauses) > 9


async def test_a_day_of_errors_is_one_event_and_the_last_good_one_holds(tmp_path: Path) -> None:
    publish(tmp_path, KEY, "all", 42, ONE)

    async def answer(_request: web.Request) -> web.StreamResponse:
        return web.Response(status=500)

    told: list[Told] = []
    faults = Faults()
    async with shown(tmp_path) as server:
        looking = fetcher(server.url)
        told += faults.look((await looking.look(SCOPES)).faults, SCOPES)
        server.answer = answer
        day, passed, chance = 86_400.0, 0.0, random.Random(7)
        while passed < day:
            look = await looking.look(["all"])
            assert look.documents["all"].version == 42
            told += faults.look(look.faults, ["all"])
            passed += pause(300, chance.random())
        server.answer = None
        told += faults.look((await looking.look(["all"])).faults, ["all"])
    assert [each.fault.why if each.fault else None for each in told] == [Why.STATUS, None]
    assert told[1].times > 250
    rule = RULES[EventName.DOCUMENT_REFUSED]
    assert rule.most / rule.window * 86_400 <= 150, "a server that comes and goes all day is no flood either"


def test_a_thousand_changed_documents_are_a_thousand_clear_faults(tmp_path: Path) -> None:
    """Without the network between; the next test has it."""
    publish(tmp_path, KEY, "all", 43, TWO)
    genuine = ((tmp_path / "all.minisig").read_bytes(), TWO)
    floor = Floor(42, "aa")

    def take(pointer_file: bytes, content: bytes) -> Floor:
        pointer, signature, key = read_pointer(pointer_file, (KEY.public,))
        assert judge_pointer(pointer, "all", floor, NOW) is Verdict.NEWER
        signature.check_file(key, content)
        return judge_content(pointer, digest(content), floor)

    assert take(*genuine).version == 43
    chance = random.Random(44)
    for number in range(1000):
        first = genuine[0].find(b"\n") + 1
        pointer_file = _changed(genuine[0], chance, first) if number % 2 else genuine[0]
        content = genuine[1] if number % 2 else _changed(genuine[1], chance, 0)
        with pytest.raises(NotTaken, match=r"^[^\n]*\.$"):
            take(pointer_file, content)


async def test_changed_documents_leave_the_last_good_one(tmp_path: Path) -> None:
    publish(tmp_path, KEY, "all", 43, TWO)
    genuine = {path: (tmp_path / path).read_bytes() for path in ("all.minisig", "all.43.toml")}
    chance = random.Random(43)
    async with shown(tmp_path) as server:
        looking = fetcher(server.url, {"all": Published("all", 42, ONE)})
        for _ in range(100):
            path = chance.choice(list(genuine))
            changed = _changed(
                genuine[path], chance, first=genuine[path].find(b"\n") + 1 if path == "all.minisig" else 0
            )
            for each, content in genuine.items():
                (tmp_path / each).write_bytes(changed if each == path else content)
            look = await looking.look(["all"])
            assert look.documents["all"].version == 42, changed
            assert look.faults["all"].text.endswith(".")
            assert "\n" not in look.faults["all"].text
            assert looking.floors["all"].version == 42


def _changed(content: bytes, chance: random.Random, first: int) -> bytes:
    """``content`` with something changed from byte ``first`` on, for certain."""
    while True:
        made = bytearray(content)
        for _ in range(chance.randint(1, 3)):
            place = chance.randrange(first, len(made))
            match chance.randrange(4):
                case 0:
                    made[place] = chance.randrange(256)
                case 1:
                    del made[place : place + chance.randint(1, 40)]
                case 2:
                    made[place:place] = chance.randbytes(chance.randint(1, 8))
                case _:
                    made = made[:place] or bytearray(b"\n")
            if len(made) <= first:
                break
        if bytes(made).strip() != content.strip():
            return bytes(made)
