"""What a host should not say: malformed, of the wrong types, from a newer version, out of order. One line in the console each."""

from typing import Any

import pytest

from tests.host.page.mock_host import MockHost, member, site
from tests.host.page.visits import Visit, visiting

LONG = "W" * 64


async def say(visit: Visit, *texts: str) -> None:
    """Say ``texts`` as they stand to every page."""
    for socket in list(visit.host._sockets):
        for text in texts:
            await socket.send_str(text)


async def complained(visit: Visit, *lines: str) -> None:
    """Exactly these lines were told, and nothing else went wrong."""
    await visit.page.wait_for_timeout(200)
    assert visit.complaints == [f"warning: kontor: {line}" for line in lines]
    visit.complaints.clear()


@visiting()
async def test_what_is_no_message_is_told_once_and_all_is_asked_for_anew(visit: Visit) -> None:
    await visit.open()
    visit.host.members = visit.host.members[:3]
    await say(visit, "{", "{")
    await visit.wait_text("#count", "3 here")
    await complained(visit, "message was not taken: no JSON")


@pytest.mark.parametrize(
    ("message", "line"),
    [
        ({"type": "member", "member": None}, "member was not taken: member is no object"),
        ({"type": "member", "member": {"id": 5}}, "member was not taken: id is no string"),
        ({"type": "member", "member": member("x", "X Y", 9, 0)}, "member was not taken: hue is no number below 8"),
        ({"type": "left"}, "left was not taken: id is no string"),
        ({"type": "members", "members": [], "left": "all"}, "members was not taken: left is no list"),
        ({"type": "slots", "slots": [1, 2, 3]}, "slots was not taken: slot is no string"),
        ({"type": "title", "title": ["x"]}, "title was not taken: title is no string"),
        ({"type": "recording", "on": "yes"}, "recording was not taken: on is no boolean"),
        ({"type": 7}, "message was not taken: type is no string"),
    ],
)
@visiting()
async def test_wrong_types_change_nothing_and_the_state_comes_anew(visit: Visit, message: Any, line: str) -> None:
    await visit.open()
    visit.host.members.append(member("zoe", "Zoe Zander", 2, 2))
    await visit.host.push(message)
    await visit.wait_text("#count", "6 here")
    await complained(visit, line)


@pytest.mark.parametrize(
    "levels",
    [{"levels": [], "speaking": None}, {"levels": {"ben": "loud"}, "speaking": []}, {"levels": {}, "speaking": [5]}],
)
@visiting()
async def test_bad_levels_are_left_alone(visit: Visit, levels: Any) -> None:
    await visit.open()
    connected = len(visit.host._sockets)
    await visit.host.push({"type": "levels"} | levels)
    await visit.host.speak(ben=-20)
    await visit.wait_text("#bar li:nth-child(2) .second", "Speaking")
    assert len(visit.host._sockets) == connected
    assert len(visit.complaints) == 1
    visit.complaints.clear()


@visiting()
async def test_what_only_a_newer_host_says_is_ignored(visit: Visit) -> None:
    await visit.open()
    await visit.host.push(*[{"type": "whiteboard", "lines": []}] * 3)
    await visit.host.speak(ben=-20)
    await visit.wait_text("#bar li:nth-child(2) .second", "Speaking")
    await complained(visit, "a message of type whiteboard is not known here")


@visiting()
async def test_words_of_a_newer_host_become_the_nearest(visit: Visit) -> None:
    await visit.open()
    newer = member("ben", "Ben Adeyemi", 5, 1, state="dancing", role="conductor", kind="hologram", extra={"a": 1})
    await visit.host.push({"type": "member", "member": newer})
    strange: Any = {"gate": "ajar", "reasons": ["switch", 5, "moon"], "door": "revolving", "lamps": {"mic": "rainbow"}}
    await visit.host.push({"type": "member", "member": member("hamburg", "Hamburg", 1, 11, kind="site", site=strange)})
    await visit.wait_text("#door", ", Door closed")
    assert await visit.texts("#members .words") == [
        "Hamburg\nListening",
        "Ben Adeyemi\nListening",
        "Lena Brandt\nMuted",
        "Tomás Ruiz\nWants to speak",
        "Yuki Tanaka\nListening",
    ]
    assert (await visit.texts("#device dd"))[0] == "On. Closed by: Switch, moon", "unknown means muted"


@visiting()
async def test_out_of_order(visit: Visit) -> None:
    await visit.open()
    await visit.host.push(
        {"type": "left", "id": "nobody"},
        {"type": "levels", "levels": {"nobody": -3}, "speaking": ["nobody"]},
        {"type": "slots", "slots": ["nobody", None, None]},
        {"type": "left", "id": "ben"},
        {"type": "levels", "levels": {"ben": -3}, "speaking": ["ben"]},
    )
    await visit.wait_text("#count", "4 here")
    assert await visit.texts("#bar .name") == ["Hamburg", "", ""]


def _early(host: MockHost) -> None:
    welcome = host._welcome

    def late() -> dict[str, Any]:
        return {"type": "levels", "levels": {"ben": -3}, "speaking": ["ben"]} if not host.received else welcome()

    host._welcome = late  # type: ignore[method-assign]


@visiting(host=_early)
async def test_before_the_welcome_nothing_is_believed(visit: Visit) -> None:
    await visit.page.goto(visit.host.address)
    await visit.page.wait_for_timeout(300)
    assert await visit.texts("#bar .name") == ["", "", ""]
    visit.host.received.append({})
    for socket in list(visit.host._sockets):
        await socket.send_json(visit.host._welcome())
    await visit.wait_text("#count", "5 here")
    await complained(visit, "levels came before the welcome")


@visiting()
async def test_a_welcome_that_cannot_be_taken_is_tried_again_but_not_in_a_hurry(visit: Visit) -> None:
    hellos = 0
    welcome = visit.host._welcome

    def broken() -> dict[str, Any]:
        nonlocal hellos
        hellos += 1
        return welcome() | {"members": "many"} if hellos < 4 else welcome()

    visit.host._welcome = broken  # type: ignore[method-assign]
    await visit.page.goto(visit.host.address)
    await visit.wait_text("#count", "5 here")
    assert hellos == 4
    await complained(visit, "welcome was not taken: members is no list")


@visiting()
async def test_an_older_host_that_tells_less(visit: Visit) -> None:
    welcome = visit.host._welcome
    extra = ("now", "recording", "last_spoke", "listen_only", "mute_new", "guest")

    def older() -> dict[str, Any]:
        return {key: value for key, value in welcome().items() if key not in extra}

    visit.host._welcome = older  # type: ignore[method-assign]
    await visit.open()
    await visit.join()


@pytest.mark.parametrize("hours", [-24, 24])
@visiting()
async def test_a_clock_that_is_a_day_off_changes_no_words(visit: Visit, hours: int) -> None:
    await visit.page.add_init_script(f"const now = Date.now; Date.now = () => now() + {hours} * 3_600_000;")
    quiet = site("closed", ("quiet hours",)) | {"door": "closed", "quiet_until": visit.host.now + 60}
    visit.host.members[0]["site"] = quiet
    await visit.open()
    said = await visit.text("#door")
    assert (
        not any(day in said for day in ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"))
        or visit.host.now % 86400 > 86300
    )


HOSTILE = (
    "<img src=x onerror=alert(1)>",
    "\u202egnp.exe",
    "a\u0007b\u009bc",
    "\U0001f468\u200d\U0001f469\u200d\U0001f467",
    LONG,
)


@pytest.mark.parametrize("width", [320, 768, 1280])
@visiting()
async def test_names_and_titles_of_any_kind_move_nothing(visit: Visit, width: int) -> None:
    await visit.page.set_viewport_size({"width": width, "height": 800})
    await visit.open()
    bar = await visit.page.locator("#bar").bounding_box()
    for text in HOSTILE:
        await visit.host.push({"type": "title", "title": text})
        await visit.host.change("ben", name=text)
        await visit.host.change("hamburg", name=text)
        await visit.host.speak(ben=-20, hamburg=-20)
        await visit.page.wait_for_function("t => document.querySelector('#title').textContent === t", arg=text)
        assert await visit.page.locator("#bar").bounding_box() == bar
        assert await visit.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        title = await visit.page.title()
        assert title.startswith("\u2068")
        assert title.endswith("\u2069 · Kontor"), "its direction stays its own"
    assert await visit.page.locator("main img").count() == 0
