"""What of this machine leaves it, and what it keeps: ``kontor status --privacy`` (docs/data-protection.md)."""

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from appliance.app.one_box import place_of, room_of
from appliance.app.process import NotAllowed
from appliance.settings import Settings
from appliance.settings.model import EngineName

_SHOWN = (
    "whether it is muted and why, its door, its lamps, how its settings and the machine are; while the microphone is open also "
    "how loud it is"
)
_SHOWN_ELSEWHERE = "whether it is muted, its hand, and what else its engine tells (docs/engines.md)"
_BUNDLE = "an admin of the room may fetch one: settings, versions, state and journal; no secrets, no sound, no names"
_NO_RECORDING = 'none is announced in the room; "kontor record", for support, refuses while the room is muted'

Lines = Iterator[tuple[str, str]]
_KEPT = (
    "whether the room was muted and how its door stood, the volume, quiet hours, the key of this device, settings; "
    "no sound, no names, nothing of who spoke"
)


def privacy(settings: Settings, found: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Pairs of a word and what holds for it.

    :param found: the status of the parts that run, by name.
    """
    device = [*_device(settings, found)]
    return [*device, *(_host(settings) if settings.host.rooms else ()), *_both(settings)]


def _device(settings: Settings, found: Mapping[str, Any]) -> Lines:
    sound = found.get("sound")
    if sound is None:
        yield "microphone", "not running"
    elif sound["gate"] == "open":
        yield "microphone", "OPEN: what is said here goes to the room"
    else:
        yield "microphone", f"closed ({', '.join(sound['reasons'])}): no sound, no level and no direction leaves"
    yield "goes to", _server(settings)
    shown = _SHOWN if settings.room.engine is EngineName.HOSTED else _SHOWN_ELSEWHERE
    yield "shown there", f'the name "{settings.device.name}", {shown}'
    yield "direction", "told to the room while the microphone is open" if settings.audio.direction else "not told"
    yield "bundle", _BUNDLE if settings.room.support_bundle else "not handed out: kontor doctor --bundle makes one here"
    recorded = sound is not None and sound["recording"]
    yield "recording", "somebody in the room records it, and has announced it" if recorded else _NO_RECORDING
    yield "kept here", _KEPT


def _server(settings: Settings) -> str:
    if settings.room.engine is not EngineName.HOSTED:
        return _other_server(settings)
    try:
        place = place_of(settings)
    except NotAllowed:
        return "nobody: no room is named"
    if not place.url:
        return "nobody: no room is named"
    host = urlsplit(place.url)
    way = "" if host.scheme == "https" else " (without https)"
    return f"{host.hostname}{way}, room {place.room}: that server ends the encryption, so whoever runs it could hear the room"


def _other_server(settings: Settings) -> str:
    kind = settings.room.engine
    given = getattr(settings, kind.value)
    urls = [urlsplit(url) for url in getattr(given, "urls", ()) or (getattr(given, "url", ""),) if url]
    hosts = [f"{url.hostname}{'' if url.scheme == 'wss' else ' (without TLS)'}" for url in urls]
    where = f"{', '.join(hosts) or kind.value}, room {room_of(settings)} of {kind.value}"
    return f"{where}: that server ends the encryption, so whoever runs it could hear the room"


def _host(settings: Settings) -> Lines:
    host = settings.host
    yield "host", f"holds {len(host.rooms)} room(s): it ends the encryption of all members, and keeps no sound"
    yield "host keeps", "keys of rooms and devices; who was muted, sent out or let in by an admin, until that is lifted"
    if host.last_spoke:
        yield "last spoke", "when who spoke last is told to whoever may enter; kept in memory, of those who are here"
    if host.turn.urls:
        yield "relay", f"{', '.join(host.turn.urls)}: it sees addresses of members, and their sound encrypted only"
    if host.proxy.name_header:
        yield "sign-on", f"names of people come from {host.proxy.name_header}, set by the proxy"
    if host.announce:
        yield "announced", "to the network around, by mDNS"


def _both(settings: Settings) -> Lines:
    metrics = [listen for listen in (settings.metrics.listen, settings.metrics.host_listen) if listen]
    yield "metrics", f"at {' and '.join(metrics)}: no names, no levels, no number of people" if metrics else "off"
    yield "journal", f"from {settings.log.level.value} on; no names of people: they are told apart by words of one run"
    yield (
        "settings",
        (
            f"from {urlsplit(settings.provisioning.url).hostname}, signed by {len(settings.provisioning.keys)} key(s): "
            "they can mute, and never unmute"
            if settings.provisioning.url
            else "from this machine alone"
        ),
    )
    if settings.update.url:
        yield (
            "updates",
            f"looked for at {urlsplit(settings.update.url).hostname}, which learns of this address and Kontor's version",
        )
    yield "to the makers", "nothing: there are no reports, no counting, no update checks"
