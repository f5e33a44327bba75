"""The deck in a time of the test's own: when it wakes, what it sends, and what it does when something fails."""

import threading
import time
from collections.abc import Callable
from itertools import pairwise

import pytest

from appliance.core.controls import Event, MuteControl
from appliance.core.lamps import LAMPS, Lamps, Sign
from appliance.media.exchange_messages import Speaker
from appliance.panel.contacts import Timing
from appliance.panel.deck import Deck
from appliance.panel.layout import Layout
from appliance.panel.lines import CONTACTS, LinesError
from appliance.panel.port import View
from appliance.panel.renderer import Frame, RingState, render
from tests.panel.hand import LIVE, PULSING, HandLines, World
from tests.support import wait_for


@pytest.fixture
def world() -> World:
    made = World()
    made.live()
    return made


def test_at_rest_it_wakes_four_times_a_second_and_sends_nothing(world: World) -> None:
    sent = len(world.ring.sent)
    assert world.run(10.0) <= 41
    assert world.lines.sent == []
    assert len(world.ring.sent) == sent
    assert world.deck.turn(world.now + 0.001) > world.now


def test_a_view_that_shows_the_same_sends_nothing(world: World) -> None:
    sent = len(world.ring.sent)
    for _ in range(20):
        world.deck.show(View(LIVE.lamps))
        world.run(0.1)
    assert world.lines.sent == []
    assert len(world.ring.sent) == sent


def test_at_most_thirty_frames_a_second_are_drawn(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[float] = []

    def counted(ring: RingState, view: View, now: float, layout: Layout) -> tuple[RingState, Frame]:
        drawn.append(now)
        return render(ring, view, now, layout)

    monkeypatch.setattr("appliance.panel.deck.render", counted)
    for n in range(2000):
        world.deck.show(View(LIVE.lamps, (Speaker(n % 8, n % 12, -(n % 60), False),)))
        world.run(0.001)
    assert len(drawn) == pytest.approx(60, abs=1)
    assert all(after - before > 0.033 for before, after in pairwise(drawn))


def test_after_a_rest_a_view_is_drawn_at_once(world: World) -> None:
    world.run(1.0)
    world.deck.show(View(Lamps(Sign.STEADY, Sign.OFF, Sign.OFF, Sign.OFF, 0.0)))
    world.deck.turn(world.now)
    assert world.lines.sent == [("mic", 1.0), ("room", 0.0)]


def test_a_pulse_goes_on_by_itself(world: World) -> None:
    world.deck.show(PULSING)
    world.run(2.0)
    levels = [brightness for lamp, brightness in world.lines.sent if lamp == "room"]
    assert len(levels) > 20
    assert min(levels) < 0.2
    assert max(levels) > 0.9
    world.deck.show(LIVE)
    assert world.run(10.0) <= 45


def test_a_lamp_on_a_plain_line_is_switched_quickly_while_it_is_lit_partly() -> None:
    world = World(HandLines(frozenset({"speak"})))
    world.live()
    world.deck.show(PULSING)
    assert world.run(1.0) > 150
    assert {brightness for lamp, brightness in world.lines.sent if lamp == "room"} == {0.0, 1.0}
    world.deck.show(LIVE)
    world.run(0.1)
    assert world.run(10.0) <= 41
    world.deck.show(PULSING)
    world.run(0.1)
    world.lines.broken = LinesError("the chip is gone")
    world.run(0.3)
    assert world.run(0.5) < 30, "what cannot be lit is not switched"


def test_a_press_is_dealt_with_on_the_thread_of_the_lines(world: World) -> None:
    world.lines.down.add("mute")
    world.lines.edge("mute", True)
    assert not world.gate.is_open
    assert world.lines.sent == [("mic", 1.0)]
    assert world.told == [Event.SWITCH_CLOSED]


def test_mic_that_the_press_has_lit_goes_out_again_when_the_gate_is_open_again(world: World) -> None:
    world.lines.edge("mute", True)
    world.lines.edge("mute", False)
    world.run(0.3)
    assert world.told == [Event.SWITCH_CLOSED, Event.SWITCH_FOUND_OPEN]
    world.gate.decided()
    world.gate.open()
    world.deck.show(View(LIVE.lamps))
    world.run(0.1)
    assert world.lines.sent == [("mic", 1.0), ("mic", 0.0)]
    assert world.deck.shown.mic is Sign.OFF


def test_a_gate_that_something_else_closed_is_shown(world: World) -> None:
    world.gate.close()
    assert world.deck.shown.mic is Sign.STEADY
    world.deck.show(View(LIVE.lamps, hands=1))
    world.run(0.1)
    assert ("mic", 1.0) in world.lines.sent


def test_mic_blinks_over_a_gate_that_a_fault_has_closed(world: World) -> None:
    world.gate.close()
    world.deck.show(View(Lamps(Sign.FAST, Sign.STEADY, Sign.OFF, Sign.OFF, 0.0)))
    world.run(2.0)
    assert [brightness for lamp, brightness in world.lines.sent if lamp == "mic"][:4] == [1.0, 0.0, 1.0, 0.0]


def test_it_is_at_rest_when_no_contact_moves(world: World) -> None:
    assert world.deck.at_rest
    world.lines.down.add("knock")
    world.lines.edge("knock", True)
    assert not world.deck.at_rest
    world.run(0.1)
    assert world.deck.at_rest


def test_every_level_is_read_four_times_a_second(world: World) -> None:
    reads = world.lines.reads
    world.run(2.0)
    assert (world.lines.reads - reads) / len(CONTACTS) == pytest.approx(8, abs=1)


def test_a_lost_edge_closes_within_a_quarter_of_a_second(world: World) -> None:
    world.lines.down.add("mute")
    world.run(0.25)
    assert world.told == [Event.SWITCH_CLOSED]
    assert not world.gate.is_open
    assert world.deck.counts["panel_edges_lost"] == 1


def test_where_the_switch_stands_is_read_before_anything_else() -> None:
    world = World()
    world.lines.down.add("mute")
    world.attach()
    assert world.told == [Event.PANEL_FOUND, Event.SWITCH_FOUND_CLOSED]
    world.deck.turn(world.now)
    assert world.lines.reads == len(CONTACTS), "and not again before a quarter of a second has passed"


def test_lines_that_go_while_they_are_read_are_let_go_and_tried_again() -> None:
    world = World()
    level, world.lines.level = world.lines.level, _gone  # type: ignore[method-assign, assignment]
    world.attach()
    assert (world.lines.opened, world.lines.closed, world.told) == (1, 1, [])
    world.lines.level = level  # type: ignore[method-assign]
    world.run(1.0)
    assert world.told == [Event.PANEL_FOUND, Event.SWITCH_FOUND_OPEN]


def _gone(_contact: str) -> bool:
    raise LinesError("the chip is gone")


def test_lines_that_are_lost_are_not_tried_more_often_because_there_is_something_to_show(world: World) -> None:
    world.lines.broken = LinesError("the chip is gone")
    for n in range(100):
        world.deck.show(View(LIVE.lamps, hands=n))
        world.run(0.01)
    assert world.lines.tries == 1, "only at the start"
    world.run(1.0)
    assert world.lines.tries == 2


def test_lines_that_cannot_be_had_are_told_and_tried_again_ever_more_rarely() -> None:
    world = World()
    world.lines.broken = LinesError("MUTE (GPIO 17) cannot be had")
    world.attach()
    assert world.deck.problem == "MUTE (GPIO 17) cannot be had"
    assert world.run(60.0) < 20
    assert world.told == [], "what was never had cannot be lost"
    world.lines.broken = None
    world.run(30.0)
    assert world.told == [Event.PANEL_FOUND, Event.SWITCH_FOUND_OPEN]
    assert world.deck.problem == ""
    assert world.deck.counts["panel_losses"] == 0


def test_the_ring_shows_what_is_known_without_lines() -> None:
    world = World()
    assert world.deck.problem == ""
    world.lines.broken = LinesError("there is no chip")
    world.attach()
    world.run(0.1)
    assert len(world.ring.sent) == 1


def test_lines_that_are_lost_close_the_gate_and_come_back(world: World) -> None:
    world.lines.broken = LinesError("the chip is gone")
    world.run(0.3)
    assert world.told == [Event.PANEL_LOST]
    assert not world.gate.is_open
    assert world.lines.closed == 1
    assert world.deck.problem == "the chip is gone"
    assert not world.deck.at_rest
    world.lines.edge("mute", True)
    assert world.told == [Event.PANEL_LOST], "what a lost line says is not believed"
    world.run(5.0)
    assert world.deck.counts["panel_losses"] == 1
    world.lines.broken = None
    world.lines.down.add("mute")
    world.run(10.0)
    assert world.told[1:] == [Event.PANEL_FOUND, Event.SWITCH_FOUND_CLOSED]
    world.lines.sent.clear()
    world.deck.show(View(LIVE.lamps, hands=1))
    world.run(0.1)
    assert ("mic", 1.0) not in world.lines.sent, "MIC was lit before, and stays so"


def test_after_they_were_lost_every_lamp_is_sent_anew(world: World) -> None:
    world.lines.broken = LinesError("the chip is gone")
    world.run(0.3)
    world.lines.broken = None
    world.run(3.0)
    assert [lamp for lamp, _ in world.lines.sent] == list(LAMPS)


def test_a_lamp_that_fails_while_a_hand_mutes_does_not_keep_the_gate_open(world: World) -> None:
    world.lines.dark = LinesError("the chip is gone")
    world.lines.down.add("mute")
    world.lines.edge("mute", True)
    assert not world.gate.is_open
    assert world.told == [Event.SWITCH_CLOSED]
    world.deck.turn(world.now)
    assert world.told == [Event.SWITCH_CLOSED, Event.PANEL_LOST]


def test_every_closing_is_followed_by_its_event_before_the_next(world: World) -> None:
    world.log.clear()
    world.lines.edge("mute", True)
    world.lines.broken = LinesError("the chip is gone")
    world.run(0.3)
    assert world.log == ["close", Event.SWITCH_CLOSED, "close", Event.PANEL_LOST]


def test_a_reader_that_ended_because_the_lines_are_gone_is_noticed_at_once(world: World) -> None:
    world.lines.failed(LinesError("the chip is gone"))
    world.lines.failed(LinesError("the chip is gone"))
    world.deck.turn(world.now)
    world.deck.turn(world.now)
    assert world.told == [Event.PANEL_LOST], "they are lost once"
    world.run(2.0)
    assert world.told[1:] == [Event.PANEL_FOUND, Event.SWITCH_FOUND_OPEN]


def test_an_error_of_ours_ends_the_panel(world: World) -> None:
    world.lines.failed(ZeroDivisionError("of ours"))
    with pytest.raises(ZeroDivisionError):
        world.deck.turn(world.now)


def test_an_error_of_ours_in_an_edge_ends_the_panel_and_not_the_reader(world: World) -> None:
    world.lines.edge("siren", True)
    with pytest.raises(KeyError):
        world.deck.turn(world.now)


def test_a_ring_that_fails_only_makes_the_panel_less_than_it_should_be(world: World) -> None:
    world.ring.broken = True
    world.deck.show(View(LIVE.lamps, (Speaker(0, 0, -10, False),)))
    world.run(0.5)
    assert world.gate.is_open
    assert world.told == []
    assert "no such bus" in world.deck.problem
    assert world.deck.counts["panel_ring_failures"] == 1
    world.ring.broken = False
    world.run(1.0)
    assert world.deck.problem == ""
    assert world.ring.opened == 2
    assert len(set(world.ring.sent[-1])) > 2, "what it has to show now is sent to it anew"


def test_a_ring_that_is_not_there_is_no_reason_to_wake_up_often() -> None:
    world = World()
    world.ring.broken = True
    world.live()
    assert world.run(100.0) < 410
    assert world.deck.problem


def test_a_panel_that_was_never_started_can_be_stopped() -> None:
    World().deck.stop()


class Sleeper(Deck):
    """A deck whose looks are counted, and come ``rest`` seconds apart."""

    looks, rest = 0, 1000.0

    def turn(self, now: float) -> float:
        self.looks += 1
        return now + self.rest


def test_its_thread_looks_when_there_is_something_and_sleeps_until_then() -> None:
    lines = HandLines()
    deck = Sleeper(lines, MuteControl.LATCHING, Timing(0.02, 1.0, 0.2), push_to_talk=False, layout=Layout(pixels=0))
    deck.start(World().hands)
    (thread,) = (thread for thread in threading.enumerate() if thread.name == "panel")
    assert thread.daemon, "a panel that hangs does not hold up the end"
    wait_for(lambda: deck.looks == 1)
    assert deck.ended.running(), "whoever waits for it and gives up does not cancel it"
    wakes: list[Callable[[], None]] = [
        lambda: deck.show(LIVE),
        lambda: lines.edge("knock", True),
        lambda: lines.failed(LinesError("gone")),
    ]
    for looks, wake in enumerate(wakes, start=2):
        wake()
        wait_for(lambda looks=looks: deck.looks == looks)  # type: ignore[misc]
        time.sleep(0.02)
        assert deck.looks == looks, "and then it sleeps again"
    deck.rest = 0.01
    deck.show(LIVE)
    wait_for(lambda: deck.looks > 10)
    deck.rest = 1000.0
    time.sleep(0.05)
    deck.stop()
    assert not thread.is_alive()
    assert deck.ended.result(0) is None


def test_at_the_end_all_is_let_go() -> None:
    world = World()
    world.deck.start(world.hands)
    world.deck.stop()
    assert world.deck.ended.result(1) is None
    assert world.lines.closed == 1
    assert set(world.ring.sent[-1]) == {0xE0, 0}, "the ring is dark"
    assert world.ring.closed == 1
    world.told.clear()
    world.lines.edge("mute", True)
    assert world.told == [], "what comes after the end is nobody's"


def test_an_error_of_ours_closes_the_gate_at_once() -> None:
    world = World()
    world.deck.start(world.hands)
    assert world.gate.open()
    world.told.clear()
    world.lines.failed(ZeroDivisionError("of ours"))
    assert isinstance(world.deck.ended.exception(5), ZeroDivisionError)
    assert not world.gate.is_open
    assert world.told == [Event.PANEL_LOST]
    assert (world.lines.closed, world.ring.closed) == (1, 1)
    world.deck.stop()


def mic(world: World) -> float:
    """How MIC is lit at its wire."""
    return [brightness for lamp, brightness in world.lines.sent if lamp == "mic"][-1]


def test_mic_follows_a_gate_of_which_no_view_tells(world: World) -> None:
    """The card was lost and found while the loop was late: it shows nothing new, and MIC must show the gate all the same."""
    world.gate.close()
    world.run(0.3)
    assert mic(world) == 1.0
    world.deck.show(View(LIVE.lamps, (Speaker(1, 2, -20, False),)))
    world.run(2.0)
    assert mic(world) == 1.0
    assert world.gate.open()
    world.run(0.3)
    assert mic(world) == 0.0


def test_mic_goes_out_when_a_hand_has_lit_it_over_a_gate_that_stays_open(world: World) -> None:
    world.lines.edge("mute", True)
    world.gate.decided()
    assert world.gate.open()
    assert mic(world) == 1.0
    world.run(0.3)
    assert mic(world) == 0.0
