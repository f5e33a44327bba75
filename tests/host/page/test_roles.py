"""What guests, members and admins see and can do about each other, and how a link ends."""

from collections.abc import Callable

import pytest

from tests.host.page.mock_host import MockHost, member, token
from tests.host.page.visits import Visit, visiting

Prepare = Callable[[MockHost], None]


def _as(role: str) -> Prepare:
    def prepare(host: MockHost) -> None:
        host.you["role"] = role
        host.members.append(member("mira", "Mira Koch", 0, 6, role=role, state="muted", muted=True))

    return prepare


def _with_guest(role: str) -> Prepare:
    def prepare(host: MockHost) -> None:
        host.you["role"] = role
        host.members.append(member("gus", "Gus Berg", 3, 3, role="guest", state="muted", muted=True))
        host.members.append(member("leo", "Leo Wolf", 3, 5, role="listener", state="muted", muted=True))

    return prepare


@visiting(host=_as("guest"))
async def test_a_guest_listens_and_asks_until_someone_lets_them_in(visit: Visit) -> None:
    await visit.open()
    await visit.own.click()
    await visit.own_is("guest")
    assert await visit.text("#own-second") == "Listening until let in"
    await visit.page.wait_for_timeout(650)
    await visit.own.click()
    await visit.host.heard({"type": "hand", "up": True})
    await visit.own_is("asked")
    assert await visit.packets_within(0.3) == 0
    await visit.host.change("mira", role="speaker", hand=False, state="muted")
    await visit.own_is("muted")
    await visit.wait_text(".toast > span", "You can now speak.")
    assert await visit.packets_within(0.3) == 0, "let in, and still muted"
    await visit.own.click()
    await visit.own_is("live")


@visiting(host=_as("listener"))
async def test_a_listener_who_may_speak_joins_anew_with_a_microphone(visit: Visit) -> None:
    await visit.open()
    await visit.own.click()
    await visit.own_is("listening")
    visit.host.you["role"] = "speaker"
    await visit.host.change("mira", role="speaker")
    await visit.own_is("muted")
    await visit.page.wait_for_timeout(650)
    await visit.own.click()
    await visit.own_is("live")
    me = next(one for one in visit.host.members if one["id"] == "mira")
    me["role"] = "listener"
    await visit.host.push({"type": "members", "members": [me], "left": []})
    await visit.own_is("listening")
    assert await visit.packets_within(0.3) == 0


@visiting(host=_with_guest("speaker"))
async def test_a_member_admits_a_guest(visit: Visit) -> None:
    await visit.open()
    await visit.wait_text("#members .tile .second", "Guest, listening")
    await visit.host.change("gus", muted=False, state="listening")  # a program that only sends, and is not heard
    await visit.wait_text("#members .tile .second", "Guest, listening")
    assert await visit.page.locator("#members .tile", has_text="Gus").locator('[data-state="muted"]').count() == 1
    await visit.page.locator("#members .tile", has_text="Gus").get_by_role("button").first.click()
    await visit.page.locator(".menu").get_by_role("button", name="Admit").click()
    await visit.host.heard({"type": "admit", "member": "gus"})


@visiting()
async def test_many_changes_come_as_one_message(visit: Visit) -> None:
    await visit.open()
    news = [member("anna", "Anna Ek", 3, 3), member("ben", "Ben Adeyemi", 5, 1, state="muted", muted=True)]
    await visit.host.push({"type": "members", "members": news, "left": ["lena", "tomas", "nobody"]})
    await visit.wait_text("#count", "4 here")
    assert await visit.texts("#members bdi") == ["Hamburg", "Anna Ek", "Ben Adeyemi", "Yuki Tanaka"]


@pytest.mark.parametrize(
    ("code", "reason", "title"),
    [
        (4401, "expired", "This link has expired."),
        (4401, "revoked", "This link is not valid."),
        (4410, "removed", "You were removed from this room."),
    ],
)
@visiting()
async def test_why_a_stay_ends(visit: Visit, code: int, reason: str, title: str) -> None:
    await visit.open()
    await visit.join()
    visit.host.refuse, visit.host.reason = code, reason
    await visit.host.close(code, reason)
    await visit.wait_text("#end b", title)
    assert not await visit.page.locator("#members").is_visible()


def _named(host: MockHost) -> None:
    host.named = token(name="Ada")


@visiting(host=_named)
async def test_whom_a_proxy_names_needs_no_link_and_stays_signed_in(visit: Visit) -> None:
    await visit.page.goto(visit.host.address.split("#", maxsplit=1)[0])
    await visit.wait_text("#count", "5 here")
    visit.host.named = token(name="Ada", again=True)
    await visit.host.close(4401, "expired")
    await visit.page.wait_for_timeout(300)
    await visit.wait_text("#count", "5 here")
    assert not await visit.page.locator("#end").is_visible()
    assert visit.host.token == visit.host.named
