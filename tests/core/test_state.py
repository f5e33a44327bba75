"""The snapshots, and that they tell nothing of a closed microphone."""

import dataclasses
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.core.controls import Controls, Door, MuteControl, Reason
from appliance.core.lamps import Health, LinkPhase, Room, Sign, lamps
from appliance.core.state import (
    Backends,
    Codec,
    HostState,
    LinkState,
    ProofState,
    QuietState,
    RoomState,
    SoundState,
    WayState,
)

OPEN = Controls(MuteControl.MOMENTARY, held=frozenset())
MUTED = Controls(MuteControl.MOMENTARY, held=frozenset({Reason.ADMIN, Reason.BUTTON}))
BACKENDS = Backends("virtual", "virtual", "virtual (momentary)")


def sound(controls: Controls, *, talking: bool = False) -> SoundState:
    room = Room(LinkPhase.IN_ROOM, Health.HEALTHY, talking, -20.0)
    return SoundState(
        controls=controls,
        lamps=lamps(controls, room),
        backends=BACKENDS,
        muted_since=1000.0,
        microphone=-31.26,
        direction=120,
        loudspeaker=-20.04,
        exchange_connected=True,
        under_runs=2,
        hand=True,
        held={"switch": [1000, 1010], "door": [1020, None]},
        uptime=12.34,
        counters={"gate_closings": 1},
    )


def test_an_open_gate_tells_level_and_direction() -> None:
    assert sound(OPEN).as_dict() == {
        "gate": "open",
        "reasons": [],
        "muted_since": None,
        "held": {"switch": [1000, 1010], "door": [1020, None]},
        "door": "open",
        "mute_control": "momentary",
        "push_to_talk": False,
        "lamps": {"mic": "off", "room": "steady", "speak": "steady", "fault": "off"},
        "microphone": -31.3,
        "direction": 120,
        "loudspeaker": -20.0,
        "volume": 0,
        "hand": True,
        "recording": False,
        "presses": 0,
        "reset_held": False,
        "quiet": None,
        "exchange_connected": True,
        "under_runs": 2,
        "backends": {"capture": "virtual", "playback": "virtual", "panel": "virtual (momentary)"},
        "panel_problem": "",
        "front_end": None,
        "proof": {
            "engine": "exchange",
            "violations": 0,
            "why": "",
            "looked": 0,
            "left_closed": 0,
            "checks": 0,
            "checked_ago": None,
        },
        "uptime": 12.3,
        "counters": {"gate_closings": 1},
    }


def test_a_closed_gate_tells_neither_level_nor_direction_nor_talking() -> None:
    state = sound(MUTED, talking=True)
    assert state.lamps.mic is Sign.SLOW, "the panel may say it to those who sit there"
    assert state.microphone is None
    assert state.direction is None
    told = state.as_dict()
    assert told["microphone"] is None
    assert told["direction"] is None
    assert told["lamps"] == {"mic": "steady", "room": "steady", "speak": "steady", "fault": "off"}
    assert told["gate"] == "closed"
    assert told["reasons"] == ["button", "admin"], "in the order of their bits"
    assert told["muted_since"] == 1000.0
    assert told == sound(MUTED, talking=False).as_dict()


@given(
    st.sets(st.sampled_from(Reason)),
    st.sampled_from(Door),
    st.booleans(),
    st.floats(-127.0, 0.0),
    st.integers(0, 359),
)
def test_nothing_told_of_a_closed_gate_depends_on_the_microphone(
    held: set[Reason], door: Door, talking: bool, level: float, direction: int
) -> None:
    controls = Controls(held=frozenset(held), door=door)
    if controls.open:
        return
    quiet = SoundState(controls, lamps(controls, Room()), BACKENDS)
    loud = SoundState(
        controls, lamps(controls, Room(talking_while_closed=talking)), BACKENDS, microphone=level, direction=direction
    )
    assert loud.as_dict() == quiet.as_dict()


def test_quiet_hours_are_told_as_they_are_known() -> None:
    quiet = QuietState(holds=True, until=1_811_912_400, until_words="07:00", clock_trusted=True, opens_soon=False)
    assert dataclasses.replace(sound(MUTED), quiet=quiet).as_dict()["quiet"] == {
        "holds": True,
        "until": 1_811_912_400,
        "until_words": "07:00",
        "clock_trusted": True,
        "opens_soon": False,
    }


def test_the_snapshot_does_not_move_with_what_it_was_made_of() -> None:
    counts = {"joins": 1}
    states: list[SoundState | LinkState | HostState] = [
        SoundState(OPEN, lamps(OPEN, Room()), BACKENDS, counters=counts),
        LinkState("hosted", counters=counts),
        HostState(counters=counts),
    ]
    counts["joins"] = 2
    for state in states:
        assert state.as_dict()["counters"] == {"joins": 1}
        with pytest.raises(TypeError):
            state.counters["joins"] = 3  # type: ignore[index]
        with pytest.raises(dataclasses.FrozenInstanceError):
            state.uptime = 1.0  # type: ignore[misc]


def test_link() -> None:
    state = LinkState(
        engine="hosted",
        phase=LinkPhase.IN_ROOM,
        room="Kitchen",
        members=3,
        speaking=("Ana",),
        proof=ProofState(looked=7, checks=2, checked_ago=3.5),
        opus="libopus 1.6.1",
        codec=Codec(20, 32_000, 5, True, False),
        way=WayState(rtt_ms=12.34567, loss=0.01, delay_ms=41.0),
        uptime=1.0,
    )
    assert state.as_dict() == {
        "engine": "hosted",
        "phase": "in_room",
        "why": "",
        "room": "Kitchen",
        "members": 3,
        "speaking": ["Ana"],
        "exchange_connected": False,
        "proof": {
            "engine": "hosted",
            "violations": 0,
            "why": "",
            "looked": 7,
            "left_closed": 0,
            "checks": 2,
            "checked_ago": 3.5,
        },
        "opus": "libopus 1.6.1",
        "codec": {"frame_ms": 20, "bitrate": 32_000, "complexity": 5, "fec": True, "dtx": False},
        "way": {"rtt_ms": 12.346, "loss": 0.01, "jitter_ms": None, "delay_ms": 41.0, "relayed": False},
        "uptime": 1.0,
        "counters": {},
    }
    assert LinkState("hosted").as_dict()["codec"] is None


def test_host() -> None:
    state = HostState((RoomState("a", 3, 2, 1), RoomState("b", 4)), 8080, 8081, 5.0)
    assert state.as_dict() == {
        "rooms": [
            {"id": "a", "members": 3, "connected": 2, "speaking": 1},
            {"id": "b", "members": 4, "connected": 0, "speaking": 0},
        ],
        "members": 7,
        "http_port": 8080,
        "udp_port": 8081,
        "uptime": 5.0,
        "counters": {},
    }


@pytest.mark.parametrize("state", [sound(OPEN), sound(MUTED), LinkState("hosted"), HostState((RoomState("a"),))])
def test_all_are_ready_for_json(state: SoundState | LinkState | HostState) -> None:
    assert json.loads(json.dumps(state.as_dict(), allow_nan=False)) == state.as_dict()
