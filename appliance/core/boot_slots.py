"""The record of the two slots of the card: how it is written, and what becomes of it. Bytes and decisions only.

The boot loader counts in it which slot it starts, and the running system says in it which slot is good. It stands on the
card twice, each copy in U-Boot's format of a checksummed environment (``env export -c -s 0x1000``, include/env_internal.h
of U-Boot, ``env_t`` without the flag byte): CRC32, little endian, of the 4092 bytes that follow; then ``key=value`` with a
zero byte each, a further zero byte, and zeroes. The copy with the highest serial number holds, the first at a tie, and
whoever writes one alone writes the other: so a torn write loses nothing.
"""

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, get_args

Name = Literal["a", "b"]
"""Of a slot."""
NAMES: tuple[Name, Name] = get_args(Name)
SIZE = 4096
"""Bytes of a copy."""
TRIES = 3
"""Starts that a slot gets before the other one has its turn."""
LONGEST_REASON = 200
_MOST_DIGITS = 15
"""Of a serial number: what U-Boot can still compare."""


class RecordError(ValueError):
    """Bytes are not a copy of the record; the text is a whole sentence for people."""


@dataclass(frozen=True, slots=True)
class Slot:
    """What is known of one slot."""

    left: int = 0
    """Starts that it still gets, 0 to :data:`TRIES`."""
    good: bool = False
    """It ran, and was confirmed."""


@dataclass(frozen=True, slots=True)
class Record:
    """What both copies say."""

    serial: int
    """Grows with each write."""
    first: Name
    """The slot that is tried first."""
    slots: Mapping[Name, Slot]
    reason: str = ""
    """Why the last slot was left, in a sentence; "" when none was."""


def other(name: Name) -> Name:
    """The other slot."""
    return "b" if name == "a" else "a"


def slot_name(text: str) -> Name | None:
    """The slot that a text names; None: none."""
    return next((name for name in NAMES if name == text), None)


def encode(record: Record) -> bytes:
    """One copy, :data:`SIZE` bytes."""
    facts = {"serial": f"{record.serial:#x}", "order": f"{record.first} {other(record.first)}"}
    facts |= {f"left_{name}": str(record.slots[name].left) for name in NAMES}
    facts |= {f"good_{name}": str(int(record.slots[name].good)) for name in NAMES}
    facts["reason"] = _harmless(record.reason)
    # In the order of their names, as U-Boot writes them: equal records are equal bytes, whoever wrote them.
    text = b"".join(f"{key}={facts[key]}".encode("ascii") + b"\0" for key in sorted(facts))
    body = text.ljust(SIZE - 4, b"\0")
    return zlib.crc32(body).to_bytes(4, "little") + body


def decode(data: bytes) -> Record:
    """The record in one copy.

    :raises RecordError: it is none.
    """
    if len(data) != SIZE:
        raise RecordError(f"A copy of the slot record has {SIZE} bytes, not {len(data)}.")
    body = data[4:]
    if zlib.crc32(body) != int.from_bytes(data[:4], "little"):
        raise RecordError("A copy of the slot record has a wrong checksum.")
    lines = body.split(b"\0\0", 1)[0].decode("ascii", "replace").split("\0")
    facts = dict(line.partition("=")[::2] for line in lines)
    first = slot_name(facts.get("order", "")[:1])
    if first is None or facts["order"] != f"{first} {other(first)}":
        raise RecordError("The slot record does not say in which order the slots are tried.")
    slots: dict[Name, Slot] = {}
    for name in NAMES:
        left, good = facts.get(f"left_{name}", ""), facts.get(f"good_{name}", "")
        if left not in {str(number) for number in range(TRIES + 1)} or good not in {"0", "1"}:
            raise RecordError(f"The slot record does not say how slot {name} is.")
        slots[name] = Slot(int(left), good == "1")
    return Record(_serial(facts.get("serial", "")), first, slots, facts.get("reason", "")[:LONGEST_REASON])


def _serial(text: str) -> int:
    digits = text.removeprefix("0x")
    if len(digits) == len(text) or not 1 <= len(digits) <= _MOST_DIGITS or set(digits) - set("0123456789abcdef"):
        raise RecordError("The slot record has no serial number.")
    return int(digits, 16)


def _harmless(text: str) -> str:
    """In one line of signs that a boot loader's shell takes for nothing else."""
    plain = " ".join(text.split())[:LONGEST_REASON]
    return "".join(each if each.isascii() and (each.isalnum() or each in " .,:-+/()%") else "?" for each in plain)


def newest(copies: Sequence[bytes]) -> tuple[Record | None, tuple[int, int]]:
    """What two copies say, and which of them (0, 1) is to be written first: the one that would be missed less.

    :returns: None for the record if neither is one.
    """
    found: list[Record | None] = []
    for copy in copies:
        try:
            found.append(decode(copy))
        except RecordError:
            found.append(None)
    one, two = found
    if two is not None and (one is None or two.serial > one.serial):
        return two, (0, 1)
    return one, (1, 0)


def factory() -> Record:
    """What an image is flashed with: slot a is good, b is empty."""
    return Record(1, "a", {"a": Slot(TRIES, True), "b": Slot()})


def afresh(running: Name) -> Record:
    """What holds where both copies are lost: nothing is known of either slot, and ``running`` at least has come up."""
    return Record(0, running, {running: Slot(), other(running): Slot(TRIES)})


def next_start(record: Record) -> tuple[Name, Record]:
    """What the boot loader does at a start: the slot that it takes, and the record that it leaves behind.

    A slot whose files cannot be read counts as one without a start left; that is not known here.
    """
    order = (record.first, other(record.first))
    slots = dict(record.slots)
    if not any(slots[name].left for name in order):
        # The good ones begin again; where there is none, whatever is there.
        none_good = not any(slots[name].good for name in order)
        slots = {name: Slot(TRIES, slot.good) if slot.good or none_good else slot for name, slot in slots.items()}
    taken = next(name for name in order if slots[name].left)
    slots[taken] = replace(slots[taken], left=slots[taken].left - 1)
    return taken, _written(record, slots=slots)


def on_trial(record: Record, running: Name) -> bool:
    """Whether the running slot has yet to show that it is good, and there is a good one to go back to."""
    return not record.slots[running].good and record.slots[other(running)].good


def leaving(record: Record, running: Name) -> bool:
    """Whether the next start is meant to take the other slot: an update waits for it, or a way back."""
    return record.first != running and record.slots[other(running)].left > 0


def kept(record: Record, running: Name) -> Record:
    """The running slot is good, and has all its starts again; the same record if there is nothing to be said.

    It is also tried first from now on: a system that came up because the other one did not is the one to trust.
    """
    if leaving(record, running) or record.slots[running] == Slot(TRIES, True):
        return record
    return _written(record, first=running, slots={**record.slots, running: Slot(TRIES, True)})


def opened(record: Record, target: Name) -> Record:
    """Before the first byte is written into the slot ``target``: nobody starts it."""
    return _written(record, first=other(target), slots={**record.slots, target: Slot()})


def flipped(record: Record, target: Name) -> Record:
    """All of ``target`` is written and was read back: it is tried at the next start."""
    return _written(record, first=target, slots={**record.slots, target: Slot(TRIES, False)}, reason="")


def left(record: Record, running: Name, reason: str) -> Record:
    """Go back to the other slot at the next start, and do not come here again.

    :param reason: a sentence for people; what is not plain text becomes "?".
    """
    slots: Mapping[Name, Slot] = {
        running: replace(record.slots[running], left=0),
        other(running): replace(record.slots[other(running)], left=TRIES),
    }
    return _written(record, first=other(running), slots=slots, reason=_harmless(reason))


def _written(
    record: Record, *, slots: Mapping[Name, Slot], first: Name | None = None, reason: str | None = None
) -> Record:
    first = record.first if first is None else first
    return Record(record.serial + 1, first, slots, record.reason if reason is None else reason)
