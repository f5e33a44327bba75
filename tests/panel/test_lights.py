"""Lamps and ring: only changes are sent, dimming on plain lines, a ring that fails and comes back."""

import pytest

from appliance.panel.lights import PERIOD, BackOff, Lights, Ring
from appliance.panel.virtual import VirtualLines
from tests.panel.hand import HandRing


class PlainLines(VirtualLines):
    """Lines of which only SPEAK dims; ``sent`` is what they were sent."""

    dims = frozenset({"speak"})

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[tuple[str, float]] = []
        self.lit = lambda lamp, brightness: self.sent.append((lamp, brightness))


def test_only_changes_are_sent() -> None:
    lines = PlainLines()
    lights = Lights(lines)
    for brightness in (1.0, 1.0, 0.0, 0.0, 1.0):
        lights.light("mic", brightness)
    for brightness in (0.25, 0.25, 0.5):
        lights.light("speak", brightness)
    assert lines.sent == [("mic", 1.0), ("mic", 0.0), ("mic", 1.0), ("speak", 0.25), ("speak", 0.5)]
    assert lights.turn(1.0) is None, "nothing is dimmed, so nobody needs to wake up"


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_a_plain_lamp_is_on_for_its_share_of_the_time(share: float) -> None:
    lines = PlainLines()
    lights = Lights(lines)
    lights.light("room", share)
    assert lines.sent == [], "the first switching waits for its turn"
    now, on, turns = 5.0, 0.0, 0
    while now < 5.0 + 20 * PERIOD - 1e-9:
        due = lights.turn(now + 1e-9)
        assert due is not None
        assert due > now
        on += (due - now) * lines.lamps["room"]
        now, turns = due, turns + 1
    assert on / (20 * PERIOD) == pytest.approx(share, abs=0.01)
    assert turns == pytest.approx(40, abs=2), "it wakes up twice in a period"


def test_a_lamp_that_is_lit_almost_whole_is_not_always_lit() -> None:
    lines = PlainLines()
    lights = Lights(lines)
    lights.light("fault", 0.9999)
    assert lights.turn(3.0) == pytest.approx(3.0 + 0.98 * PERIOD)


def test_lamps_that_are_dimmed_together_go_on_together() -> None:
    lines = PlainLines()
    lights = Lights(lines)
    lights.light("room", 0.3)
    lights.light("fault", 0.6)
    dues = [lights.turn(7.0 + after + 1e-6) for after in (0.0, 0.003, 0.006)]
    assert dues == [pytest.approx(7.003), pytest.approx(7.006), pytest.approx(7.01)]
    assert lines.sent == [("room", 1.0), ("fault", 1.0), ("room", 0.0), ("fault", 0.0)]


def test_a_lamp_that_is_lit_whole_again_is_no_longer_switched() -> None:
    lines = PlainLines()
    lights = Lights(lines)
    lights.light("mic", 0.4)
    lights.turn(1.0 + 0.009)
    assert lines.lamps["mic"] == 0.0
    lights.light("mic", 1.0)
    assert lines.lamps["mic"] == 1.0
    assert lights.turn(2.0) is None


def test_a_lamp_that_is_lit_a_little_is_never_dark_for_good() -> None:
    lines = PlainLines()
    lights = Lights(lines)
    lights.light("fault", 0.0001)
    due = lights.turn(3.0 + 1e-9)
    assert lines.lamps["fault"] == 1.0
    assert due == pytest.approx(3.0 + 0.02 * PERIOD)


def test_waits_grow_to_half_a_minute_and_begin_anew() -> None:
    again = BackOff()
    waits: list[float] = []
    assert again.at is None
    for _ in range(7):
        again.failed(100.0)
        assert again.at is not None
        waits.append(again.at - 100.0)
    assert waits == [1, 2, 4, 8, 16, 30, 30]
    again.worked()
    assert again.at is None
    again.failed(0.0)
    assert again.at == 1.0


def test_the_ring_is_sent_what_has_changed() -> None:
    wire = HandRing()
    ring = Ring(wire)
    ring.find(0.0)
    for colours in (b"a", b"a", b"b", b"a"):
        ring.send(colours, 1.0)
    assert wire.sent == [b"a", b"b", b"a"]
    assert (ring.problem, ring.due, ring.failures) == ("", None, 0)


def test_a_ring_that_fails_is_told_tried_again_and_sent_everything_then() -> None:
    wire = HandRing()
    wire.broken = True
    ring = Ring(wire)
    ring.find(10.0)
    assert "no such bus" in ring.problem
    assert ring.due == 11.0
    ring.send(b"a", 10.5)
    assert ring.failures == 1, "nothing is sent to a bus that is not there"
    wire.broken = False
    ring.find(11.0)
    assert (ring.problem, ring.due) == ("", None)
    ring.send(b"a", 11.0)
    wire.broken = True
    ring.send(b"b", 12.0)
    assert (ring.failures, ring.due) == (2, 13.0)
    wire.broken = False
    ring.find(13.0)
    ring.send(b"a", 13.0)
    assert wire.sent == [b"a", b"a"]
    ring.close(b"dark")
    assert wire.sent[-1] == b"dark"
    assert wire.closed == 1


def test_no_ring_is_no_trouble() -> None:
    ring = Ring(None)
    ring.find(0.0)
    ring.send(b"", 0.0)
    ring.close(b"")
    assert (ring.problem, ring.due) == ("", None)
