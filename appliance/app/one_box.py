"""One box for a small team, ``[host] enabled``: device and server on one machine, and how the one finds the other."""

import ipaddress
from dataclasses import dataclass

from appliance.app.process import NotAllowed
from appliance.settings import Settings
from appliance.settings.model import EngineName
from appliance.settings.model_telegram import shown_group


@dataclass(frozen=True, slots=True)
class Place:
    """Where the device is a member."""

    url: str
    """Of the server; empty: it is in no room."""
    room: str


def place_of(settings: Settings) -> Place:
    """The room that the settings name, or that of the server on this very box when they name no server.

    The box's own room is the one of ``[room] id``, or the first of the server when it holds none of that name.

    :raises NotAllowed: the server has no room, or no port that could be known.
    """
    room, host = settings.room, settings.host
    if is_elsewhere(settings) or not host.enabled:
        return Place(room.url, room.id)
    if not host.port:
        raise NotAllowed("[host] port has to be a number where the device of this box is a member")
    rooms = [each.id for each in host.rooms]
    if not rooms:
        raise NotAllowed("there is no room to hold: add one under [[host.rooms]]")
    # Even where https is served: this machine needs none, and the certificate may not know it by this name.
    inside = "127.0.0.1" if ipaddress.ip_address(host.listen).is_unspecified else host.listen
    return Place(f"http://{inside}:{host.port}", room.id if room.id in rooms else rooms[0])


def is_member(settings: Settings) -> bool:
    """Whether this box's device is a member of this box's server."""
    return settings.host.enabled and not is_elsewhere(settings) and settings.room.token_file is None


def is_elsewhere(settings: Settings) -> bool:
    """Whether the device's room is on another machine, by whichever engine."""
    return settings.room.engine is not EngineName.HOSTED or bool(settings.room.url)


def room_of(settings: Settings) -> str:
    """What the room is called where it is: by its id, or as the engine's own section names it."""
    kind = settings.room.engine
    section = None if kind is EngineName.HOSTED else getattr(settings, kind.value)
    return str(getattr(section, "room", "") or shown_group(getattr(section, "group", "")) or settings.room.id)


def has_room(settings: Settings) -> bool:
    """Whether the settings give the device a room to be in: elsewhere, or on this very box."""
    return is_elsewhere(settings) or settings.host.enabled
