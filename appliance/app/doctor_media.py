"""The doctor's checks of sound: a real session of a second, straight to the media port, and one through the relay."""

import asyncio
import contextlib
import ssl
from collections.abc import Callable

import aiohttp

from appliance.app.doctor_findings import Finding, Target
from appliance.health.status import ask
from appliance.media.ice import RelayUse
from appliance.media.relay import RelayServer, through
from appliance.media.webrtc import CertificateMismatch, DeviceTransport, TransportError
from appliance.rooms.signalling import Joined, Lost, Signalling

Note = Callable[[Finding], None]

_OPEN_UDP = "Let this UDP port through: out of this network, and in where the server is"
_NO_RELAY = "The server names no relay"


async def examine_media(target: Target, tls: ssl.SSLContext, note: Note) -> None:
    """Check UDP and relay, as far as somebody is let in."""
    if target.credentials is None:
        note(
            Finding(
                "udp",
                "skipped",
                "A server cannot see its own UDP port as others do.",
                "From elsewhere: kontor doctor --network --link LINK, with a link of kontor host link.",
            )
        )
        await _own_relays(target, tls, note)
        return
    running = await _running(target)
    if running is not None:
        note(running)
        note(Finding("relay", "skipped", "The device is in the room; a second session would end its first."))
        return
    async with aiohttp.ClientSession(trust_env=False, connector=aiohttp.TCPConnector(ssl=tls)) as http:
        signalling = Signalling(http, target.url, target.room, tls)
        try:
            token = await target.credentials(signalling)
            joined, direct = await _session(signalling, token, target, "never")
        except Lost as lost:
            note(Finding("udp", "skipped", f"The server lets nobody in: {lost}", _way_in(lost)))
            note(Finding("relay", "skipped", "Only whoever is let in is told of a relay."))
            return
        relayed = None
        if joined.relays:
            with contextlib.suppress(Lost):  # it let us in a moment ago
                _, relayed = await _session(signalling, token, target, "always")
        _judge(joined, direct, relayed, note)


async def _running(target: Target) -> Finding | None:
    """What the running device shows by being in the room."""
    if target.runtime is None:
        return None
    try:
        status = await asyncio.to_thread(ask, target.runtime / "link.status", {"do": "status"}, 1.0)
    except OSError:
        return None
    if status.get("phase") != "in_room":
        return None
    return Finding("udp", "good", "The device is in the room, and sound comes.")


async def _session(signalling: Signalling, token: str, target: Target, use: RelayUse) -> tuple[Joined, str]:
    """A session of a moment; gives what the server said, and why media did not come up ("" when it did).

    :raises Lost: the server does not let us in.
    """
    transport = DeviceTransport(_ignore, _ignore, _ignore_loss, _ignore_loss)
    try:
        joined = await signalling.join(token, transport.offer())
        try:
            await transport.connect(joined.answer, target.pinned, through(joined.relays, signalling.tls), use)
        except (TransportError, CertificateMismatch) as failure:
            return joined, str(failure)
        finally:
            await signalling.leave(joined)
        return joined, ""
    finally:
        await transport.close()


def _ignore(_packet: memoryview, _now: float) -> None:
    """Nobody listens."""


def _ignore_loss(_why: str) -> None:
    """It is about to end anyway, and counts for nothing."""


def _judge(joined: Joined, direct: str, relayed: str | None, note: Note) -> None:
    where = _media_place(joined)
    if not direct:
        note(Finding("udp", "good", f"Sound gets through to {where}."))
    elif relayed == "":
        says = f"UDP to {where} does not get through; sound goes through the relay."
        note(Finding("udp", "warning", says, f"{_OPEN_UDP}: the direct way has less delay."))
    else:
        note(
            Finding("udp", "bad", f"UDP to {where} does not get through: {direct}", f"{_OPEN_UDP}; or set up a relay.")
        )
    if relayed is None and direct:
        note(Finding("relay", "bad", f"{_NO_RELAY}.", "Set up coturn and [host.turn] on the server (docs/operate.md)."))
    elif relayed is None:
        note(Finding("relay", "skipped", f"{_NO_RELAY}, and none is needed from here."))
    elif not relayed:
        note(Finding("relay", "good", "The relay lets us through to the server."))
    else:
        relays = ", ".join(_place(relay) for relay in joined.relays)
        way_out = "Compare its secret with the one in [host.turn], and let its port through; look at its log."
        note(Finding("relay", "warning" if not direct else "bad", f"No relay lets us through ({relays}).", way_out))


async def _own_relays(target: Target, tls: ssl.SSLContext, note: Note) -> None:
    """A server asks each relay of its settings for an address, as a member would."""
    if not target.relays:
        note(Finding("relay", "skipped", "The settings name no relay ([host.turn])."))
    place = target.media or (target.host, target.port)  # the one place that a relay may be let send to; nothing is sent
    for relay in target.relays:
        opens = through([relay], tls)
        if opens is None:
            continue
        try:
            way = await opens(place, _ignore_media, _ignore_other)
        except OSError:
            way_out = "Look whether it runs, whether the secret is the same, and whether the port is let through."
            note(Finding("relay", "bad", f"{_place(relay)} gives no address.", way_out))
            continue
        way.close()
        await way.closed()
        note(Finding("relay", "good", f"{_place(relay)} gives an address."))


def _ignore_media(_packet: bytes | memoryview) -> None:
    """Nobody listens."""


def _ignore_other(_way: object, _data: bytes) -> None:
    """Nobody listens."""


def _media_place(joined: Joined) -> str:
    for text in joined.answer.candidates:
        words = text.split()
        if len(words) > 5:
            return f"{words[4]}, UDP port {words[5]}"
    return "the media port"


def _place(relay: RelayServer) -> str:
    return f"{relay.host}:{relay.port} ({'TLS' if relay.tls else relay.transport.upper()})"


def _way_in(lost: Lost) -> str:
    if lost.fault.kind == "refused":
        return (
            "On a device: kontor key prints what belongs into [[host.devices]] of the server. A link: make a new one."
        )
    if lost.fault.kind == "gone":
        return "Compare [room] id with the rooms of the server."
    return ""
