"""Writes docs/controls.md from appliance/core/controls.py and lamps.py. ``--check`` only tells whether it is current.

Nothing is told here that :func:`appliance.core.controls.step` and :func:`appliance.core.lamps.lamps` were not asked:
tables and diagrams are what they answered. Only the sentences on what a reason means are written by hand.
"""

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path

from appliance.core.controls import (
    ANSWERED_BY_HAND,
    FAULTS,
    ORIGIN,
    REMEMBERED,
    Controls,
    Door,
    Event,
    MuteControl,
    Reason,
    initial,
    step,
)
from appliance.core.lamps import Health, LinkPhase, Room, Sign, lamps
from tools.documents import write_or_check

TARGET = Path(__file__).resolve().parent.parent / "docs" / "controls.md"

MEANING = {
    Reason.SWITCH: "the mute switch is closed, or was not read yet",
    Reason.BUTTON: "the mute button was pressed, or nobody saw whether it was",
    Reason.ADMIN: "somebody far away muted the device",
    Reason.DOOR: "the door is not open",
    Reason.QUIET: "quiet hours hold",
    Reason.TALK: "the push-to-talk key is not held",
    Reason.AUDIO: "the sound card is not there",
    Reason.PANEL: "buttons and switch cannot be read",
    Reason.HAND: "a setting of the panel was changed from afar, or the stored mute cannot be read or was lost",
    Reason.STARTING: "the device is starting",
    Reason.TRIAL: "new settings are on trial",
    Reason.RECORDING: "a recording began and is not announced yet",
    Reason.VIOLATION: "sound left the device after the gate had closed",
}

_NEVER = {MuteControl.LATCHING: Reason.BUTTON, MuteControl.MOMENTARY: Reason.SWITCH}
"""The reason that a device with this mute control cannot have."""

_DOOR_EVENTS = (
    Event.DOOR_PRESSED,
    Event.RESET_HELD,
    Event.DOOR_ASKED_OPEN,
    Event.DOOR_ASKED_LISTENING,
    Event.DOOR_ASKED_CLOSED,
    Event.QUIET_BEGAN,
    Event.QUIET_ENDED,
)

_START = """# Mute, door and lamps
This page is made from `appliance/core/controls.py` and `lamps.py` by `python -m tools.controls_diagram`; do not edit it.

The gate is the one place where the microphone is silenced. It is open only when no reason to close it holds. Reasons add
up, and each ends by its own events. An event from *afar* (page, admin, schedule, settings, the room) can add a reason and
never end one, but for quiet hours, which leave the door listening at most: nobody far away can open the microphone.
"""


def render() -> str:
    """The whole page."""
    return "\n".join([_START, *_reasons(), *_events(), *_mute_diagrams(), *_door_diagram(), *_lamp_tables()])


def main(arguments: list[str]) -> int:
    """Write the page, or with ``--check`` return 1 when it is not current."""
    return write_or_check(TARGET, render(), arguments)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield "| " + " | ".join(head) + " |"
    yield "|" + "---|" * len(head)
    for row in rows:
        yield "| " + " | ".join(cell or "-" for cell in row) + " |"
    yield ""


def _reached(start: Controls, events: Sequence[Event]) -> list[Controls]:
    """All states that ``events`` can make of ``start``."""
    states = [start]
    for state in states:  # it grows while it is read
        states += [new for new in dict.fromkeys(step(state, event) for event in events) if new not in states]
    return states


def _samples(kind: MuteControl) -> Iterator[Controls]:
    """States in which every effect of an event can be seen: every door, while no other reason holds and while all do."""
    every = frozenset(Reason) - {Reason.DOOR, Reason.QUIET, _NEVER[kind]}
    for state in _reached(Controls(kind, True, held=frozenset()), _DOOR_EVENTS):
        yield state
        yield replace(state, held=state.held | every - {Reason.SWITCH})
        yield replace(state, held=state.held | every, answerable=ANSWERED_BY_HAND)


def _effect(kind: MuteControl, event: Event) -> tuple[list[Reason], list[Reason], list[tuple[Door, Door]]]:
    """What ``event`` adds, what it can end, and how it moves the door."""
    adds, ends, moves = set[Reason](), set[Reason](), set[tuple[Door, Door]]()
    for before in _samples(kind):
        after = step(before, event)
        adds |= after.held - before.held
        ends |= before.held - after.held
        if after.door is not before.door:
            moves.add((before.door, after.door))
    return sorted(adds), sorted(ends), sorted(moves)


def _words(reasons: Iterable[Reason]) -> str:
    return ", ".join(reason.word for reason in reasons)


def _begins(reason: Reason) -> str:
    events = [event for event in Event if any(reason in _effect(kind, event)[0] for kind in MuteControl)]
    if reason is Reason.DOOR:
        events = [event for event in Event if any(old is Door.OPEN for old, _ in _moves(event))]
    at_start = any(reason in initial(kind, push_to_talk=True).reasons for kind in MuteControl)
    return ", ".join(["a start"] * at_start + [event.value for event in events])


def _ends(reason: Reason) -> str:
    events = [event for event in Event if any(reason in _effect(kind, event)[1] for kind in MuteControl)]
    if reason is Reason.DOOR:
        events = [event for event in Event if any(new is Door.OPEN for _, new in _moves(event))]
    return ", ".join(event.value for event in events)


def _moves(event: Event) -> list[tuple[Door, Door]]:
    return _effect(MuteControl.MOMENTARY, event)[2]


def _reasons() -> Iterator[str]:
    yield "## Reasons\n"
    yield "In the order of their bits on the exchange. *Stored*: comes back after a restart; all others are found out anew.\n"
    yield from _table(
        ["bit", "reason", "what it means", "begins by", "ends by", "stored", "MIC blinks"],
        (
            [
                str(int(reason)),
                f"**{reason.word}**",
                MEANING[reason],
                _begins(reason),
                _ends(reason),
                "yes" if reason in REMEMBERED else "",
                "yes" if reason in FAULTS else "",
            ]
            for reason in Reason
        ),
    )
    yield "A start begins with these, besides what was stored:\n"
    yield from _table(
        ["mute control", "push-to-talk", "reasons"],
        (
            [kind.value, "yes" if push_to_talk else "no", _words(sorted(initial(kind, push_to_talk).reasons))]
            for kind, push_to_talk in product(MuteControl, (False, True))
        ),
    )


def _does(kind: MuteControl, event: Event) -> str:
    adds, ends, moves = _effect(kind, event)
    parts = [f"adds {_words(adds)}"] if adds else []
    parts += [f"ends {_words(ends)}"] if ends else []
    if moves:
        parts.append("door: " + ", ".join(f"{old.name.lower()} → {new.name.lower()}" for old, new in moves))
    return "; ".join(parts)


def _events() -> Iterator[str]:
    yield "## Events\n"
    yield (
        f"What an event can do; a dash means that it changes nothing. Of {_words(sorted(ANSWERED_BY_HAND))} a switch that"
        " opens ends what held already when it was closed. Push-to-talk is a reason only where it is configured.\n"
    )
    yield from _table(
        ["event", "from", *(kind.value for kind in MuteControl)],
        ([event.value, ORIGIN[event].value, *(_does(kind, event) for kind in MuteControl)] for event in Event),
    )


def _diagram(start: Controls, events: Sequence[Event], name: Callable[[Controls], str]) -> Iterator[str]:
    """A Mermaid state diagram of all that ``events`` can reach; states of one name are one state."""
    names: dict[str, str] = {}
    edges: dict[tuple[str, str], dict[Event, None]] = {}
    for state in _reached(start, events):
        names.setdefault(name(state), f"s{len(names)}")
    for state, event in product(_reached(start, events), events):
        ways = names[name(state)], names[name(step(state, event))]
        if ways[0] != ways[1] and _happens(state, event):
            edges.setdefault(ways, {})[event] = None
    yield "```mermaid\nstateDiagram-v2"
    yield from (f'    state "{text}" as {short}' for text, short in names.items())
    yield from (f"    {old} --> {new}: {', '.join(labels)}" for (old, new), labels in sorted(edges.items()))
    yield "```\n"


def _happens(state: Controls, event: Event) -> bool:
    if event in {Event.PRESS_WHILE_OPEN, Event.PRESS_WHILE_CLOSED}:
        return state.open is (event is Event.PRESS_WHILE_OPEN)
    return event is not Event.SWITCH_OPENED or Reason.SWITCH in state.held


def _mute_name(state: Controls) -> str:
    if state.open:
        return "gate open"
    answers = " (ends with the switch)" if state.answerable else ""
    return f"closed: {_words(sorted(state.held))}{answers}"


def _mute_diagrams() -> Iterator[str]:
    yield "## The mute control\n"
    yield (
        f"On a healthy device with its door open. *{Reason.ADMIN.word}* stands for"
        f" {_words(sorted(ANSWERED_BY_HAND))}: a hand answers all of them alike.\n"
    )
    plays = {
        MuteControl.LATCHING: (Event.SWITCH_CLOSED, Event.SWITCH_OPENED, Event.SWITCH_FOUND_OPEN, Event.ADMIN_MUTED),
        MuteControl.MOMENTARY: (Event.PRESS_WHILE_OPEN, Event.PRESS_WHILE_CLOSED, Event.ADMIN_MUTED),
    }
    for kind, events in plays.items():
        yield f"### {kind.value.capitalize()}\n"
        yield from _diagram(Controls(kind, held=frozenset()), events, _mute_name)


def _door_name(state: Controls) -> str:
    if Reason.QUIET not in state.held:
        return state.door.name.lower()
    return f"quiet hours: {state.door.name.lower()}, {state.remembered_door.name.lower()} afterwards"


def _door_diagram() -> Iterator[str]:
    yield "## The door\n"
    yield from _diagram(Controls(MuteControl.MOMENTARY, held=frozenset()), _DOOR_EVENTS, _door_name)


def _lamp_tables() -> Iterator[str]:
    opened = Controls(held=frozenset())
    muted, faulty = (Controls(held=frozenset({reason})) for reason in (Reason.ADMIN, Reason.AUDIO))
    shut = Controls(held=frozenset(), door=Door.CLOSED)
    talking, loud, wanted = Room(talking_while_closed=True), Room(level=-20.0), Room(wanted=True)
    mic = {
        "gate open": lamps(opened, talking).mic,
        "gate closed": lamps(muted, Room()).mic,
        "gate closed, somebody talks into it": lamps(muted, talking).mic,
        "the same, as seen from afar": lamps(muted, talking).from_afar().mic,
        f"gate closed by a fault ({_words(sorted(FAULTS))})": lamps(faulty, talking).mic,
    }
    room = {
        f"{phase.name.lower().replace('_', ' ')}, {door}": lamps(controls, Room(phase)).room
        for phase in LinkPhase
        for door, controls in (("door open or listening", opened), ("door closed", shut))
    }
    room["door closed, quiet hours end within a minute"] = lamps(shut, Room(opens_soon=True)).room
    speak = {
        "nobody speaks": lamps(opened, Room()).speak,
        "somebody speaks (brightness is the level)": lamps(opened, loud).speak,
        "somebody speaks, door closed": lamps(shut, loud).speak,
        "a hand is up, or a knock": lamps(opened, wanted).speak,
    }
    fault = {health.name.lower().replace("_", " a "): lamps(opened, Room(health=health)).fault for health in Health}
    wiped = "a factory reset was asked for"
    for lamp, sign in (("room", room), ("speak", speak), ("fault", fault)):
        sign[wiped] = getattr(lamps(opened, Room(resetting=True)), lamp)
    yield "## Lamps\n"
    tables: dict[str, dict[str, Sign]] = {"MIC": mic, "ROOM": room, "SPEAK": speak, "FAULT": fault}
    rows = [(lamp, when, sign.value) for lamp, states in tables.items() for when, sign in states.items()]
    yield from _table(["lamp", "when", "lit"], rows)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
