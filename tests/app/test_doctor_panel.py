"""The doctor's walk through a panel, with somebody who presses and looks, and without."""

import re
from collections.abc import Callable
from itertools import repeat
from pathlib import Path
from typing import Any

import pytest

from appliance.app import doctor_panel
from appliance.app.checklist import TIERS, Kind, installed
from appliance.app.doctor_findings import Finding
from appliance.app.doctor_panel import Gone, examine
from appliance.app.process import NotAllowed
from appliance.health.status import StatusServer
from appliance.panel.lines import LinesError
from tests.app.bench import GPIO, HELP, Panel, World, make
from tests.app.parts import settings

WIRED = {"bias": "pull-up", "expect": "low"}


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_what_the_contacts_read_and_which_button_is_stuck(world: World) -> None:
    world.panel.down["mute"] = world.panel.down["talk"] = True
    found = world.walk()
    assert "lines of a test: MUTE low, ROOM high, TALK low" in found["contacts"].says
    assert found["at-rest"].says == "Pressed, and nobody should: TALK."
    assert world.examination.levels["volume_up"] == "high"
    world.panel.down["talk"] = False
    assert "at-rest" not in world.walk(), "a switch may be at either side"
    assert (world.panel.opened, world.panel.closed) == (2, 2)


def test_levels_are_electrical(tmp_path: Path) -> None:
    world = World(tmp_path, GPIO + 'mute_level = "high"\n')
    assert world.walk()["contacts"].says.count("low") == 1, "open at the other level"
    assert world.one(kind=Kind.LEVEL, line="mute", expect="low").state == "good"


def test_a_button_that_mutes_has_to_be_at_rest_too(tmp_path: Path) -> None:
    world = World(tmp_path, GPIO + 'mute = "momentary"\n')
    world.panel.down["mute"] = True
    assert "MUTE" in world.walk()["at-rest"].says
    assert world.one(kind=Kind.LEVEL, line="mute", expect="low", switch="muted").state == "skipped"
    assert world.one(kind=Kind.LEVEL, line="mute", expect="low").state == "good"


def test_a_level_that_a_hand_makes(world: World) -> None:
    world.does(Put_the_mute_switch_to_MUTED=lambda: world.panel.after(5, lambda: world.panel.put("mute", True)))
    muted = make(kind=Kind.LEVEL, line="mute", expect="low", switch="muted")
    found = world.walk(muted, make(id="still", kind=Kind.LEVEL, line="mute", expect="low", switch="muted"))
    assert (found["it"].state, found["it"].says) == ("good", "MUTE is low.")
    assert found["still"].state == "good"
    assert world.person is not None and world.person.told == ["Put the mute switch to MUTED."], "not said twice"


def test_a_level_that_does_not_come_is_tried_again_if_one_likes(world: World) -> None:
    finding = world.one(kind=Kind.LEVEL, line="mute", expect="low", ask="Pull the plug.")
    assert (finding.state, finding.way_out) == ("bad", HELP)
    assert finding.says == "MUTE is high, and should be low."
    assert world.person is not None
    assert world.person.told == ["Pull the plug.", f"{finding.says} {HELP}"]
    assert world.person.asked == ["Try it again?"]
    assert world.panel.now >= 60


def test_a_second_try(world: World) -> None:
    question = "Is it lit?"
    assert world.person is not None
    world.person.says_no, world.person.tries_again = [question], True
    assert world.one(kind=Kind.QUESTION, question=question).state == "good"


def test_a_press(world: World) -> None:
    world.does(Press_ROOM=lambda: world.panel.press("room"))
    finding = world.one(kind=Kind.PRESS, line="room", seconds=20)
    assert (finding.state, finding.says) == ("good", "ROOM works; it chatters for 0 ms.")


def test_a_press_that_was_over_between_two_looks(world: World) -> None:
    world.does(Press_ROOM=lambda: world.panel.press("room", 0.0))
    assert world.one(kind=Kind.PRESS, line="room", seconds=20).state == "good"


def test_no_press(world: World) -> None:
    finding = world.one(kind=Kind.PRESS, line="room", seconds=20)
    assert (finding.state, finding.says) == ("bad", "ROOM was not pressed, or does not reach its pin.")
    assert 20 <= world.panel.now < 21


def test_what_a_contact_did_before_does_not_count(world: World) -> None:
    def chatters() -> None:
        for at in range(20):
            world.panel.after(1 + at * 0.01, lambda at=at: world.panel.put("room", at % 2 == 0))  # type: ignore[misc]

    world.does(First=chatters, Second=lambda: world.panel.press("room"))
    steps = [make(id=name, kind=Kind.PRESS, line="room", seconds=20, ask=name) for name in ("First", "Second")]
    found = world.walk(*steps)
    assert (found["First"].state, found["Second"].state) == ("warning", "good")
    assert world.person is not None and world.person.told == ["First", "Second"], "each is said once"


def test_what_a_question_asks_for_is_said_before_it(world: World) -> None:
    assert world.person is not None
    assert world.one(kind=Kind.QUESTION, question="Is it lit?").state == "good"
    assert world.person.told == []
    assert world.one(kind=Kind.QUESTION, question="Is it lit?", ask="Join them.").state == "good"
    assert world.person.told == ["Join them."]


def test_a_button_that_sticks(world: World) -> None:
    world.does(Press_ROOM=lambda: world.panel.press("room", 100))
    assert world.one(kind=Kind.PRESS, line="room", seconds=20).says == "ROOM did not come back."


def test_a_chip_that_tells_no_edge(world: World) -> None:
    world.does(Press_ROOM=lambda: world.panel.press("room", told=False))
    finding = world.one(kind=Kind.PRESS, line="room", seconds=20)
    assert (finding.state, finding.says) == ("bad", "ROOM has moved, and no edge was told.")


@pytest.mark.parametrize(("chatter", "state"), [(0.02, "good"), (0.06, "warning")])
def test_a_contact_that_chatters(world: World, chatter: float, state: str) -> None:
    def chatters() -> None:
        for at in range(round(chatter / 0.01) + 1):
            world.panel.after(1 + at * 0.01, lambda at=at: world.panel.put("room", at % 2 == 0))  # type: ignore[misc]
        world.panel.after(2, lambda: world.panel.put("room", False))

    world.does(Press_ROOM=chatters)
    finding = world.one(kind=Kind.PRESS, line="room", seconds=20)
    assert finding.state == state
    told = re.search(r"chatters for (\d+) ms", finding.says)
    assert told and int(told[1]) == pytest.approx(chatter * 1000, abs=5), "it looks every 5 ms"


@pytest.mark.parametrize(
    ("held", "state", "says"),
    [
        (5.0, "good", "TALK was held for 3 s."),
        (2.0, "bad", "TALK came back within 3 s: let go too early, or a loose contact."),
        (100.0, "bad", "TALK did not come back."),
    ],
)
def test_holding(world: World, held: float, state: str, says: str) -> None:
    world.does(Press_TALK=lambda: world.panel.press("talk", held))
    finding = world.one(kind=Kind.HOLD, line="talk", seconds=3)
    assert (finding.state, finding.says) == (state, says)


def test_a_key_that_nobody_holds(world: World) -> None:
    assert "was not pressed" in world.one(kind=Kind.HOLD, line="talk", seconds=3).says


@pytest.mark.parametrize(
    ("line", "at_rest"), [("mic_lamp", 1.0), ("fault_lamp", 1.0), ("room_lamp", 0), ("speak_lamp", 0)]
)
def test_a_lamp_goes_on_and_off_and_is_left_as_it_was(world: World, line: str, at_rest: float) -> None:
    finding = world.one(kind=Kind.LAMP, line=line, question="Did it go on and off?")
    assert (finding.state, finding.says) == ("good", "Did it go on and off? Yes.")
    lamp = line.removesuffix("_lamp")
    assert world.panel.flashes == [(lamp, on) for on in (1.0, 0.0, 1.0, 0.0, at_rest)]
    assert world.panel.now >= 2, "slowly enough to be seen"


def test_a_lamp_that_nobody_sees(world: World) -> None:
    assert world.person is not None
    world.person.says_no = ["Did it?"]
    finding = world.one(kind=Kind.LAMP, line="room_lamp", question="Did it?")
    assert (finding.state, finding.says, finding.way_out) == ("bad", "Did it? No.", HELP)


def test_a_light_runs_once_over_the_pixels(world: World) -> None:
    assert world.one(kind=Kind.PIXELS, question="Did it?").state == "good"
    lit = [[at for at in range(12) if frame[4 * at + 1]] for frame in world.panel.colours]
    assert lit == [[at] for at in range(12)] + [[]]
    assert {len(frame) for frame in world.panel.colours} == {48}
    assert not world.panel.pixels_are_open


@pytest.mark.parametrize(
    ("more", "order"),
    [
        ("pixel_first = 3", [3, 4, 5, 0, 1, 2]),
        ('pixel_direction = "counterclockwise"', [0, 5, 4, 3, 2, 1]),
        ('pixel_layout = "row"\npixel_direction = "counterclockwise"', [5, 4, 3, 2, 1, 0]),
    ],
)
def test_it_runs_as_the_settings_say_that_they_stand(tmp_path: Path, more: str, order: list[int]) -> None:
    world = World(tmp_path, f'[panel]\nkind = "gpio"\npixels = 6\n{more}\n')
    assert world.one(kind=Kind.PIXELS, question="Did it?").state == "good"
    assert [frame.index(b"\xff") // 4 for frame in world.panel.colours[:-1]] == order


def test_pixels_that_take_nothing(world: World) -> None:
    world.panel.spi_fails = True
    assert world.one(kind=Kind.PIXELS, question="Did it?").says == "The pixels take nothing: no such bus."


def test_pixels_that_nobody_gave(world: World) -> None:
    world.pixels = None
    assert world.one(kind=Kind.PIXELS, question="Did it?").says == "The pixels take nothing: there are none."


@pytest.mark.parametrize(("volts", "state"), [(3.0, "good"), (3.35, "good"), (2.99, "bad"), (5.0, "bad")])
def test_a_voltage(world: World, volts: float, state: str) -> None:
    assert world.person is not None
    world.person.volts = repeat(volts)
    finding = world.one(kind=Kind.MEASURE, point="TP202", volts=(3.0, 3.35))
    assert (finding.state, finding.says) == (state, f"TP202 has {volts:g} V; 3 to 3.35 V are right.")
    assert world.person.asked[0] == "Volts at TP202 against ground?"


def test_the_wire_of_a_lamp_is_read_before_its_line_is_claimed(world: World) -> None:
    def wire(line: str, bias: str) -> bool:
        assert not world.panel.opened
        assert bias == "pull-up"
        if line == "fault_lamp":
            raise LinesError("the LED driver has it")
        return line == "room_lamp"

    world.wire = wire
    steps = [
        make(id=line, kind=Kind.WIRE, line=line, bias="pull-up", expect="low")
        for line in ("mic_lamp", "room_lamp", "fault_lamp")
    ]
    world.person = None
    found = world.walk(*steps)
    assert found["mic_lamp"].says == "MIC is low with a pull-up."
    assert (found["room_lamp"].state, found["room_lamp"].way_out) == ("bad", HELP)
    assert (found["fault_lamp"].state, found["fault_lamp"].says) == ("skipped", "The LED driver has it.")
    world.wire = None
    assert world.walk(steps[0])["mic_lamp"].state == "skipped"


@pytest.mark.parametrize(("optional", "state"), [(False, "bad"), (True, "skipped")])
def test_what_the_settings_say_is_not_there(tmp_path: Path, optional: bool, state: str) -> None:
    world = World(tmp_path, '[panel]\nkind = "gpio"\nknock_pin = 0\n')
    finding = world.one(kind=Kind.PRESS, line="knock", seconds=1, optional=optional)
    assert (finding.state, finding.says) == (state, "There is none: [panel] knock_pin = 0.")
    assert bool(finding.way_out) is not optional
    finding = world.one(kind=Kind.PIXELS, question="Did it?", optional=optional)
    assert (finding.state, finding.says) == (state, "There is none: [panel] pixels = 0.")
    assert world.one(kind=Kind.QUESTION, question="Is it?").state == "good", "it is not about them"


def test_the_installed_checklist_with_nobody_there(world: World) -> None:
    world.person, world.panel.down["mute"] = None, True
    world.wire = lambda _line, _bias: False
    for tier in TIERS:
        found = world.walk(*(step for step in installed() if tier in step.tiers))
        assert {finding.state for finding in found.values()} == {"good", "skipped"}
        good = {name for name, finding in found.items() if finding.state == "good"}
        assert good >= {"contacts", "muted-reads-muted", "mic-lamp-wire", "left-muted"}
        assert "live-reads-live" not in good
        assert world.panel.flashes == [], "nobody looks"


def test_the_installed_checklist_with_somebody_who_does_all_of_it(world: World) -> None:
    panel = world.panel
    world.wire = lambda _line, _bias: False

    def put(down: bool) -> Callable[[], None]:
        return lambda: panel.after(1, lambda: panel.put("mute", down))

    world.does(
        to_MUTED=put(True),
        to_LIVE=put(False),
        Join_TP201=put(False),
        between_TP201_and_TP202_away=put(True),
        Pull_the_plug=put(True),
        Plug_it_in=put(False),
        Press_ROOM=lambda: panel.press("room"),
        Press_VOLUME_plus=lambda: panel.press("volume_up"),
        Press_TALK_and_let=lambda: panel.press("talk"),
        Press_TALK_and_hold=lambda: panel.press("talk", 4),
        Press_KNOCK=lambda: panel.press("knock"),
    )
    assert world.person is not None
    world.person.does |= {
        "VOLUME +": lambda: panel.press("volume_up"),
        "VOLUME -": lambda: panel.press("volume_down"),
    }
    for tier in TIERS:
        steps = [step for step in installed() if tier in step.tiers]
        world.person.volts = iter([step.volts[0] for step in steps if step.kind is Kind.MEASURE])
        found = world.walk(*steps)
        assert {name: finding.says for name, finding in found.items() if finding.state != "good"} == {}
        assert len(found) == len(steps) + 1
        assert panel.down["mute"], "it is left muted"


def test_nobody_there_to_move_the_switch(world: World) -> None:
    world.person, world.panel.down["mute"] = None, True
    finding = world.one(kind=Kind.LEVEL, line="mute", expect="high", switch="live")
    assert (finding.state, finding.says) == ("skipped", "Nobody is here to put the mute switch to LIVE.")
    assert world.one(kind=Kind.LEVEL, line="room", expect="high").state == "good", "it needs no switch"
    assert world.one(kind=Kind.LEVEL, line="room", expect="low").state == "skipped"


def test_lines_that_somebody_else_has(world: World) -> None:
    world.panel.refuses = "GPIO 17 is claimed by kontor-sound"
    found = world.walk(make(kind=Kind.QUESTION, question="Is it?"))
    assert list(found) == ["lines"]
    assert (found["lines"].state, found["lines"].says) == ("bad", "GPIO 17 is claimed by kontor-sound.")


def test_lines_that_are_lost_meanwhile(world: World) -> None:
    world.does(Press_ROOM=lambda: world.panel.after(1, lambda: world.panel.failed(OSError("the chip is gone"))))
    found = world.walk(
        make(kind=Kind.PRESS, line="room", seconds=20), make(id="other", kind=Kind.QUESTION, question="Is it?")
    )
    assert found["lines"].says == "The chip is gone."
    assert "other" not in found
    assert world.panel.closed == 1


@pytest.mark.parametrize("end", [Gone, KeyboardInterrupt])
def test_whoever_was_asked_goes_away(world: World, end: type[BaseException]) -> None:
    assert world.person is not None
    world.person.goes, world.wire = end, lambda _line, _bias: True
    for kind in ({"kind": Kind.QUESTION, "question": "Is it?"}, {"kind": Kind.WIRE, "line": "mic_lamp", **WIRED}):
        found = world.walk(make(**kind), make(id="left", kind=Kind.QUESTION, question="Is it?"))
        assert found["person"].state == "bad", "a script must not take it for a pass"
        assert "left" not in found
    assert world.panel.closed == 2


def found_by_settings(folder: Path, more: str = "", tier: str = "a") -> tuple[list[Finding], Any]:
    found: list[Finding] = []
    figures = examine(settings(folder, more), tier, None, found.append)
    return found, figures


@pytest.mark.parametrize("kind", ["none", "virtual"])
def test_no_panel_on_lines(tmp_path: Path, kind: str) -> None:
    with pytest.raises(NotAllowed, match=f'kind is "{kind}". Set it to "gpio"'):
        found_by_settings(tmp_path, f'[panel]\nkind = "{kind}"\n')


async def test_it_is_refused_while_sound_runs(short_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import asyncio

    async def status(_request: object) -> dict[str, object]:
        return {"gate": "closed"}

    monkeypatch.setattr(doctor_panel, "panel_lines", lambda _settings: pytest.fail("it has the lines"))
    server = StatusServer(short_dir / "sound.status", {"status": status})
    await server.start()
    try:
        found, _ = await asyncio.to_thread(found_by_settings, short_dir, GPIO)
    finally:
        await server.stop()
    assert [(finding.state, finding.says) for finding in found] == [("bad", "kontor sound runs, and has the lines.")]


def test_the_panel_of_the_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    panel = Panel()
    panel.down["mute"] = True
    monkeypatch.setattr(doctor_panel, "panel_lines", lambda _settings: (panel, None))
    found, figures = found_by_settings(tmp_path, GPIO, "b")
    assert figures["tier"] == "b"
    assert figures["levels"]["mute"] == "low"
    assert {finding.check for finding in found} >= {"contacts", "live-supply", "left-muted"}
    assert "live-supply-usb" not in {finding.check for finding in found}
    wire = next(finding for finding in found if finding.check == "mic-lamp-wire")
    assert "of their own" not in wire.says, "it is tried on this machine"
