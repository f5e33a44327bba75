"""What a device hears that asks the local network for rooms."""

import struct

from appliance.core.nearby import SERVICE, NearbyRoom
from appliance.provisioning.nearby import read
from tests.fuzz import mutate
from tests.fuzz.target import Target, simple

_ROOMS = (
    NearbyRoom("lobby", "Lobby", "ab" * 32),
    NearbyRoom("attic", "Attic", "cd" * 32, "https://rooms.example.org", https=True, authority="ef" * 32),
)


def targets() -> list[Target]:
    """One."""
    return [Target("rooms nearby", mutate.binary, tuple(map(_answer, _ROOMS)), simple(_read))]


def _answer(room: NearbyRoom) -> bytes:
    parts = [f"{key}={value}".encode() for key, value in room.properties().items()]
    text = b"".join(bytes([len(part)]) + part for part in parts)
    labels = f"{room.room}.{SERVICE}".split(".")
    name = b"".join(bytes([len(label)]) + label.encode() for label in labels)
    service = struct.pack("!HHH", 0, 0, 8080) + b"\xc0\x0c"
    records = [
        name + struct.pack("!HHIH", 33, 1, 120, len(service)) + service,
        b"\xc0\x0c" + struct.pack("!HHIH", 16, 1, 4500, len(text)) + text,
    ]
    return struct.pack("!HHHHHH", 0, 0x8400, 0, len(records), 0, 0) + b"".join(records)


def _read(data: bytes) -> None:
    for found in read(data, "192.0.2.7"):
        assert found.url.startswith(("http://", "https://")) and len(found.nearby.title) <= 64
        assert found.as_dict()["room"] == found.nearby.room
