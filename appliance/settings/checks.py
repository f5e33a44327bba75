"""What one value alone cannot tell: settings that must fit each other."""

import os
from collections.abc import Callable, Iterator

from appliance.core.arrays import by_name, parse_geometry
from appliance.settings import (
    checks_engines,
    checks_network,
    checks_panel,
    checks_provisioning,
    checks_quiet,
    checks_signs,
)
from appliance.settings.clash import Clash
from appliance.settings.model import Settings
from appliance.settings.problems import did_you_mean

RESERVED = frozenset(
    {"assets", "certificate", "demo", "devices", "favicon.ico", "health", "metrics", "page", "robots.txt", "rooms"}
)
"""First parts of addresses that the server needs for itself, so no room can have them."""

PAGE_FILES = ("css", "html", "js", "json", "png", "svg", "webmanifest")
"""Ends of names that the server takes for a file of its page (host/pages.py): whoever asks for such a room gets none."""

LONGEST_RUNTIME_DIR = 80
"""Bytes. A Unix socket's path ends at 107, and the names of ours need the rest."""


def _tls(settings: Settings) -> Iterator[Clash]:
    tls = settings.host.tls
    if (tls.certificate is None) != (tls.key is None):
        missing, given = ("certificate", "key") if tls.certificate is None else ("key", "certificate")
        yield Clash(f"host.tls.{given}", f"needs host.tls.{missing} beside it", beside=(f"host.tls.{missing}",))


def _turn(settings: Settings) -> Iterator[Clash]:
    turn = settings.host.turn
    if turn.urls and turn.secret_file is None:
        yield Clash("host.turn.urls", "needs host.turn.secret_file beside it", beside=("host.turn.secret_file",))


def _proxy(settings: Settings) -> Iterator[Clash]:
    proxy = settings.host.proxy
    if proxy.name_header and not proxy.trusted:
        yield Clash(
            "host.proxy.name_header", "needs host.proxy.trusted: anybody could send it", beside=("host.proxy.trusted",)
        )


def _rooms(settings: Settings) -> Iterator[Clash]:
    for item, room in enumerate(settings.host.rooms):
        if room.id in RESERVED:
            hint = f'Another id is free, as "{room.id.partition(".")[0]}-room".'
            yield Clash("host.rooms[].id", "is an address that the server needs for itself", hint, item)
        stem, dot, end = room.id.rpartition(".")
        if dot and end in PAGE_FILES:
            words = f"must not end in .{end}, which the server takes for a file of its page"
            yield Clash("host.rooms[].id", words, f'Without the dot it can be, as "{stem}-{end}".', item)


def _announced(settings: Settings) -> Iterator[Clash]:
    rooms, announced = [room.id for room in settings.host.rooms], settings.host.announce
    if announced and announced not in rooms:
        yield Clash(
            "host.announce", "is no room of this server", did_you_mean(announced, rooms), beside=("host.rooms",)
        )


def _devices(settings: Settings) -> Iterator[Clash]:
    rooms = [room.id for room in settings.host.rooms]
    for item, device in enumerate(settings.host.devices):
        if device.room not in rooms:
            hint = did_you_mean(device.room, rooms)
            yield Clash("host.devices[].room", "is no room of this server", hint, item, ("host.rooms",))


def _microphones(settings: Settings) -> Iterator[Clash]:
    audio = settings.audio
    places = len(parse_geometry(audio.geometry_mm)) if audio.geometry_mm else 0
    if audio.array != "auto":
        array = by_name(audio.array)
        if places and places != len(array.microphones):
            words = f"has {places} microphones, but audio.array has {len(array.microphones)}"
            yield Clash("audio.geometry_mm", words, beside=("audio.array",))
        if 0 < audio.channels < max(array.microphones) + 1:
            words = f"is too few: the microphones of audio.array are on {max(array.microphones) + 1} channels"
            yield Clash("audio.channels", words, beside=("audio.array",))
    elif 0 < audio.channels < places:
        words = f"has {places} microphones, but audio.channels is {audio.channels}"
        yield Clash("audio.geometry_mm", words, beside=("audio.channels",))


def _metrics(settings: Settings) -> Iterator[Clash]:
    device, host = settings.metrics.listen.rpartition(":"), settings.metrics.host_listen.rpartition(":")
    if device[2] and device[2] == host[2] and (device[0] == host[0] or "0.0.0.0" in (device[0], host[0])):  # noqa: S104
        yield Clash("metrics.host_listen", "is where the device answers already", beside=("metrics.listen",))


def _runtime_dir(settings: Settings) -> Iterator[Clash]:
    if len(os.fsencode(settings.device.runtime_dir)) > LONGEST_RUNTIME_DIR:
        yield Clash("device.runtime_dir", f"must be a path of at most {LONGEST_RUNTIME_DIR} bytes")


CHECKS: tuple[Callable[[Settings], Iterator[Clash]], ...] = (
    _tls,
    _turn,
    _proxy,
    _rooms,
    _announced,
    _devices,
    checks_signs.signs,
    checks_engines.engines,
    _microphones,
    checks_panel.panel,
    checks_quiet.quiet,
    checks_network.network,
    checks_provisioning.provisioning,
    _metrics,
    _runtime_dir,
)
