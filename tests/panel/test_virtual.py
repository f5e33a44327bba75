"""The virtual panel obeys the rules of the real one."""

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from appliance.core.controls import Event, MuteControl
from appliance.core.lamps import Lamps, Sign
from appliance.panel.deck import DARK
from appliance.panel.none import NoPanel
from appliance.panel.port import Hands, View
from appliance.panel.virtual import VirtualPanel
from tests.support import wait_for

OPEN = Lamps(Sign.OFF, Sign.STEADY, Sign.OFF, Sign.OFF, 0.0)


class Room:
    """What the panel's thread did, in order."""

    def __init__(self, is_open: bool = True) -> None:
        self.is_open = is_open
        self.told: list[object] = []
        self.threads: set[str] = set()
        self.hands = Hands(
            self._close,
            self._post,
            lambda: self._post("knock"),
            lambda: self._post("hand"),
            self._post,
            lambda: self.is_open,
        )

    def _close(self) -> bool:
        self.threads.add(threading.current_thread().name)
        was, self.is_open = self.is_open, False
        if was:
            self.told.append("gate")
        return was

    def _post(self, event: object) -> None:
        self.told.append(event)


@pytest.fixture
def started() -> Iterator[Callable[..., tuple[VirtualPanel, Room]]]:
    panels: list[VirtualPanel] = []

    def start(kind: MuteControl, is_open: bool = True, lever: Path | None = None) -> tuple[VirtualPanel, Room]:
        panel, room = VirtualPanel(kind, 0.005, 0.05, lever), Room(is_open)
        panel.lines.lit = lambda lamp, brightness: room.told.append((lamp, brightness)) if lamp == "mic" else None
        panel.start(room.hands)
        panels.append(panel)
        return panel, room

    yield start
    for panel in panels:
        panel.stop()
        assert panel.ended.result(1) is None


def test_starts_dark_and_tells_what_it_found(started: Callable[..., tuple[VirtualPanel, Room]]) -> None:
    panel, room = started(MuteControl.LATCHING)
    assert room.told[:2] == [Event.PANEL_FOUND, Event.SWITCH_FOUND_OPEN]
    assert panel.shown == DARK
    _, button = started(MuteControl.MOMENTARY)
    assert [told for told in button.told if isinstance(told, Event)] == [Event.PANEL_FOUND]


def test_gate_first_lamp_next_and_on_the_panels_thread(started: Callable[..., tuple[VirtualPanel, Room]]) -> None:
    panel, room = started(MuteControl.LATCHING)
    panel.show(View(OPEN))
    wait_for(lambda: panel.lines.lamps["mic"] == 0.0)
    room.told.clear()
    panel.move("mute", True)
    wait_for(lambda: len(room.told) == 3)
    assert room.told == ["gate", ("mic", 1.0), Event.SWITCH_CLOSED]
    assert room.threads == {"panel-lines"}
    assert panel.switched_to_mute


def test_switch_keeps_its_position_while_the_power_is_off(
    started: Callable[..., tuple[VirtualPanel, Room]], tmp_path: Path
) -> None:
    lever = tmp_path / "lever"
    panel, room = started(MuteControl.LATCHING, lever=lever)
    panel.move("mute", True)
    wait_for(lambda: panel.switched_to_mute and lever.exists())
    panel, room = started(MuteControl.LATCHING, lever=lever)
    assert room.told[:2] == [Event.PANEL_FOUND, Event.SWITCH_FOUND_CLOSED]
    panel.move("mute", False)
    wait_for(lambda: Event.SWITCH_OPENED in room.told)
    _, room = started(MuteControl.LATCHING, lever=lever)
    assert room.told[1] is Event.SWITCH_FOUND_OPEN


def test_a_position_that_cannot_be_kept_reads_as_muted_and_ends_nothing(
    started: Callable[..., tuple[VirtualPanel, Room]], tmp_path: Path
) -> None:
    lever = tmp_path / "gone" / "lever"
    panel, room = started(MuteControl.LATCHING, lever=lever)
    panel.move("mute", True)
    wait_for(lambda: Event.SWITCH_CLOSED in room.told)
    time.sleep(0.05)
    panel.move("mute", False)
    wait_for(lambda: Event.SWITCH_OPENED in room.told)
    assert not panel.ended.done()
    lever.parent.mkdir()
    lever.write_text("")  # the power went while it was written
    _, room = started(MuteControl.LATCHING, lever=lever)
    assert room.told[1] is Event.SWITCH_FOUND_CLOSED


def test_button_is_pressed_and_let_go(started: Callable[..., tuple[VirtualPanel, Room]]) -> None:
    panel, room = started(MuteControl.MOMENTARY, is_open=True)
    panel.press("mute")
    wait_for(lambda: Event.PRESS_WHILE_OPEN in room.told)
    time.sleep(0.1)
    panel.press("mute")
    wait_for(lambda: Event.PRESS_WHILE_CLOSED in room.told)
    assert room.told.count(Event.PRESS_WHILE_OPEN) == room.told.count(Event.PRESS_WHILE_CLOSED) == 1


def test_door_wants_to_be_held_and_knock_does_not(started: Callable[..., tuple[VirtualPanel, Room]]) -> None:
    panel, room = started(MuteControl.LATCHING)
    panel.move("door", True)
    panel.move("door", False)
    panel.press("knock")
    wait_for(lambda: "knock" in room.told)
    time.sleep(0.1)
    assert Event.DOOR_PRESSED not in room.told
    panel.press("door")
    wait_for(lambda: Event.DOOR_PRESSED in room.told)


def test_foreign_contact_is_refused(started: Callable[..., tuple[VirtualPanel, Room]]) -> None:
    panel, _ = started(MuteControl.LATCHING)
    with pytest.raises(ValueError, match="allowed are mute, room, talk"):
        panel.move("siren", True)
    with pytest.raises(ValueError, match="siren"):
        panel.press("siren")


def test_a_thread_that_breaks_is_seen(started: Callable[..., tuple[VirtualPanel, Room]]) -> None:
    panel = VirtualPanel(MuteControl.LATCHING)

    def broken() -> bool:
        raise RuntimeError("no gate")

    panel.start(Hands(broken, lambda event: None, lambda: None))
    panel.move("mute", True)
    assert isinstance(panel.ended.exception(2), RuntimeError)
    assert panel.lines.lamps == {"mic": 1.0, "fault": 1.0}
    panel.stop()


@pytest.mark.parametrize("broken", ["", "somebody pulled the plug"])
def test_its_thread_is_seen_to_live_also_while_the_lines_are_away(
    started: Callable[..., tuple[VirtualPanel, Room]], broken: str
) -> None:
    """The watchdog is fed only while it turns (docs/service.md)."""
    panel, _ = started(MuteControl.LATCHING)
    panel.lines.broken = broken
    wait_for(lambda: bool(panel.problem) is bool(broken))
    before, began = panel.turns, time.monotonic()
    wait_for(lambda: panel.turns >= before + 8)
    assert time.monotonic() - began < 5, "at least twice a second, and it does four times"


def test_a_panel_that_is_not_there_has_no_thread_that_could_be_missed() -> None:
    assert NoPanel().turns is None
