"""As much of DNS messages (RFC 1035) as a question for a service and its answers need (RFC 6763). Whatever comes is bounded."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

LARGEST = 9000
"""Bytes of a message (RFC 6762, 17)."""
_PTR, _TXT, _SRV, _IN = 12, 16, 33, 1
_ANSWER = 0x8000
_POINTER = 0xC0
_MOST_RECORDS = 256
_MOST_LABELS = 128
_HEADER = struct.Struct("!HHHHHH")
_RECORD = struct.Struct("!HHIH")


class BadMessage(ValueError):
    """It is no answer that can be read."""


@dataclass(frozen=True, slots=True)
class Services:
    """What an answer tells of services, by their names in small letters."""

    ports: dict[str, int] = field(default_factory=dict)
    texts: dict[str, bytes] = field(default_factory=dict)


def question(service: str) -> bytes:
    """The question who offers ``service``, as in "_kontor._tcp.local."."""
    labels = (label.encode() for label in service.rstrip(".").split("."))
    name = b"".join(bytes([len(label)]) + label for label in labels) + b"\0"
    return _HEADER.pack(0, 0, 1, 0, 0, 0) + name + struct.pack("!HH", _PTR, _IN)


def read_answer(data: bytes) -> Services:
    """The services that an answer tells of.

    :raises BadMessage: it is none.
    """
    found = Services()
    try:
        for name, kind, content in _records(data):
            if kind == _TXT:
                found.texts.setdefault(name, content)
            elif kind == _SRV:
                found.ports.setdefault(name, struct.unpack_from("!HHH", content)[2])
    except (struct.error, IndexError):
        raise BadMessage("It ends too early.") from None
    return found


def _records(data: bytes) -> Iterator[tuple[str, int, bytes]]:
    """Name, type and content of every record."""
    _, flags, questions, *counts = _HEADER.unpack_from(data)
    if not flags & _ANSWER or len(data) > LARGEST or questions + sum(counts) > _MOST_RECORDS:
        raise BadMessage("It is no answer, or too large.")
    at = _HEADER.size
    for _ in range(questions):
        at = _name(data, at)[1] + 4
    for _ in range(sum(counts)):
        name, at = _name(data, at)
        kind, _, _, length = _RECORD.unpack_from(data, at)
        at += _RECORD.size + length
        if at > len(data):
            raise BadMessage("A record ends behind the message.")
        yield name, kind, data[at - length : at]


def _name(data: bytes, at: int) -> tuple[str, int]:
    """The name at ``at`` in small letters, and where what follows it begins. A name may go on at an earlier place."""
    labels: list[str] = []
    after = 0
    while data[at]:
        if data[at] >= _POINTER:
            target = int.from_bytes(data[at : at + 2], "big") & 0x3FFF
            if target >= at:  # backwards only, so that it comes to an end
                raise BadMessage("A name points forward.")
            after, at = after or at + 2, target
            continue
        end = at + 1 + data[at]
        if data[at] & _POINTER or end >= len(data) or len(labels) >= _MOST_LABELS:
            raise BadMessage("A name is malformed.")
        labels.append(data[at + 1 : end].decode("utf-8", "replace").lower())
        at = end
    return ".".join([*labels, ""]), after or at + 1
