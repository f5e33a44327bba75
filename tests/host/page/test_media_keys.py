"""The system's keys for calls: they mute, unmute and leave, and are there only while there is something to do so with."""

from typing import Any

from tests.host.page.visits import Visit, visiting

SPY = """
window.keys = {};
navigator.mediaSession.setActionHandler = (action, press) => {
  if (action === "hangup" && window.old) throw new TypeError("no such action");
  keys[action] = press;
};
navigator.mediaSession.setMicrophoneActive = (on) => { window.open = on; };
"""
"""Stands in for the system: a test has no headset."""

METADATA = (
    "navigator.mediaSession.metadata && [navigator.mediaSession.metadata.title, navigator.mediaSession.metadata.artist]"
)


async def metadata(visit: Visit) -> Any:
    """What the system shows of the call."""
    return await visit.page.evaluate(METADATA)


async def joined(visit: Visit) -> None:
    """Join, and wait for the keys, which come with the first stay."""
    await visit.open()
    await visit.join()
    await visit.page.wait_for_function("() => keys.hangup")


@visiting(script=SPY)
async def test_a_key_mutes_and_unmutes_and_the_system_knows(visit: Visit) -> None:
    await joined(visit)
    assert await metadata(visit) == ["Studio", "Kontor"]
    assert await visit.page.evaluate("window.open") is False
    await visit.page.evaluate("keys.togglemicrophone()")
    await visit.own_is("live")
    assert await visit.page.evaluate("window.open") is True
    assert await visit.packets_within(0.6) > 10
    await visit.page.evaluate("keys.togglemicrophone()")
    await visit.own_is("muted")
    assert await visit.page.evaluate("window.open") is False


@visiting(script=SPY)
async def test_hanging_up_leaves_and_takes_the_keys_along(visit: Visit) -> None:
    await joined(visit)
    await visit.page.evaluate("keys.hangup()")
    await visit.own_is("join")
    await visit.page.wait_for_function("() => !keys.hangup && !keys.togglemicrophone")
    assert await metadata(visit) is None
    assert visit.host.deleted == ["1"]


@visiting(script=SPY)
async def test_muted_by_an_admin_no_key_opens(visit: Visit) -> None:
    await joined(visit)
    await visit.host.change("mira", admin_muted=True, state="admin_muted")
    await visit.own_is("adminMuted")
    await visit.page.wait_for_function("() => !keys.togglemicrophone")
    assert await visit.page.evaluate("keys.hangup !== null")
    assert await visit.packets_within(0.5) == 0


@visiting(script="window.old = true;" + SPY)
async def test_a_browser_that_does_not_know_a_key_has_the_others(visit: Visit) -> None:
    await visit.open()
    await visit.join()
    await visit.page.wait_for_function("() => keys.togglemicrophone")


@visiting(script="delete Navigator.prototype.mediaSession;")
async def test_a_browser_without_them_joins_all_the_same(visit: Visit) -> None:
    await visit.open()
    await visit.join()
    await visit.own.click()
    await visit.own_is("live")
