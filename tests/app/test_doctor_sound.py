"""What the doctor says of sound cards in rooms that are known, good ones and broken ones."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from appliance.app.doctor_findings import Finding
from appliance.app.doctor_listen import Listening, Plan
from appliance.app.doctor_sound import Examination
from appliance.app.doctor_sound_findings import judge
from appliance.app.quiet import QuietMemory
from appliance.audio import inventory
from appliance.audio.port import Side
from appliance.core.arrays import by_name
from appliance.core.chirp import Chirp
from appliance.core.controls import Door, Event, MuteControl, Reason
from appliance.core.units import RATE
from appliance.health.status import StatusServer
from appliance.panel.memory import MuteMemory
from appliance.panel.none import NoPanel
from appliance.panel.virtual import VirtualPanel
from tests.app.parts import journal, kept, settings
from tests.app.room_card import RoomCard, paths

PLAN = Plan(settle=0.1, quiet=0.3, chirps=2, rest=0.8, chirp=Chirp(seconds=0.5))
SQUARE = by_name("respeaker_usb_4").positions
FOUR = '[audio]\ngeometry_mm = "-32,0; 0,-32; 32,0; 0,32"\n'
Blocks = NDArray[np.float32]


def square(source: tuple[float, float] = (0.3, 0.1), **how: Any) -> NDArray[np.float32]:
    """Paths from a loudspeaker at ``source`` (metres) to four microphones on a circle."""
    ways = [float(np.hypot(x - source[0], y - source[1])) * RATE / 343.0 for x, y, _ in SQUARE]
    return paths(*ways, **how)


async def examined(
    folder: Path, card: RoomCard, more: str = "", panel: Any = None, listening: Listening | None = None
) -> dict[str, list[Finding]]:
    """What is found, by check."""
    told: list[Finding] = []
    examination = Examination(settings(folder, more), journal()[0], card, panel or NoPanel())
    found = await examination.run(told.append, listening or Listening(PLAN, card.clock))
    assert told == found
    assert all(finding.says.endswith((".", "?")) for finding in found), found
    assert all(finding.way_out for finding in found if finding.state in ("bad", "warning")), found
    return {finding.check: [one for one in found if one.check == finding.check] for finding in found}


def at_progress(listening: Listening, blocks: int, act: Callable[[], None]) -> None:
    """Do something on the card's thread, once so many blocks were captured: the card does not wait for whoever begins."""
    wanted, acts = listening.wanted, [act]

    def watched(out: Any) -> None:
        wanted(out)
        if acts and listening.progress >= blocks:
            acts.pop()()

    listening.wanted = watched  # type: ignore[method-assign]


def states(found: dict[str, list[Finding]]) -> dict[str, str]:
    return {check: ",".join(finding.state for finding in findings) for check, findings in found.items()}


async def test_a_good_array_in_a_good_room(short_dir: Path) -> None:
    card = RoomCard(square(), latency=4)
    found = await examined(short_dir, card, FOUR)
    assert states(found) == dict.fromkeys(
        ("card", "channels", "level", "echo", "room", "delay", "clock", "noise", "array"), "good"
    )
    assert found["delay"][0].says == "From playing to hearing it takes 40 ms."
    assert "The room rings for 0." in found["room"][0].says
    assert found["clock"][0].says == "Microphone and loudspeaker have one clock."
    assert found["channels"][0].says == "All 4 microphones work."
    assert "-5 dB" in found["echo"][0].says
    assert np.abs(np.concatenate(card.played)).max() <= 0.201, "no louder than it says"


async def test_one_microphone(short_dir: Path) -> None:
    found = await examined(short_dir, RoomCard(paths(100)))
    assert set(states(found).values()) == {"good"}
    assert found["array"][0].says == "It counts as mono: one microphone."


def deaf(number: int) -> Callable[[Blocks], Blocks]:
    def bend(blocks: Blocks) -> Blocks:
        blocks[number] = np.random.default_rng(0).standard_normal(480).astype(np.float32) * 1e-4
        return blocks

    return bend


def zero(number: int) -> Callable[[Blocks], Blocks]:
    def bend(blocks: Blocks) -> Blocks:
        blocks[number] = 0
        return blocks

    return bend


def doubled(blocks: Blocks) -> Blocks:
    blocks[1] = blocks[0]
    return blocks


def turned(blocks: Blocks) -> Blocks:
    blocks[3] *= -1
    return blocks


def exchanged(blocks: Blocks) -> Blocks:
    return blocks[[1, 0, 2, 3]]


def overdriven(blocks: Blocks) -> Blocks:
    return np.clip(blocks * 20, -1, 1)


def weak(blocks: Blocks) -> Blocks:
    blocks[2] *= 0.1
    return blocks


def shifted(blocks: Blocks) -> Blocks:
    blocks[1] += 0.1
    return blocks


@pytest.mark.parametrize(
    ("bend", "check", "state", "words"),
    [
        (zero(2), "channels", "bad", "Nothing of the chirp is heard on channel 3"),
        (deaf(1), "channels", "bad", "Nothing of the chirp is heard on channel 2"),
        (doubled, "channels", "bad", "The same sound is on channels 1 and 2"),
        (turned, "channels", "bad", "The polarity of channel 4 is the opposite"),
        (weak, "channels", "warning", "On channel 3 everything is more than 12 dB quieter"),
        (shifted, "channels", "warning", "There is direct current on channel 2 (10% of full scale)"),
        (exchanged, "array", "bad", "seem to be exchanged"),
        (overdriven, "level", "bad", "The chirp is beyond full scale on channels 1, 2, 3 and 4"),
    ],
)
async def test_broken_channels(
    short_dir: Path, bend: Callable[[Blocks], Blocks], check: str, state: str, words: str
) -> None:
    found = await examined(short_dir, RoomCard(square(), bend=bend), FOUR)
    assert any(finding.state == state and words in finding.says for finding in found[check]), found[check]


async def test_digital_silence_is_a_mute_of_the_hardware(short_dir: Path) -> None:
    found = await examined(short_dir, RoomCard(square(), bend=np.zeros_like), FOUR)
    assert states(found) == {"card": "good", "channels": "bad"}
    assert "mute is probably on" in found["channels"][0].way_out


async def test_a_loudspeaker_that_is_off(short_dir: Path) -> None:
    found = await examined(short_dir, RoomCard(np.zeros((1, 4800), np.float32), noise=0.001))
    assert found["echo"][0].state == "bad" and "volume up" in found["echo"][0].way_out
    found = await examined(short_dir, RoomCard(np.zeros((1, 4800), np.float32), noise=1e-6))
    assert "hear nothing at all" in found["echo"][0].says
    known = '[audio]\narray = "jabra_speak"\n'
    found = await examined(short_dir, RoomCard(np.zeros((1, 4800), np.float32), noise=0.001), known)
    assert found["echo"][0].state == "good" and "by itself" in found["echo"][0].says


@pytest.mark.parametrize(
    ("card", "check", "words"),
    [
        (lambda: RoomCard(paths(100, gain=0.01), noise=0.002), "level", "hardly heard"),
        (lambda: RoomCard(paths(100, gain=1.6)), "level", "too loud"),
        (lambda: RoomCard(paths(100), noise=0.01), "noise", "The noise at the microphones is -40 dBov."),
        (lambda: RoomCard(paths(100, ringing=2, reverberation=1.2, taps=48_000)), "room", "The room rings for 1."),
        (lambda: RoomCard(paths(100, ringing=2, reverberation=1.2, taps=48_000)), "echo", "comes later than 280 ms"),
        (lambda: RoomCard(paths(100), latency=16), "delay", "it takes 160 ms"),
        (lambda: RoomCard(paths(100, ringing=1e-6)), "room", "as over a wire"),
        (lambda: RoomCard(paths(100, 120)), "array", "the first alone is used"),
        (lambda: RoomCard(paths(100), bend=lambda b: b + 4 * b**2), "echo", "of overtones"),
    ],
)
async def test_what_could_be_better(short_dir: Path, card: Callable[[], RoomCard], check: str, words: str) -> None:
    found = await examined(short_dir, card())
    assert any(finding.state == "warning" and words in finding.says for finding in found[check]), found


async def test_a_very_late_echo_is_bad(short_dir: Path) -> None:
    found = await examined(short_dir, RoomCard(paths(100), latency=45))
    assert found["delay"][0].state == "bad" and "450 ms" in found["delay"][0].says


async def test_a_geometry_that_does_not_fit(short_dir: Path) -> None:
    small = FOUR.replace("32", "12")
    found = await examined(short_dir, RoomCard(square()), small)
    assert found["array"][0].state == "bad" and "do not stand where" in found["array"][0].says
    found = await examined(short_dir, RoomCard(paths(100, 102)), FOUR)
    assert "has 4 channels, and the card gives 2" in found["array"][0].says
    found = await examined(short_dir, RoomCard(paths(100)), '[audio]\narray = "respeaker_usb_4"\n')
    assert states(found) == {"card": "good", "array": "bad"}, "of none of its microphones anything is known"


async def test_interruptions_are_told_and_what_they_spoil_is_left_out(short_dir: Path) -> None:
    card = RoomCard(paths(100))
    listening = Listening(PLAN, card.clock)

    def interrupt() -> None:
        card.jumps[card.blocks] = Side.CAPTURE

    at_progress(listening, 100, interrupt)
    found = await examined(short_dir, card, listening=listening)
    assert found["card"][0].state == "warning" and "1 times" in found["card"][0].says
    assert found["clock"][0].state == "skipped"
    assert found["echo"][0].state == "good"
    always = dict.fromkeys(range(0, 2000, 20), Side.PLAYBACK)
    found = await examined(short_dir, RoomCard(paths(100), jumps=always))
    assert "interrupted again and again" in found["card"][0].says


async def test_clocks_that_differ(short_dir: Path) -> None:
    examination = Examination(settings(short_dir), journal()[0], card := RoomCard(paths(100)), NoPanel())
    await examination.run(lambda finding: None, Listening(PLAN, card.clock))
    heard = examination.heard
    assert heard is not None

    def clock(ppm: float) -> tuple[str, str]:
        found = judge(replace(heard, drift_ppm=ppm), examination.array)
        return next((one.state, one.says) for one in found if one.check == "clock")

    assert clock(0.2) == ("good", "Microphone and loudspeaker have one clock.")
    assert clock(-48) == ("good", "The clocks of microphone and loudspeaker differ by -48 ppm; it is followed.")
    assert clock(900)[0] == "warning" and "+900 ppm, more than is followed" in clock(900)[1]


def panel(kind: MuteControl = MuteControl.LATCHING) -> VirtualPanel:
    return VirtualPanel(kind, 0.001, 0.05)


async def test_a_muted_room_is_not_listened_to(short_dir: Path) -> None:
    muted = panel()
    muted.lines.shift("mute", True)
    card = RoomCard(paths(100))
    found = await examined(short_dir, card, panel=muted)
    assert states(found) == {"mute": "bad"}
    assert found["mute"][0].says.endswith("only a hand on the panel unmutes it: open the mute switch.")
    assert not card.played, "the card was not even opened"


@pytest.mark.parametrize("reason", [Reason.ADMIN, Reason.HAND])
async def test_a_stored_mute_holds_without_a_panel_too(short_dir: Path, reason: Reason) -> None:
    MuteMemory(kept(short_dir)).save(frozenset({reason}), Door.OPEN)
    card = RoomCard(paths(100))
    found = await examined(short_dir, card)
    assert states(found) == {"mute": "bad"} and reason.word in found["mute"][0].says
    assert not card.played


async def test_a_stored_mute_that_is_damaged_and_a_closed_door(short_dir: Path) -> None:
    (kept(short_dir) / "mute.json").write_text("worn")
    assert states(await examined(short_dir, RoomCard(paths(100)))) == {"mute": "bad"}
    MuteMemory(kept(short_dir)).save(frozenset(), Door.CLOSED)
    found = await examined(short_dir, RoomCard(paths(100)), panel=panel())
    assert "open the door at the panel" in found["mute"][0].says


async def test_quiet_hours_hold_here_too(short_dir: Path) -> None:
    """Sound does not run, so nobody else closes the door for them."""
    quiet = '[quiet]\ntime_zone = "UTC"\nholidays = ["2020-01-01 to 2199-12-31"]\ntrust_clock = true\n'
    card = RoomCard(paths(100))
    found = await examined(short_dir, card, quiet, panel())
    assert states(found) == {"mute": "bad"}
    assert "quiet hours" in found["mute"][0].says
    assert not card.played
    assert QuietMemory(kept(short_dir)).load().held


async def test_a_mute_meanwhile_ends_it_and_is_kept(short_dir: Path) -> None:
    button = panel(MuteControl.MOMENTARY)
    card = RoomCard(paths(100), pace=0.002, jumps={})
    listening = Listening(PLAN, card.clock)
    at_progress(listening, 60, lambda: button.press("mute"))
    device = settings(short_dir, '[panel]\nmute = "momentary"\n')
    examination = Examination(device, journal()[0], card, button)
    found = await examination.run(lambda finding: None, listening)
    assert [(finding.check, finding.state) for finding in found] == [("mute", "bad")]
    assert "press the mute button" in found[0].says
    assert examination.heard is None
    assert MuteMemory(kept(short_dir)).load().reasons == {Reason.BUTTON}
    assert listening.progress < PLAN.samples // 480


async def test_a_card_that_does_not_work_or_is_lost(short_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("appliance.app.booth._CARD", 0.2)
    found = await examined(short_dir, RoomCard(paths(100), problem='[audio] capture = "x" is not there'))
    assert found["card"][0].says == '[audio] capture = "x" is not there.'

    class Broken(RoomCard):
        def _turns(self, user: Any) -> None:
            raise OSError("no such device")

    assert (await examined(short_dir, Broken(paths(100))))["card"][0].says == "no such device."
    card = RoomCard(paths(100), pace=0.002)
    listening = Listening(PLAN, card.clock)
    at_progress(listening, 60, card.lost.set)
    found_then = await Examination(settings(short_dir), journal()[0], card, NoPanel()).run(lambda f: None, listening)
    assert found_then[-1].says == "The sound card was lost while the doctor listened."


async def test_it_leaves_the_card_to_a_running_sound(short_dir: Path) -> None:
    async def status(_request: Any) -> dict[str, object]:
        return {"gate": "closed", "reasons": ["switch"], "front_end": {"degraded": "AEC3 instead of ours"}}

    server = StatusServer(short_dir / "sound.status", {"status": status})
    await server.start()
    card = RoomCard(paths(100))
    found = await examined(short_dir, card)
    await server.stop()
    assert states(found) == {"card": "skipped", "chain": "warning"}
    assert "kontor sound runs and has the card; its gate: switch." in found["card"][0].says
    assert "AEC3 instead of ours" in found["chain"][0].says
    assert "Stop it for a minute (kontor run, or its service)" in found["card"][0].way_out
    assert not card.played


async def test_without_a_card_of_its_own_it_says_how_to_have_one(short_dir: Path) -> None:
    found = await Examination(settings(short_dir), journal()[0]).run(lambda finding: None)
    assert found[0].state == "skipped" and 'capture = "auto"' in found[0].way_out


async def test_a_card_that_the_settings_name_and_is_not_there(short_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inventory, "cards", list)
    device = settings(short_dir, '[audio]\nbackend = "alsa"\ncapture = "hw:CARD=Gone"\n')
    found = await Examination(device, journal()[0]).run(lambda finding: None)
    assert [(one.check, one.state) for one in found] == [("card", "bad")]
    assert "there is no such card (here: none)" in found[0].says


def test_the_events_of_a_panel_that_is_not_there() -> None:
    from appliance.app.booth import Unpressed
    from appliance.panel.port import Hands

    posted: list[Event] = []
    Unpressed().start(Hands(close=lambda: True, post=posted.append, knock=lambda: None))
    assert posted == [Event.PANEL_FOUND, Event.SWITCH_FOUND_OPEN]


def test_the_doctor_knows_what_the_front_end_can_do() -> None:
    from appliance.app.doctor_sound_findings import _FOLLOWED_PPM
    from appliance.audio.alignment import _FASTEST
    from appliance.audio.kalman import TAIL
    from appliance.core.echo_path import TAIL_MS

    assert round(1000 * TAIL) == TAIL_MS
    assert pytest.approx(1e6 * _FASTEST) == _FOLLOWED_PPM
