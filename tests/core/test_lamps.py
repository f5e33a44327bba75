"""The lamp table of UX.md, over all combinations."""

from dataclasses import replace
from itertools import product

import pytest

from appliance.core.controls import Controls, Door, Reason
from appliance.core.lamps import QUIETEST_SHOWN, Health, Lamps, LinkPhase, Room, Sign, lamps
from appliance.core.units import SILENCE
from tests.core.controls_space import subsets

R = Reason
OPEN = Controls(held=frozenset())
CONTROLS = [
    Controls(held=held, door=door)
    for held in subsets({R.SWITCH, R.ADMIN, R.STARTING, R.AUDIO, R.PANEL, R.VIOLATION})
    for door in Door
]
BOTH = (False, True)
ROOMS = [Room(*it) for it in product(LinkPhase, Health, BOTH, (SILENCE, -30.0), BOTH, BOTH)]


def expected_mic(controls: Controls, talking: bool) -> Sign:
    if not controls.reasons:
        return Sign.OFF
    if controls.reasons & {R.AUDIO, R.PANEL, R.VIOLATION} and R.STARTING not in controls.reasons:
        return Sign.FAST
    return Sign.SLOW if talking else Sign.STEADY


def expected_room(door: Door, phase: LinkPhase, opens_soon: bool) -> Sign:
    if phase is LinkPhase.REFUSED:
        return Sign.FAST
    if door is Door.CLOSED and opens_soon:
        return Sign.SLOW
    if door is Door.CLOSED or phase is LinkPhase.LEFT:
        return Sign.OFF
    return Sign.STEADY if phase is LinkPhase.IN_ROOM else Sign.SLOW


def expected_speak(door: Door, level: float, wanted: bool) -> Sign:
    if wanted:
        return Sign.SLOW
    return Sign.STEADY if door is not Door.CLOSED and level > QUIETEST_SHOWN else Sign.OFF


EXPECTED_FAULT = {
    Health.HEALTHY: Sign.OFF,
    Health.STOPPED: Sign.STEADY,
    Health.DEGRADED: Sign.SLOW,
    Health.NEEDS_PERSON: Sign.FAST,
}


def test_every_combination_shows_what_the_table_says_and_no_lamp_depends_on_another() -> None:
    for controls, room in product(CONTROLS, ROOMS):
        shown = lamps(controls, room)
        assert shown.mic is expected_mic(controls, room.talking_while_closed)
        assert shown.room is expected_room(controls.door, room.phase, room.opens_soon)
        assert shown.speak is expected_speak(controls.door, room.level, room.wanted)
        assert shown.fault is EXPECTED_FAULT[room.health]


@pytest.mark.parametrize("reason", [reason for reason in Reason if reason is not R.DOOR])
def test_every_single_reason_lights_the_microphone_lamp(reason: Reason) -> None:
    shown = lamps(Controls(held=frozenset({reason})), Room())
    assert shown.mic is (Sign.FAST if reason in {R.AUDIO, R.PANEL, R.VIOLATION} else Sign.STEADY)


def test_a_reset_is_shown_by_all_lamps_but_mic_and_by_nothing_else() -> None:
    reset = (Sign.FAST,) * 3
    for controls, room in product(CONTROLS, ROOMS):
        shown, resetting = lamps(controls, room), lamps(controls, replace(room, resetting=True))
        assert resetting.mic is shown.mic, "MIC shows the gate, always"
        assert resetting.signs[1:] == reset
        assert shown.signs[1:] != reset
        assert resetting.brightness == 0.0


def test_a_door_that_listens_lights_it_too() -> None:
    assert lamps(Controls(held=frozenset(), door=Door.LISTENING), Room()).mic is Sign.STEADY


def test_before_anything_is_told_the_room_pulses_and_nobody_speaks() -> None:
    assert Room() == Room(LinkPhase.STARTING, Health.HEALTHY, False, SILENCE, False, False, False)
    assert lamps(OPEN, Room()) == Lamps(Sign.OFF, Sign.SLOW, Sign.OFF, Sign.OFF, 0.0)


@pytest.mark.parametrize(
    ("level", "brightness"), [(0.0, 1.0), (3.0, 1.0), (-15.0, 0.75), (-30.0, 0.5), (-60.0, 0.0), (SILENCE, 0.0)]
)
def test_speak_is_as_bright_as_the_speaker_is_loud(level: float, brightness: float) -> None:
    assert lamps(OPEN, Room(level=level)).brightness == pytest.approx(brightness)
    assert lamps(Controls(held=frozenset(), door=Door.LISTENING), Room(level=level)).brightness == pytest.approx(
        brightness
    )
    assert lamps(Controls(held=frozenset(), door=Door.CLOSED), Room(level=level)).brightness == 0.0


def test_from_afar_nobody_sees_that_somebody_talks_into_a_closed_microphone() -> None:
    for controls, room in product(CONTROLS, ROOMS):
        shown = lamps(controls, room)
        afar = shown.from_afar()
        assert afar.mic is not Sign.SLOW
        assert afar == lamps(controls, replace(room, talking_while_closed=False))
        assert (afar.mic is shown.mic) is (shown.mic is not Sign.SLOW)


def test_phases_and_healths_keep_their_numbers_on_the_exchange() -> None:
    assert [phase.name for phase in sorted(LinkPhase)] == [
        "STARTING",
        "CONNECTING",
        "IN_ROOM",
        "RECONNECTING",
        "REFUSED",
        "LEFT",
    ]
    assert [int(phase) for phase in sorted(LinkPhase)] == [0, 1, 2, 3, 4, 5]
    assert [int(health) for health in sorted(Health)] == [0, 1, 2, 3]


def test_lamps_are_told_in_one_order_and_by_name() -> None:
    shown = Lamps(mic=Sign.FAST, room=Sign.STEADY, speak=Sign.OFF, fault=Sign.SLOW, brightness=0.0)
    assert shown.signs == (Sign.FAST, Sign.STEADY, Sign.OFF, Sign.SLOW)
    assert shown.words() == {"mic": "fast", "room": "steady", "speak": "off", "fault": "slow"}
