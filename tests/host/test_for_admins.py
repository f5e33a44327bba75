"""What a room's admins ask for over HTTP: links with their QR codes, and who was sent out; and the title of the room."""

import json
import time
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import segno

from appliance.core.events import EventName, format_line
from appliance.core.protocol import verify
from appliance.host.config import DeviceConfig, RoomConfig, Times
from tests.host.harness import KEY, OTHER_ROOM, ROOM, House, house, token
from tests.host.member import Member, Presence, inside
from tests.support import until

LINKS = f"/rooms/{ROOM}/links"
REMOVED = f"/rooms/{ROOM}/removed"
WANTED = {"name": "Ada Lovelace", "role": "speaker", "days": 30}


async def ask(
    home: House, method: str, path: str, body: Any = None, *, role: Any = "admin", **headers: str
) -> tuple[int, str]:
    """Status and text of the answer; ``role`` None sends no token."""
    sent = headers if role is None else {"Authorization": f"Bearer {token('boss', role)}", **headers}
    async with home.http.request(method, home.url(path), json=body, headers=sent) as answer:
        return answer.status, await answer.text()


async def made(home: House, body: dict[str, Any], **headers: str) -> dict[str, Any]:
    status, text = await ask(home, "POST", LINKS, body, **headers)
    assert status == 201, text
    return dict(json.loads(text))


def token_of(url: str) -> str:
    return url.split("#")[1]


async def test_a_link_lets_its_person_in_as_what_it_says(tmp_path: Path) -> None:
    async with house(tmp_path) as home:
        for role, kept in (("speaker", "Ada Lovelace"), ("listener", "Änne <b>Müller</b> 😀")):
            link = await made(home, {"name": kept, "role": role, "days": 30})
            assert link["url"].startswith(f"{home.base}/{ROOM}#")
            assert abs(link["expires"] - time.time() - 30 * 86_400) < 60
            async with Presence(house=home, hello=token_of(link["url"])) as person:
                you = person.messages[0]["you"]
                assert (you["name"], you["role"], you["kind"]) == (kept, role, "person")
            line = format_line(home.told(EventName.LINK_MADE)[-1])
            assert token_of(link["url"]) not in line and kept not in line


async def test_its_qr_code_says_the_whole_link(tmp_path: Path) -> None:
    async with house(tmp_path) as home:
        link = await made(home, WANTED)
    rows = link["qr"]
    assert {len(row) for row in rows} == {len(rows)} and set("".join(rows)) == {"0", "1"}
    assert rows[0].startswith("11111110"), "a finder pattern begins it: there is no quiet zone"
    drawn = segno.make_qr(link["url"], error="l", boost_error=False).matrix
    assert rows == ["".join(map(str, row)) for row in drawn]


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({**WANTED, "name": ""}, "name"),
        ({**WANTED, "name": "x" * 65}, "name"),
        ({**WANTED, "name": "a\nb"}, "name"),
        ({**WANTED, "name": "a\u202eb"}, "name"),
        ({**WANTED, "name": None}, "name"),
        ({**WANTED, "role": "admin"}, "role"),
        ({**WANTED, "role": "guest"}, "role"),
        ({**WANTED, "role": ["speaker"]}, "role"),
        ({**WANTED, "days": 0}, "days"),
        ({**WANTED, "days": 366}, "days"),
        ({**WANTED, "days": "30"}, "days"),
        ({**WANTED, "days": True}, "days"),
        ({}, "name"),
        ({**WANTED, "name": "Box"}, "device"),
        ({**WANTED, "name": "Eve"}, "Eve was sent out"),
        ([], "object"),
    ],
)
async def test_what_makes_no_link_is_refused_in_one_sentence(tmp_path: Path, body: Any, says: str) -> None:
    async with house(tmp_path, devices=(DeviceConfig("box", "Box", ROOM, bytes(32)),)) as home:
        home.host._conferences[ROOM].memory.remove("eve", "Eve", "Boss")
        status, text = await ask(home, "POST", LINKS, body)
        assert status == 400
        assert says in text and text.endswith(".\n") and text.count("\n") == 1
        assert not home.told(EventName.LINK_MADE)


async def test_only_an_admin_of_this_room_gets_one_and_only_by_https(tmp_path: Path) -> None:
    async with house(tmp_path) as home:
        for role, expected in (("speaker", 403), ("listener", 403), ("guest", 403), (None, 401)):
            for method, path, body in (
                ("POST", LINKS, WANTED),
                ("GET", REMOVED, None),
                ("DELETE", f"{REMOVED}/eve", None),
            ):
                assert (await ask(home, method, path, body, role=role))[0] == expected, (role, path)
        wrong = {"Authorization": f"Bearer {token('boss', 'admin', key=b'x' * 32)}"}
        assert (await ask(home, "POST", LINKS, WANTED, role=None, **wrong))[0] == 401
        foreign = {"Authorization": f"Bearer {token('boss', 'admin', room=OTHER_ROOM, key=b'w' * 32)}"}
        assert (await ask(home, "POST", LINKS, WANTED, role=None, **foreign))[0] == 403
        assert (await ask(home, "POST", "/rooms/cellar/links", WANTED))[0] == 404
        in_the_clear = {"X-Forwarded-For": "198.51.100.9"}  # a proxy that nobody told us of
        assert (await ask(home, "POST", LINKS, WANTED, **in_the_clear))[0] == 403


async def test_the_address_is_that_of_the_page(tmp_path: Path) -> None:
    async with house(tmp_path) as home:
        origin = (await made(home, WANTED, Origin="https://rooms.example.org"))["url"]
        assert origin.startswith(f"https://rooms.example.org/{ROOM}#")
        for strange in ("null", "javascript:alert(1)", "https://x/y?z", "x" * 3000):
            assert (await made(home, WANTED, Origin=strange))["url"].startswith(f"{home.base}/{ROOM}#")
        host = {"Host": "a b/c@d"}
        assert (await ask(home, "POST", LINKS, WANTED, **host))[0] == 400
    async with house(tmp_path, page_url="https://kontor.example.org") as home:
        link = (await made(home, WANTED, Origin="https://rooms.example.org"))["url"]
        assert link.startswith(f"https://kontor.example.org/{ROOM}#"), "what the settings say comes first"


async def test_the_newest_key_signs_and_links_without_end_are_refused(tmp_path: Path) -> None:
    async with house(tmp_path, rooms=(RoomConfig(ROOM, "Studio", {"k2": b"n" * 32, "k1": KEY}),)) as home:
        link = await made(home, WANTED)
        assert verify(token_of(link["url"]), {"k2": b"n" * 32}, 0, ROOM).identity == "ada-lovelace"
        answers = [(await ask(home, "POST", LINKS, WANTED))[0] for _ in range(30)]
        assert 429 in answers and answers[0] == 201


async def test_a_body_that_does_not_come_or_is_none(tmp_path: Path) -> None:
    async with house(tmp_path, times=Times(body=0.2)) as home:
        headers = {"Authorization": f"Bearer {token('boss', 'admin')}", "Content-Type": "application/json"}
        for data, status in ((b"{", 400), (b"\xff", 400), (b"[" * 5000, 400), (b"x" * 70_000, 413)):
            async with home.http.post(home.url(LINKS), data=data, headers=headers) as answer:
                assert answer.status == status
        async with home.http.post(home.url(LINKS), data=b"{}", headers={**headers, "Content-Type": "text/x"}) as answer:
            assert answer.status == 415


# ---- who was sent out


async def test_who_was_sent_out_is_listed_and_let_in_again(tmp_path: Path) -> None:
    devices = (DeviceConfig("box", "Box", ROOM, bytes(32)),)
    async with (
        house(tmp_path, devices=devices) as home,
        inside(home, "boss", role="admin") as ((_, boss),),
        Member(home, "eve") as eve,
    ):
        memory = home.host._conferences[ROOM].memory
        memory.remove("box", "Box", "The host")
        await eve.connect()
        await boss.send(type="remove", member="eve")
        await until(lambda: "eve" in memory.removed)
        status, text = await ask(home, "GET", REMOVED)
        assert (status, json.loads(text)) == (
            200,
            {"removed": [{"id": "eve", "name": "Eve", "by": "Boss", "device": False}]},
        )
        assert (await eve.post()).status == 403
        assert await ask(home, "DELETE", f"{REMOVED}/eve") == (200, '{"allowed": "eve"}')
        assert (await eve.post()).status == 201
        assert (await ask(home, "DELETE", f"{REMOVED}/eve"))[0] == 404
        assert (await ask(home, "DELETE", f"{REMOVED}/box"))[0] == 403, "the server's keeper lets devices in again"
        assert "box" in memory.removed
        assert len(home.told(EventName.MEMBER_ALLOWED)) == 1


# ---- the title


async def test_an_admin_gives_the_room_a_title_that_everybody_reads_at_once(tmp_path: Path) -> None:
    async with (
        house(tmp_path, state_dir=tmp_path) as home,
        inside(home, "boss", role="admin") as ((_, boss),),
        Presence(house=home, hello=token("ada")) as ada,
    ):
        await boss.send(type="title", title="  <script>Küche</script> مطبخ ")
        await until(lambda: ada.of("title"))
        assert ada.of("title") == [{"type": "title", "title": "<script>Küche</script> مطبخ"}]
        await boss.send(type="title", title="<script>Küche</script> مطبخ")
        for wrong in ("", "   ", "x" * 65, "two\nlines", "\u202e"):
            before = len(boss.of("error"))
            await boss.send(type="title", title=wrong)
            await until(lambda before=before: len(boss.of("error")) > before)  # type: ignore[misc]
            assert boss.of("error")[-1]["code"] == "bad_title"
        await ada.send(type="title", title="Mine")
        await until(lambda: ada.of("error"))
        assert ada.of("error")[0]["code"] == "forbidden"
        assert len(boss.of("title")) == 1, "nothing changed by all that"
        async with Presence(house=home, hello=token("ben")) as ben:
            assert ben.messages[0]["room"] == {"id": ROOM, "title": "<script>Küche</script> مطبخ"}
        assert "Küche" not in "".join(map(format_line, home.told(EventName.TITLE_CHANGED)))
        async with aiohttp.ClientSession() as http, http.get(home.url("/health")) as health:
            assert await health.json() == {"status": "ok"}


async def test_a_title_that_is_no_text_closes_the_socket_as_junk_does(tmp_path: Path) -> None:
    async with house(tmp_path) as home, Presence(house=home, hello=token("boss", role="admin")) as boss:
        await boss.send(type="title", title=["a"])
        await until(lambda: boss.code == 4400)
