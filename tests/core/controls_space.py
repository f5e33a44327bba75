"""Every state that the controls can reach, and every step between them, as arrays.

``explore(kind, push_to_talk)`` starts from every stored mute and door and takes every event in every state, until nothing
new turns up. What holds for all of its edges holds for every sequence of events, however long.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import combinations, product

import numpy as np
from numpy.typing import NDArray

from appliance.core.controls import (
    REMEMBERED,
    Controls,
    Door,
    Event,
    MuteControl,
    Reason,
    Reasons,
    initial,
    step,
)

Masks = NDArray[np.int64]
CONFIGURATIONS = tuple(product((MuteControl.MOMENTARY, MuteControl.LATCHING), (False, True)))


def subsets(reasons: Iterable[Reason]) -> list[Reasons]:
    ordered = sorted(reasons)
    return [frozenset(some) for n in range(len(ordered) + 1) for some in combinations(ordered, n)]


def bits(*reasons: Reason) -> int:
    return sum(1 << reason for reason in reasons)


@dataclass(frozen=True)
class Space:
    """``held``, ``answerable``, ``door`` and ``is_open`` by state; ``after[event]`` is the state that follows each."""

    kind: MuteControl
    push_to_talk: bool
    states: tuple[Controls, ...]
    after: dict[Event, NDArray[np.int64]]
    held: Masks
    answerable: Masks
    door: Masks
    is_open: NDArray[np.bool_]

    def closed_but_for(self, *ignored: Reason) -> NDArray[np.bool_]:
        """Whether something besides ``ignored`` keeps the gate closed."""
        closed: NDArray[np.bool_] = ((self.held & ~bits(*ignored)) != 0) | (self.door != Door.OPEN)
        return closed


def starts(kind: MuteControl, push_to_talk: bool) -> list[Controls]:
    return [initial(kind, push_to_talk, stored, door) for stored in subsets(REMEMBERED) for door in Door]


def explore(kind: MuteControl, push_to_talk: bool) -> Space:
    index = {state: n for n, state in enumerate(dict.fromkeys(starts(kind, push_to_talk)))}
    after: dict[Event, list[int]] = {event: [] for event in Event}
    states = list(index)
    for state in states:  # it grows while it is read
        for event in Event:
            following = step(state, event)
            if following not in index:
                index[following] = len(states)
                states.append(following)
            after[event].append(index[following])
    return Space(
        kind,
        push_to_talk,
        tuple(states),
        {event: np.array(following, dtype=np.int64) for event, following in after.items()},
        np.array([bits(*state.held) for state in states]),
        np.array([bits(*state.answerable) for state in states]),
        np.array([int(state.door) for state in states]),
        np.array([state.open for state in states]),
    )


def run(state: Controls, *events: Event) -> Controls:
    for event in events:
        state = step(state, event)
    return state


def ready(kind: MuteControl, push_to_talk: bool = False, *, stored: Reasons = frozenset()) -> Controls:
    """The state after a start at which all went well and the switch stood open."""
    found = [Event.SWITCH_FOUND_OPEN] if kind is MuteControl.LATCHING else []
    return run(
        initial(kind, push_to_talk, stored),
        Event.PANEL_FOUND,
        *found,
        Event.AUDIO_FOUND,
        Event.STARTED,
        Event.TALK_PRESSED,
    )
