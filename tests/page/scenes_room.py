"""The room: own key in every state, who speaks, recording, refusals, and bad input."""

import asyncio
from typing import Any

from tests.host.page.mock_host import Message, MockHost, member, site, token
from tests.host.page.visits import Visit
from tests.page.scenes import OWN_KEY_GROWS, press, scene


async def talk(visit: Visit, **levels: int) -> None:
    """Two speak, a third has just stopped; meters and swollen signs stand still."""
    for _ in range(3):
        await visit.host.speak(**(levels or {"hamburg": -36, "ben": -18}))
        await asyncio.sleep(0.15)


async def live(visit: Visit) -> None:
    """Into the room, and live."""
    await visit.open()
    await visit.join()
    await visit.own.click()
    await visit.own_is("live")


@scene("room-not-joined", drawn=True)
async def _not_joined(visit: Visit) -> None:
    await visit.open()
    await talk(visit)


@scene("room-muted", drawn=True)
async def _muted(visit: Visit) -> None:
    await visit.open()
    await visit.join()
    await talk(visit)


@scene("room-live", drawn=True)
async def _live(visit: Visit) -> None:
    await live(visit)
    await talk(visit)
    await visit.page.evaluate("talk(0.1)")
    await visit.page.wait_for_selector('#own .meter:not([data-n="0"])')


@scene("room-held")
async def _held(visit: Visit) -> None:
    await visit.open()
    await visit.join()
    await visit.page.locator("#title").focus()
    await visit.page.keyboard.down(" ")
    await visit.own_is("held")


@scene("room-admin-muted", resizes=False, drawn=True, moves=OWN_KEY_GROWS)
async def _admin_muted(visit: Visit) -> None:
    await visit.open()
    await visit.join()
    await visit.host.change("mira", admin_muted=True, state="admin_muted")
    await visit.host.push({"type": "muted_by_admin", "by": {"id": "lena", "name": "Lena Brandt"}})
    await visit.own_is("adminMuted")
    await visit.page.locator(".toast:visible").wait_for()


@scene("room-asked", moves=OWN_KEY_GROWS)
async def _asked(visit: Visit) -> None:
    await _admin_muted(visit)
    await visit.page.locator("#toast").click()
    await visit.page.locator("#toast").wait_for(state="hidden")
    await visit.own.click()
    await visit.own_is("asked")


def _listener(host: MockHost) -> None:
    host.you["role"] = "listener"


@scene("room-listener", host=_listener)
async def _listen(visit: Visit) -> None:
    await visit.open()
    await visit.own_is("listen")


@scene("room-listening", host=_listener)
async def _listening(visit: Visit) -> None:
    await _listen(visit)
    await visit.own.click()
    await visit.own_is("listening")


def _guest(host: MockHost) -> None:
    host.you["role"] = "guest"


@scene("room-guest", host=_guest, moves=OWN_KEY_GROWS)
async def _pending(visit: Visit) -> None:
    await visit.open()
    await visit.own.click()
    await visit.own_is("guest")


@scene("room-guest-asked", host=_guest, moves=OWN_KEY_GROWS)
async def _guest_asked(visit: Visit) -> None:
    await _pending(visit)
    await visit.page.wait_for_timeout(650)
    await visit.own.click()
    await visit.own_is("asked")


@scene("room-connecting", resizes=False)
async def _connecting(visit: Visit) -> None:
    await visit.open()
    visit.host.answer = lambda _offer: asyncio.sleep(30, "")
    await visit.own.click()
    await visit.own_is("connecting")
    await asyncio.sleep(5.5)  # the segment that walks round has come to rest


@scene("room-reconnecting")
async def _reconnecting(visit: Visit) -> None:
    await visit.open()
    await visit.join()
    visit.host.answer = lambda _offer: asyncio.sleep(30, "")
    await visit.drop_media()
    await visit.own_is("reconnecting")
    await asyncio.sleep(5.5)


_BARRED = 'navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException("", "%s"));'


@scene("room-no-microphone", script=_BARRED % "NotFoundError", moves=OWN_KEY_GROWS)
async def _none(visit: Visit) -> None:
    await visit.open()
    await visit.own.click()
    await visit.own_is("none")


@scene("room-blocked", script=_BARRED % "NotAllowedError", moves=OWN_KEY_GROWS)
async def _blocked(visit: Visit) -> None:
    await visit.open()
    await visit.own.click()
    await visit.own_is("blocked")


@scene("room-busy", script=_BARRED % "NotReadableError", moves=OWN_KEY_GROWS)
async def _busy(visit: Visit) -> None:
    await visit.open()
    await visit.own.click()
    await visit.own_is("busy")


@scene("room-unplugged", moves=OWN_KEY_GROWS)
async def _unplugged(visit: Visit) -> None:
    await live(visit)
    await visit.page.evaluate("unplug()")
    await visit.own_is("none")


@scene("room-talking-while-muted", drawn=True)
async def _talking_while_muted(visit: Visit) -> None:
    await visit.open()
    await visit.join()
    await visit.page.evaluate("talk(0.1)")
    await visit.page.locator(".hint").wait_for(state="visible")


@scene("room-hand")
async def _hand(visit: Visit) -> None:
    await visit.open()
    await visit.join()
    await press(visit, "hand")
    await visit.host.heard({"type": "hand", "up": True})


@scene("room-knocked", resizes=False)  # its toast stays for six seconds
async def _knocked(visit: Visit) -> None:
    await visit.open()
    await visit.join()
    await visit.host.push({"type": "knock", "by": {"id": "sam", "name": "Sam Okafor"}})
    await visit.page.locator(".toast:visible").wait_for()


@scene("room-empty", host=lambda host: host.members.clear())
async def _empty(visit: Visit) -> None:
    await visit.open()


@scene("room-device-closed")
async def _device_closed(visit: Visit) -> None:
    await visit.open()
    await visit.join()
    await visit.host.change("hamburg", muted=True, state="muted", site=site("closed", ("switch", "quiet hours")))


@scene("room-device-limited")
async def _device_limited(visit: Visit) -> None:
    await visit.open()
    limited = {"extra": {"limited": "one microphone is silent, under voltage", "limited_by": "sound under_voltage"}}
    await visit.host.change("hamburg", site=site(fault="slow") | limited)
    await asyncio.sleep(5.5)  # the lamp has come to rest


@scene("room-device-fault")
async def _device_fault(visit: Visit) -> None:
    await visit.open()
    await visit.host.change(
        "hamburg", muted=True, state="muted", site=site("closed", ("fault",), mic="fast", fault="fast")
    )


def bridge(identity: str, to: str, hue: int, place: int, **told: Any) -> Message:
    """A member that brings the room ``to``; ``told`` is what it tells of it."""
    brings = {"to": to, "names": [], "more": 0, "speaking": [], "heard": True} | told
    way = site() | {"bridge": brings}
    return member(identity, f"Bridge to {to}", hue, place, kind="bridge", site=way, initials=to[:2].upper())


def _bridged(host: MockHost) -> None:
    kept = [one for one in host.members if one["id"] in ("hamburg", "ben")]
    crowd = ["Ada Novak", "Ben Okoro", "Chloé Martin"]
    host.members = [
        *kept,
        bridge("berlin", "Berlin", 2, 8, names=crowd, more=3, speaking=["Ada Novak", "Chloé Martin"]),
        bridge("lobby", "Lobby", 4, 3, names=["Ground floor", "Noor Haddad"]),
        bridge("night", "Night shift", 7, 7),
        bridge("lisbon", "Lisbon", 6, 5, names=crowd, heard=False),
    ]


@scene("room-bridges", host=_bridged)
async def _bridges(visit: Visit) -> None:
    await visit.open()
    await talk(visit, berlin=-22, ben=-30)


def _bridged_admin(host: MockHost) -> None:
    _bridged(host)
    host.you["role"] = "admin"


@scene("menu-bridge", host=_bridged_admin, resizes=False)
async def _bridge_menu(visit: Visit) -> None:
    await _bridges(visit)
    await visit.page.locator("#members .tile", has_text="Bridge to Berlin").get_by_role("button").first.click()
    await visit.page.locator(".menu button").first.wait_for()


@scene("room-no-levels", host=lambda host: setattr(host, "levels", "none"))
async def _no_levels(visit: Visit) -> None:
    await visit.open()
    await visit.host.push({"type": "levels", "levels": {}, "speaking": ["ben"]})


@scene("recording-countdown", resizes=False, drawn=True)
async def _countdown(visit: Visit) -> None:
    await visit.open()
    await visit.join()
    await visit.host.record(4.9, id="lena", name="Lena Brandt")
    await visit.page.locator("#recording:visible").wait_for()


@scene("recording")
async def _recording(visit: Visit) -> None:
    await visit.open()
    await visit.join()
    await visit.host.record(-760, id="lena", name="Lena Brandt")
    await visit.page.locator("#recording:visible").wait_for()


@scene("recording-stopped", resizes=False)
async def _recording_stopped(visit: Visit) -> None:
    await _recording(visit)
    await visit.host.stop_recording()
    await visit.page.wait_for_timeout(300)


# ---- refused and errors


def _refused(name: str, code: int, reason: str = "", **options: bool) -> None:
    def prepare(host: MockHost) -> None:
        host.refuse, host.reason = code, reason

    @scene(f"refused-{name}", host=prepare, **options)
    async def _show(visit: Visit) -> None:
        await visit.page.goto(visit.host.address)
        await visit.page.locator("#end-first:visible").wait_for()


_refused("expired", 4401, "expired", drawn=True)
_refused("invalid", 4401)
_refused("no-room", 4404)
_refused("removed", 4410, "removed")


@scene("refused-full", host=lambda host: setattr(host, "media_status", 503))
async def _full(visit: Visit) -> None:
    await visit.open()
    await visit.own.click()
    await visit.page.locator(".notice:visible").wait_for()


@scene("refused-elsewhere")
async def _elsewhere(visit: Visit) -> None:
    await visit.open()
    await visit.join()
    await visit.host.close(4409)
    await visit.page.locator("#end-first:visible").wait_for()


@scene("error-no-network")
async def _no_network(visit: Visit) -> None:
    await visit.open()
    visit.host.refuse = 1013
    await visit.host.close(1001)
    await visit.page.locator(".notice:visible").wait_for()


# ---- bad input

_LONG = "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbe"


def _hostile(host: MockHost) -> None:
    host.members += [
        member("long", _LONG, 0, 2, initials="DO"),
        member("markup", "<b>Bold</b> & <script>", 3, 5, initials="<B"),
        member("hebrew", "\u05d3\u05d5\u05d3 \u05db\u05d4\u05df", 6, 9, initials="\u05d3\u05db"),
        member("arabic", "\u0644\u064a\u0644\u0649 \u062d\u062f\u0627\u062f", 7, 4, initials="\u0644\u062d"),
        member("signs", "\u266b \u2603 \u202eevil", 2, 1, initials="\u266b"),
    ]
    host.you["name"] = _LONG
    host.token = token(name=_LONG, room="studio")  # a link carries the name that the host tells


@scene("bad-names", host=_hostile, drawn=True)
async def _bad_names(visit: Visit) -> None:
    await visit.open()
    await visit.join()
    await talk(visit, long=-20, hebrew=-30, markup=-25)


_DENIED = """
for (const name of ["localStorage", "sessionStorage"])
  Object.defineProperty(window, name, { get() { throw new DOMException("denied", "SecurityError"); } });
"""


@scene("bad-storage-denied", script=_DENIED)
async def _storage(visit: Visit) -> None:
    await visit.open()
    await visit.join()


_AUTOPLAY = """
HTMLMediaElement.prototype.play = () => Promise.reject(new DOMException("", "NotAllowedError"));
"""


@scene("bad-autoplay", script=_AUTOPLAY)
async def _autoplay(visit: Visit) -> None:
    await visit.open()
    await visit.join()


_TOMORROW = "{ const real = Date.now; Date.now = () => real() + 86_400_000; }"


@scene("bad-no-webrtc", script="delete window.RTCPeerConnection;")
async def _without_rtc(visit: Visit) -> None:
    await visit.open()
    await visit.page.locator('#own[aria-disabled="true"]').wait_for()


@scene("bad-no-https", host=lambda host: setattr(host, "listen_only", "no_https"))
async def _no_https(visit: Visit) -> None:
    await visit.open()
    await visit.page.locator(".notice:visible").wait_for()


@scene("bad-part-missing", resizes=False)
async def _part_missing(visit: Visit) -> None:
    await visit.page.route("**/page/settings.js", lambda route: route.abort())
    await visit.open()
    await press(visit, "settings")
    await visit.page.locator(".toast:visible").wait_for()


@scene("bad-clock", script=_TOMORROW)
async def _clock(visit: Visit) -> None:
    await visit.open()
    await visit.join()
    await talk(visit)
