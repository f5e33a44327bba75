"""What takes time to be known of a device: when reasons held, how it came back, what its processor and its sound did."""

import pytest

from appliance.app.clock import Moments
from appliance.app.measures import DAY, Dropouts, Processor, processor_seconds
from appliance.app.reasons_held import ReasonsHeld, Spans, together
from appliance.app.standing import Standing
from appliance.core.controls import Reason
from appliance.core.lamps import LinkPhase

SWITCH, DOOR = 1 << Reason.SWITCH, 1 << Reason.DOOR


class Clock:
    def __init__(self, at: float = 0.0) -> None:
        self.at = at

    def __call__(self) -> float:
        return self.at


# ---- reasons


def test_when_each_reason_last_held() -> None:
    clock = Clock(1000.9)
    held = ReasonsHeld(Moments(clock, clock))
    assert (held.spans(), held.opening) == ({}, None), "until sound has said something the gate counts as closed"
    held.look(SWITCH)
    clock.at = 1010
    held.look(SWITCH | DOOR)
    assert held.spans() == {"switch": [1000, None], "door": [1010, None]}
    clock.at = 1020
    held.look(DOOR)
    assert held.spans() == {"switch": [1000, 1020], "door": [1010, None]}
    clock.at = 1030
    held.look(SWITCH | DOOR)
    assert held.spans()["switch"] == [1030, None], "the last time counts"
    assert held.opening is None


def test_each_opening_is_another_one() -> None:
    held = ReasonsHeld()
    openings = []
    for mask in (0, 0, SWITCH, 0, DOOR):
        held.look(mask)
        openings.append(held.opening)
    assert openings == [1, 1, None, 2, None]


def test_what_held_before_the_clock_was_set_is_told_by_the_clock_of_now() -> None:
    wall, steady = Clock(9.0), Clock(4.0)  # a board without a battery, in the first seconds of 1970
    held = ReasonsHeld(Moments(wall, steady))
    held.look(SWITCH)
    wall.at, steady.at = 25.0, 20.0
    held.look(DOOR)
    assert held.spans() == {"switch": [9, 25], "door": [25, None]}
    wall.at, steady.at = 1_795_000_000.0, 30.0  # a time server has been heard
    assert held.spans() == {"switch": [1_794_999_974, 1_794_999_990], "door": [1_794_999_990, None]}


def test_a_clock_that_is_set_back_makes_no_span_that_ends_before_it_begins() -> None:
    wall, steady = Clock(5000), Clock(50)
    held = ReasonsHeld(Moments(wall, steady))
    held.look(SWITCH)
    wall.at, steady.at = 100, 60
    held.look(0)
    assert held.spans() == {"switch": [90, 100]}


def test_a_clock_that_runs_a_little_fast_makes_no_news() -> None:
    wall, steady = Clock(5000.4), Clock(50.0)
    moments = Moments(wall, steady)
    told = set()
    for second in range(3000):
        wall.at, steady.at = 5000.4 + 1.0005 * second, 50.0 + second
        told.add(moments.unix(50.0))
    assert told == {5000}, "1.5 s in 50 min"
    wall.at = 5010.4 + 3000
    steady.at = 50.0 + 3000
    assert moments.unix(50.0) == 5010, "a clock that was set is followed"


def test_sound_has_seen_the_start_and_link_knows_at_once() -> None:
    sound: Spans = {"starting": [10, 14], "switch": [20, 30], "admin": [40, None], "door": [50, 60]}
    link: Spans = {"switch": [70, None], "admin": [45, 65], "door": [58, 62], "no audio": [80, None]}
    assert together(sound, link) == {
        "starting": [10, 14],
        "switch": [70, None],
        "admin": [40, 65],
        "door": [50, 62],
        "no audio": [80, None],
    }
    assert together({}, link) == link


# ---- how link stands


def test_how_long_the_room_was_left_for_new_settings() -> None:
    now, clock = Clock(1_795_000_000.0), Clock(50.0)
    standing = Standing(Moments(now, clock))
    assert standing.as_dict() == {"phase": "starting", "since": 1_795_000_000}
    assert standing.back_s("one") is None
    now.at, clock.at = 1_795_000_003.6, 53.6
    standing.change(LinkPhase.IN_ROOM, "one")
    assert standing.as_dict() == {"phase": "in_room", "since": 1_795_000_003}
    assert standing.back_s("one") == 4
    assert standing.back_s("two") == 0, "settings for which it need not leave"
    standing.leaves()
    assert standing.back_s("two") is None, "on its way"
    clock.at = 60.6
    standing.change(LinkPhase.CONNECTING, "two")
    standing.change(LinkPhase.IN_ROOM, "two")
    assert standing.back_s("two") == 7
    clock.at = 900
    standing.change(LinkPhase.RECONNECTING, "two")
    standing.change(LinkPhase.IN_ROOM, "two")
    assert standing.back_s("two") == 7, "a room that was lost has nothing to do with settings"
    standing.leaves()
    clock.at = 901
    standing.change(LinkPhase.IN_ROOM, "two")
    assert standing.back_s("two") == 7, "nor has one that was left to mend something"


def test_the_same_phase_again_is_the_same_one() -> None:
    now = Clock(100.0)
    standing = Standing(Moments(now, now))
    standing.change(LinkPhase.REFUSED, "")
    now.at = 200.0
    standing.change(LinkPhase.REFUSED, "")
    assert standing.as_dict() == {"phase": "refused", "since": 100}


def test_since_when_link_stands_is_told_rightly_once_the_clock_is() -> None:
    wall, steady = Clock(9.0), Clock(4.0)
    standing = Standing(Moments(wall, steady))
    standing.change(LinkPhase.IN_ROOM, "")
    wall.at, steady.at = 1_795_000_000.0, 64.0
    assert standing.as_dict() == {"phase": "in_room", "since": 1_794_999_940}


# ---- sound that was lost


def lost(**counts: object) -> dict[str, object]:
    return {"counters": counts}


def test_a_burst_is_one_dropout_and_a_day_later_it_is_none() -> None:
    dropouts = Dropouts()
    dropouts.look(lost(downlink_missing=7), 0)
    assert dropouts.in_a_day == 0, "what was before the first look is of no day that is known"
    dropouts.look(lost(downlink_missing=207), 10)
    dropouts.look(lost(downlink_missing=207), 20)
    dropouts.look(lost(downlink_missing=207, capture_overruns=1, blocks_played=9), 30)
    assert dropouts.in_a_day == 2
    dropouts.look({}, DAY)
    assert dropouts.in_a_day == 2, "a sound that does not answer is no news"
    dropouts.look(lost(downlink_missing=207, capture_overruns=1), DAY + 20)
    assert dropouts.in_a_day == 1
    dropouts.look(lost(downlink_missing=207, capture_overruns=1), DAY + 31)
    assert dropouts.in_a_day == 0


def test_a_sound_that_was_started_anew_counts_from_the_beginning() -> None:
    dropouts = Dropouts()
    for at, count in enumerate((100, 0, 0, 3)):
        dropouts.look(lost(playback_underruns=count, blocks_dropped="?"), at)
    assert dropouts.in_a_day == 1


# ---- the processor


def test_the_processor_is_measured_over_a_minute() -> None:
    processor = Processor()
    processor.look({"link": 1.0, "sound": 5.0}, 0, 1)
    assert processor.percent is None
    processor.look({"link": 1.1, "sound": 7.9}, 10, 1)
    assert processor.percent == 30
    for at in range(20, 200, 10):
        processor.look({"link": 1.1, "sound": 7.9 + 0.05 * (at - 10)}, at, 1)
    assert processor.percent == 5, "what was more than a minute ago counts no more"


def test_it_stands_still_while_the_gate_is_closed_whatever_is_said_in_the_room() -> None:
    processor = Processor()
    processor.look({"sound": 0.0}, 0, 1)
    processor.look({"sound": 1.0}, 10, 1)
    for at in range(20, 100, 10):
        processor.look({"sound": 1.0 * at}, at, None)
        assert processor.percent == 10
    processor.look({"sound": 500.0}, 100, 2)
    assert processor.percent == 10, "nor does what was taken meanwhile come out afterwards"
    processor.look({"sound": 502.0}, 110, 2)
    assert processor.percent == 20
    processor.look({"sound": 600.0}, 120, 3)
    assert processor.percent == 20, "it was closed between two looks"


@pytest.mark.parametrize("took", [{"sound": 0.1}, {"link": 0.5, "sound": 40.0}])
def test_a_process_that_begins_anew_or_answers_for_the_first_time_is_no_load(took: dict[str, float]) -> None:
    processor = Processor()
    processor.look({"sound": 30.0}, 0, 1)
    processor.look({"sound": 31.0}, 10, 1)
    processor.look(took, 20, 1)
    assert processor.percent == 10
    processor.look({part: seconds + 0.5 for part, seconds in took.items()}, 30, 1)
    assert processor.percent == 5 * len(took)


def test_who_tells_no_time_is_left_out() -> None:
    assert processor_seconds(link={"cpu_s": 1}, sound={}, provision={"cpu_s": "?"}) == {"link": 1.0}
