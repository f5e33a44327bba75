"""``kontor doctor --network``: what stands between this machine and the room, one check after the other, in words.

A device is checked on its way to its server, with its own key; a server on the way that others take to it; and with a link
anybody can check from anywhere. Nothing is changed: the session of a second that the media checks need is muted and ended.
"""

import time
from collections.abc import Callable
from pathlib import Path

from yarl import URL

from appliance.app.doctor_findings import Finding, Target
from appliance.app.doctor_media import examine_media
from appliance.app.doctor_web import examine_web
from appliance.app.one_box import place_of
from appliance.app.places import state_of
from appliance.app.process import NotAllowed
from appliance.host.config import Turn
from appliance.host.relay import ice_servers
from appliance.media.relay import RelayServer
from appliance.rooms import trust
from appliance.rooms.device_key import DeviceKey
from appliance.rooms.relays import relays_of
from appliance.rooms.signalling import device_credentials, fixed_credentials
from appliance.settings import Settings
from appliance.settings.model import EngineName

_UNSPECIFIED = frozenset({"0.0.0.0", "::"})  # noqa: S104  # told apart from real addresses, not bound


def by_link(link: str, ca_file: Path | None) -> Target:
    """The target of a link as ``kontor host link`` prints it.

    :raises NotAllowed: it is none.
    """
    try:
        url = URL(link)
    except ValueError:
        url = URL()
    room = url.path.strip("/")
    if url.scheme not in ("http", "https") or not url.host or not room or not url.fragment:
        raise NotAllowed("the link has to be one of kontor host link: https://…/room#token")
    return Target(url.origin(), room, ca_file, fixed_credentials(url.fragment))


def by_settings(settings: Settings) -> Target:
    """The server that the device is told of, or else the one that the settings make of this machine.

    :raises NotAllowed: the settings name neither, or the device's key cannot be used.
    """
    if settings.room.engine is not EngineName.HOSTED:
        raise NotAllowed(f"[room] engine is {settings.room.engine.value}: this looks at rooms of Kontor's own servers")
    place = place_of(settings)
    if not place.url and settings.host.rooms:
        return _own_server(settings)
    if not place.url:
        raise NotAllowed("no server is named: set [room] url, or give a link with --link")
    room, device = settings.room, settings.device
    try:
        if room.token_file:
            credentials = fixed_credentials(room.token_file.read().decode("ascii").strip())
        else:
            # A device that never ran has no key: to be told that it is not known, any will do, and none is left here.
            key = DeviceKey.load(state_of(settings, "link")) or DeviceKey.make()
            credentials = device_credentials(device.identity, key.sign)
    except (OSError, ValueError) as error:
        raise NotAllowed(f"the device's key or token: {error}") from error
    url = URL(place.url)
    own = settings.network.ca.pem() if settings.network.ca else ""
    runtime = Path(device.runtime_dir)
    return Target(url, place.room, room.ca_file, credentials, room.certificate_sha256, runtime=runtime, authorities=own)


def _own_server(settings: Settings) -> Target:
    host = settings.host
    if not host.page:
        raise NotAllowed("[host] url is not set, and does not follow from listen and port")
    authority = state_of(settings, "host") / "authority" / "authority.crt"
    relays: tuple[RelayServer, ...] = ()
    if host.turn.urls and host.turn.secret_file:
        turn = Turn(host.turn.urls, host.turn.secret_file.read(), host.turn.lifetime_s)
        relays = _relays(turn)
    ca_file = authority if authority.exists() else None
    page, listen = URL(host.page), "" if host.listen in _UNSPECIFIED else host.listen
    media = (host.public_address or listen or page.host or "", host.udp_port or host.port)
    return Target(page, host.rooms[0].id, ca_file, relays=relays, media=media)


def _relays(turn: Turn) -> tuple[RelayServer, ...]:
    """As a member would be told of them."""
    (login,) = ice_servers(turn, "doctor", time.time())
    words = f'rel="ice-server"; username="{login["username"]}"; credential="{login["credential"]}"'
    return relays_of([f"<{url}>; {words}" for url in turn.urls])


async def examine(target: Target, tell: Callable[[Finding], None]) -> list[Finding]:
    """Check everything; ``tell`` is given each finding as it is made.

    Later checks that need an earlier one are skipped when that failed.
    """
    found: list[Finding] = []

    def note(finding: Finding) -> None:
        found.append(finding)
        tell(finding)

    tls = trust.context(target.ca_file, target.authorities)
    reached = await examine_web(target, tls, note)
    if reached:
        await examine_media(target, tls, note)
    else:
        note(Finding("udp", "skipped", "Without an answer over HTTP nobody is let in."))
        note(Finding("relay", "skipped", "Without an answer over HTTP nobody is let in."))
    return found
