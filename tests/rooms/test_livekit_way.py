"""When the way to a LiveKit server counts as dead, by the library's statistics."""

from typing import Any

import pytest

pytest.importorskip("livekit")

from livekit.rtc._proto import stats_pb2

from appliance.rooms.livekit_way import Way


def pair(received: int, *, rtt: float = 0.02, nominated: bool = True, name: str = "one") -> Any:
    stats = stats_pb2.RtcStats()
    stats.candidate_pair.rtc.id = name
    found = stats.candidate_pair.candidate_pair
    found.packets_received, found.current_round_trip_time, found.nominated = received, rtt, nominated
    return stats


def test_what_is_received_is_alive_and_five_seconds_of_nothing_are_not() -> None:
    way = Way()
    assert not way.dead(100), "nothing is known yet"
    for second in range(10):
        way.read([pair(second * 50)], second)
        assert not way.dead(second)
    for second in range(10, 15):
        way.read([pair(450)], second)
        assert way.dead(second) is (second > 14)
    way.read([pair(451)], 15)
    assert not way.dead(15)


def test_answers_to_checks_are_enough_where_nobody_talks() -> None:
    way = Way()
    for second in range(20):
        stats = pair(7)
        stats.candidate_pair.candidate_pair.responses_received = second // 3
        way.read([stats], second)
        assert not way.dead(second)


def test_a_machine_too_busy_to_look_says_nothing_of_the_way() -> None:
    way = Way()
    way.read([pair(1)], 0)
    assert not way.dead(30)
    way.read([pair(1)], 30)
    assert not way.dead(30), "one look is not enough"


def test_another_connection_begins_anew() -> None:
    way = Way()
    for second in range(8):
        way.read([pair(1)], second)
    assert way.dead(7)
    way.renew(7)
    assert not way.dead(7)


def test_what_came_since_is_what_grew_and_not_a_pair_that_was_given_up() -> None:
    way = Way()
    way.read([pair(10, name="old"), pair(0, name="new")], 0)
    assert not way.came_since(-1), "what was before the first reading is not known"
    way.read([pair(0, name="new")], 1)
    assert not way.came_since(0)
    way.read([pair(1, name="new")], 2)
    assert way.came_since(1)
    assert not way.came_since(2)
    way.read([pair(1, name="new"), pair(5, name="third")], 3)
    assert way.came_since(2), "by a way that was not there before"
    assert way.readings == 4


def test_it_tells_round_trip_loss_and_jitter() -> None:
    way = Way()
    assert way.state.rtt_ms is None
    sent, heard = stats_pb2.RtcStats(), stats_pb2.RtcStats()
    sent.remote_inbound_rtp.remote_inbound.fraction_lost = 0.25
    heard.inbound_rtp.received.jitter = 0.004
    way.read([pair(1, rtt=0.5, nominated=False), pair(2, rtt=0.02), sent, heard], 0)
    assert way.state.rtt_ms == pytest.approx(20)
    assert way.state.loss == pytest.approx(0.25)
    assert way.state.jitter_ms == pytest.approx(4)
