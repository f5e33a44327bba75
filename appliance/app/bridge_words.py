"""What a bridge says, in the lines of ``kontor status`` that people read."""

from collections.abc import Iterator, Mapping
from typing import Any

Said = Mapping[str, Any]

WHY = {
    "admin": "an admin muted the bridge there",
    "away": "the bridge is not in both rooms",
    "recording": "the room is recorded, and the other one is told first",
    "ring": "another bridge joins the two already",
    "starting": "it has just begun",
    "fault": "the proof of mute has found something",
}
"""Why nothing is said in a room, in the words of appliance/rooms/bridge.py."""


def bridge(said: Said) -> list[str]:
    """Each side with who is there and what is said there."""
    sides = [said["a"], said["b"]]
    lines = [f"bridge       {sides[0]['room']} and {sides[1]['room']}"]
    if said.get("aside"):
        lines.append(f"  stands aside: {said['aside']}")
    for side, other in zip(sides, reversed(sides), strict=True):
        lines += _side(side, other)
    return lines


def _side(side: Said, other: Said) -> Iterator[str]:
    phase = side["phase"].replace("_", " ")
    why = f" ({side['why']})" if side["why"] else ""
    recorded = ", recorded" if side["recorded"] else ""
    yield f"  {side['room']}: {phase}{why}, {side['engine']}{recorded}"
    names = ", ".join(side["names"]) or "nobody"
    speaking = f"; speaking: {', '.join(side['speaking'])}" if side["speaking"] else ""
    more = f" +{side['more']}" if side["more"] else ""
    yield f"    here     {names}{more}{speaking}"
    if side["closed"]:
        yield f"    hears    nothing of {other['room']}: {', '.join(WHY.get(each, each) for each in side['closed'])}"
    else:
        later = "" if side["added_ms"] is None else f", {side['added_ms']:.0f} ms later than {other['room']} itself"
        yield f"    hears    {other['room']}{later}"
    for limit in side["limits"]:
        yield f"             limited: {limit}"
    if side["proof"]["violations"]:
        yield f"    proof    VIOLATED ({side['proof']['why']})"
