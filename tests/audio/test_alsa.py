"""ALSA's card over a library that a test speaks for: what a real sound server does not do when asked."""

import errno
import importlib
import sys
import threading
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from appliance.audio import alsa_names, inventory
from appliance.audio.port import Side
from appliance.core.counters import HELP
from appliance.core.units import BLOCK, RATE, Block
from tests.audio.alsa_library import Device, Library
from tests.audio.card_user import User, wait
from tests.audio.machine import Machine, lay_out

MODULES = ["alsa", *(f"alsa_{name}" for name in ("pcm", "open", "mute", "microphone", "loudspeaker", "sides"))]


@pytest.fixture
def library(monkeypatch: pytest.MonkeyPatch) -> Iterator[Library]:
    names = [f"appliance.audio.{name}" for name in MODULES]
    before = {name: sys.modules.pop(name) for name in names if name in sys.modules}
    library = Library()
    monkeypatch.setitem(sys.modules, "alsaaudio", library)
    monkeypatch.setattr(inventory, "cards", list)
    monkeypatch.setattr(alsa_names, "PROC", Path("/nowhere"))
    yield library
    for name in names:
        sys.modules.pop(name, None)
    sys.modules.update(before)


@pytest.fixture
def alsa(library: Library) -> Any:
    return importlib.import_module("appliance.audio.alsa")


@pytest.fixture
def machine(library: Library, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Machine:
    """One with an array as card 3, which the library says that it opens."""
    machine = lay_out("pi_respeaker", tmp_path)
    (machine.proc / "ArrayUAC10").symlink_to("card3")
    monkeypatch.setattr(inventory, "cards", machine.cards)
    monkeypatch.setattr(alsa_names, "PROC", machine.proc)
    library.gives = {"card_no": 3}
    return machine


@pytest.fixture
def start(alsa: Any) -> Iterator[Any]:
    """Starts a card, and ends it when the test does; no thread may be left of it."""
    before, cards = set(threading.enumerate()), []

    def start(user: User, capture: str = "mic", playback: str = "spk", **more: Any) -> Any:
        card = alsa.AlsaCard(capture, playback, **more)
        cards.append(card)
        card.start(user)
        return card

    yield start
    for card in cards:
        began = time.monotonic()
        card.stop()
        assert time.monotonic() - began < 0.9
        assert set(card.counts) <= set(HELP)
    assert not set(threading.enumerate()) - before


@pytest.mark.parametrize(
    ("gives", "more", "words"),
    [
        ({"rate": 16_000}, {}, 'capture = "mic" runs at 16000 Hz instead of 48000: name it with plughw:'),
        ({"format_name": "FLOAT_LE"}, {}, 'capture = "mic" has samples of FLOAT_LE only: name it with plughw:'),
        ({"period_size": 4096, "buffer_size": 16384}, {}, "takes turns of 4096 samples of 16384, at most 960"),
        ({"buffer_size": 480}, {}, "takes turns of 240 samples of 480"),
        ({"channels": 2}, {"channels": 4}, 'channels = 4, but capture = "mic" has 2: write channels = 2, or 0'),
        ({"channels": 12}, {}, 'capture = "mic" has 12 channels, at most 8 are captured'),
    ],
)
def test_what_the_card_really_is_is_compared(
    library: Library, alsa: Any, start: Any, gives: dict[str, Any], more: dict[str, Any], words: str
) -> None:
    library.gives = gives
    library.formats = ("FLOAT_LE",) if "format_name" in gives else library.formats
    error = start(User(), **more).ended.exception(2)
    assert isinstance(error, alsa.CardMistakeError)
    assert str(error).startswith("[audio] ")
    assert words in str(error) or "playback" in str(error), "whichever thread was first"
    wait(lambda: all(device.calls[-1:] == ["close"] for device in library.opened))


@pytest.mark.parametrize(
    ("formats", "captured", "played"),
    [
        (("S16_LE", "S24_LE", "S24_3LE", "S32_LE"), "S32_LE", "S16_LE"),
        (("S16_LE",), "S16_LE", "S16_LE"),
        (("S24_3LE",), "S24_3LE", "S24_3LE"),
        (("FLOAT_LE", "S16_LE", "S24_LE"), "S24_LE", "S16_LE"),
    ],
)
def test_the_best_format_that_the_card_has_is_taken(
    library: Library, start: Any, formats: tuple[str, ...], captured: str, played: str
) -> None:
    library.formats = formats
    user = User()
    card = start(user, channels=2)
    wait(lambda: user.runs)
    assert card.facts.format == captured
    assert card.facts.channels == 2
    assert library.devices(capture=False)[-1].info()["format_name"] == played
    user.until(5)
    assert {shape for *_, shape in user.heard} == {(2, BLOCK)}


def test_what_is_played_is_the_same_on_every_channel(library: Library, start: Any) -> None:
    library.gives = {"channels": 2}
    user = User(lambda out: out.fill(0.5))
    start(user)
    user.until(5)
    samples = np.frombuffer(library.devices(capture=False)[-1].last, "<i2")
    assert samples.shape == (2 * BLOCK,)
    assert set(samples) == {16383}


def steady(told: list[tuple[int, float]]) -> float:
    """How much the times of positions stray, seconds; of the longest piece without a jump."""
    pieces = [[told[0]]]
    for before, now in pairwise(told):
        if now[0] != before[0] + BLOCK:
            assert now[0] == 0, "positions go on, or begin anew"
            pieces.append([])
        pieces[-1].append(now)
    longest = max(pieces, key=len)
    assert len(longest) > 10
    return float(np.std([at - position / RATE for position, at in longest]))


def test_positions_go_on_and_times_tell_when_it_was(library: Library, start: Any) -> None:
    user = User()
    start(user)
    user.until(50)
    assert all(-0.001 <= now - at < 0.1 for now, _, at, _ in user.heard)
    assert steady([(position, at) for _, position, at, _ in user.heard]) < 0.002, "whenever it was fetched"
    assert steady([(position, at) for _, position, at in user.heard_back]) < 0.002
    assert all(at - now > -0.001 for now, _, at in user.heard_back)


def test_the_loudspeaker_is_dropped_before_it_is_closed(library: Library, start: Any) -> None:
    user = User()
    card = start(user)
    user.until(5)
    card.stop()
    assert card.ended.result(1) is None
    assert [call for call in library.devices(capture=False)[-1].calls if call != "under-run"] == ["drop", "close"]


@pytest.mark.parametrize("speed", [0.97, 1.03])
def test_two_clocks_that_drift_apart_do_not_add_delay(library: Library, start: Any, speed: float) -> None:
    library.speed[library.PCM_CAPTURE] = speed
    user = User()
    start(user, low_delay=True)
    user.until(190)
    speaker = library.devices(capture=False)[-1]
    assert speaker.waits < 3 * BLOCK, "at 3 % another 60 ms would wait by now"
    assert steady([(position, at) for _, position, at in user.heard_back]) < 0.002, "a turn left out is no gap"


def test_a_late_user_is_an_under_run_and_the_second_one_makes_room(
    library: Library, alsa: Any, start: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    loudspeaker = sys.modules["appliance.audio.alsa_loudspeaker"]
    monkeypatch.setattr(loudspeaker, "STARTING", 0.0)
    stalls = iter([0, 0, 0, 0.1, 0, 0, 0, 0.1])

    def sound(out: Block) -> None:
        out.fill(0.1)
        time.sleep(next(stalls, 0))

    user = User(sound)
    card = start(user)
    wait(lambda: card.counts["playback_underruns"] >= 2)
    assert Side.PLAYBACK in user.jumps

    def most() -> float:
        return max(at - now for now, position, at in user.heard_back if position == 0)

    wait(
        lambda: most() > 0.0215, told=lambda: f"{most()} s: after an under-run it begins with 20 ms, now with 2.5 more"
    )


def test_a_long_calm_takes_the_room_away_again(library: Library, alsa: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    part: Any = sys.modules["appliance.audio.alsa_loudspeaker"]
    opened = sys.modules["appliance.audio.alsa_open"].open_device(
        sys.modules["appliance.audio.alsa_open"].Wish("mic", "spk"), Side.PLAYBACK
    )
    speaker = part.Loudspeaker(opened, "spk", part.AHEAD, part.MOST)
    speaker.prefill()
    silence, sound = np.zeros(BLOCK, np.float32), np.full(BLOCK, 0.1, np.float32)
    assert speaker.write(silence) is part.Wrote.WHOLE
    monkeypatch.setattr(part, "CALM", -1.0)
    assert speaker.write(sound) is part.Wrote.WHOLE, "sound is never cut"
    before = opened.pcm.moved
    assert speaker.write(silence) is part.Wrote.SHORTENED
    assert opened.pcm.moved - before == BLOCK - part.MORE
    assert speaker.ahead == part.MOST - part.MORE
    speaker.ahead = part.AHEAD
    assert speaker.write(silence) is part.Wrote.WHOLE, "not below what a calm machine has"
    opened.close(drop=True)


def test_lost_sound_of_the_microphone_is_counted_and_told_as_a_jump(library: Library, start: Any) -> None:
    user = User()
    card = start(user)
    user.until(10)
    library.devices(capture=True)[-1].overrun.set()
    wait(lambda: card.counts["capture_overruns"])
    count = len(user.heard)
    user.until(count + 5)
    assert Side.CAPTURE in user.jumps
    assert [position for _, position, *_ in user.heard].count(0) >= 2, "positions begin anew"
    assert user.states == [True]


@pytest.mark.parametrize("side", list(Side))
def test_a_side_that_is_lost_closes_the_gate_and_comes_back(library: Library, start: Any, side: Side) -> None:
    user = User()
    card = start(user)
    user.until(10)
    began = time.monotonic()
    library.devices(capture=side is Side.CAPTURE)[-1].gone.set()
    wait(lambda: False in user.states)
    assert user.changes[-1][0] - began < 2.0
    assert f"[audio] {side}" in card.problem
    wait(lambda: user.runs)
    assert card.counts[f"{side}_losses"] == 1
    assert card.problem == ""
    count = len(user.heard)
    user.until(count + 5)
    assert side in user.jumps
    assert not card.ended.done()
    print(f"without {side}: blocks were asked for every {max(user.gaps(began)) * 1000:.0f} ms at most")
    assert max(user.gaps(began)) < 0.5


@pytest.mark.parametrize("side", list(Side))
def test_a_side_that_stands_still_is_noticed_and_the_clock_goes_on(library: Library, start: Any, side: Side) -> None:
    user = User()
    card = start(user)
    user.until(10)
    began = time.monotonic()
    library.devices(capture=side is Side.CAPTURE)[-1].freeze()
    wait(lambda: False in user.states)
    assert user.changes[-1][0] - began < 3.0
    assert "though it is there" in card.problem
    assert sum(asked > began for asked in user.asked) > 20, "blocks were asked for all the while"
    wait(lambda: user.runs)
    assert card.counts[f"{side}_stuck"] == 1


def test_a_microphone_that_gives_zeros_counts_as_dead_until_it_gives_sound(library: Library, start: Any) -> None:
    user = User()
    card = start(user)
    user.until(10)
    library.silent = True
    began = time.monotonic()
    wait(lambda: False in user.states)
    assert 1.0 < user.changes[-1][0] - began < 5.0
    assert "gives the same sample all the time: it may be muted" in card.problem
    assert card.counts["capture_dead"] == 1
    heard = len(user.heard)
    wait(lambda: len(library.devices(capture=True)) > 1)
    time.sleep(0.1)
    assert len(user.heard) == heard, "it is opened anew, and is not believed before it is heard"
    assert not user.runs
    library.silent = False
    wait(lambda: user.runs)
    assert user.states == [True, False, True]
    assert Side.CAPTURE in user.jumps
    assert card.counts["capture_dead"] == 1


def test_a_microphone_that_repeats_one_sample_is_as_dead(library: Library, start: Any) -> None:
    user = User()
    card = start(user, channels=2)
    user.until(10)
    library.devices(capture=True)[-1].data = np.array([77, -3], "<i4")
    wait(lambda: card.counts["capture_dead"])


def test_silence_may_be_declared_to_be_fine(library: Library, start: Any) -> None:
    library.silent = True
    user = User()
    card = start(user, watch_silence=False)
    user.until(200)
    assert user.states == [True]
    assert card.counts["capture_dead"] == 0


@pytest.mark.parametrize(
    ("controls", "words"),
    [
        ({}, "the mute of ReSpeaker 4 Mic Array (UAC1.0) itself is probably on"),
        ({"Mic": (["Capture Mute", "Capture Exclusive"], [0, 0])}, '"Mic" is off in the mixer of ArrayUAC10'),
        ({"Mic": (["Capture Mute"], [1])}, "the mute of ReSpeaker"),
        ({"PCM": (["Playback Mute"], [0])}, "the mute of ReSpeaker"),
    ],
)
def test_why_it_is_silent(
    library: Library, machine: Machine, alsa: Any, controls: dict[str, tuple[list[str], list[int]]], words: str
) -> None:
    library.controls = controls
    opened = sys.modules["appliance.audio.alsa_open"]
    device = opened.open_device(opened.Wish("hw:3", "hw:3"), Side.CAPTURE)
    assert words in sys.modules["appliance.audio.alsa_mute"].why_silent(device)


def test_a_microphone_that_was_silent_from_the_start_was_never_there(
    library: Library, machine: Machine, start: Any
) -> None:
    library.silent = True
    user = User()
    card = start(user, "hw:ArrayUAC10", "hw:ArrayUAC10")
    wait(lambda: card.problem)
    assert "the mute of ReSpeaker" in card.problem
    assert user.states == [False]


def test_a_card_comes_back_under_another_number(library: Library, machine: Machine, start: Any) -> None:
    user = User()
    card = start(user, "hw:3,0", "hw:3,0")
    wait(lambda: user.runs)
    assert card.facts.usb_id == "2886:0018"
    assert card.facts.channels == 6, "as many as the known array has"
    opened = len(library.opened)
    (machine.proc / "ArrayUAC10").unlink()
    (machine.proc / "card3").rename(machine.root / "out")
    for device in list(library.opened):
        device.gone.set()
    wait(lambda: not user.runs)
    time.sleep(0.3)
    assert len(library.opened) == opened, "what is not there is not opened"
    assert "the card ArrayUAC10 is not there (here: vc4hdmi0, Headphones)" in card.problem
    library.gives = {"card_no": 5}
    (machine.root / "out").rename(machine.proc / "card5")
    (machine.proc / "ArrayUAC10").symlink_to("card5")
    wait(lambda: user.runs)
    assert {device.name for device in library.opened[opened:]} == {"hw:ArrayUAC10,0"}


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.EBUSY, "is in use by another program: end it, or name another device"),
        (errno.EACCES, "may not be opened: put the user of this process into the group audio (Permission denied)"),
        (errno.EHOSTDOWN, "is of a sound server that does not run"),
        (errno.EIO, "cannot be opened: Input/output error"),
    ],
)
def test_what_may_pass_is_waited_for_and_said(library: Library, start: Any, number: int, words: str) -> None:
    library.refuses = {"mic": number}
    user = User()
    card = start(user)
    wait(lambda: card.problem)
    assert f'[audio] capture = "mic" {words}' in card.problem
    assert user.states == [False]
    asked = len(user.asked)
    wait(lambda: len(user.asked) > asked + 20)
    library.refuses = {}
    wait(lambda: user.runs)
    assert card.problem == ""


def test_a_card_that_goes_while_it_is_opened_is_waited_for(
    library: Library, start: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    info = Device.info

    def goes(device: Device) -> dict[str, Any]:
        if device.capture and asked.count("mic") < 2:
            asked.append(device.name)
            if len(asked) == 2:  # between opening it and comparing what it became
                raise Library.ALSAAudioError("No such device [mic]")
        return info(device)

    monkeypatch.setattr(Device, "info", goes)
    user = User()
    card = start(user)
    wait(lambda: user.runs)
    assert len(asked) == 2 and not card.ended.done()
    assert library.devices(capture=True)[0].calls[-1] == "close"


def test_a_missing_card_is_waited_for(library: Library, machine: Machine, start: Any) -> None:
    user = User()
    (machine.proc / "ArrayUAC10").unlink()
    card = start(user, "hw:ArrayUAC10", "hw:ArrayUAC10")
    wait(lambda: card.problem)
    assert '[audio] capture = "hw:ArrayUAC10": the card ArrayUAC10 is not there' in card.problem
    assert not library.opened
    (machine.proc / "ArrayUAC10").symlink_to("card3")
    wait(lambda: user.runs)


def test_auto_takes_the_array_and_its_own_loudspeaker(library: Library, machine: Machine, start: Any) -> None:
    user = User()
    card = start(user, "auto", "auto")
    wait(lambda: user.runs)
    names = {device.name for device in library.opened}
    assert names == {"plughw:CARD=ArrayUAC10,DEV=0"}, "with a resampler: the array runs at 16 kHz"
    assert (card.facts.capture, card.facts.playback) == ("plughw:CARD=ArrayUAC10,DEV=0",) * 2
    library.refuses = {"plughw": errno.EBUSY}
    for device in list(library.opened):
        device.gone.set()
    # each side is opened anew by its own thread: the loudspeaker may be the first to find it so
    wait(lambda: '[audio] capture = "auto" (plughw:CARD=ArrayUAC10,DEV=0) is in use by' in card.problem)


def test_a_card_without_the_side_that_is_wanted_is_a_mistake(
    library: Library, machine: Machine, alsa: Any, start: Any
) -> None:
    (machine.proc / "Headphones").symlink_to("card1")
    error = start(User(), "hw:Headphones", "hw:ArrayUAC10").ended.exception(2)
    assert isinstance(error, alsa.CardMistakeError)
    assert str(error) == '[audio] capture = "hw:Headphones": bcm2835 Headphones has no microphone'


def test_a_name_that_is_none_is_a_mistake(library: Library, alsa: Any, start: Any) -> None:
    library.refuses = {"spk": errno.ENOENT}
    error = start(User()).ended.exception(2)
    assert isinstance(error, alsa.CardMistakeError)
    assert '[audio] playback = "spk" is no device' in str(error)


def test_a_mistake_later_on_is_waited_out(library: Library, start: Any) -> None:
    """Another device of the same name was plugged in: a room never needs a hand."""
    user = User()
    card = start(user)
    user.until(5)
    library.gives = {"rate": 16_000}
    for device in list(library.opened):
        device.gone.set()
    wait(lambda: "runs at 16000 Hz" in card.problem)
    assert not card.ended.done()
    library.gives = {}
    wait(lambda: user.runs)


def test_blocks_are_only_the_card_s_to_write(library: Library, start: Any) -> None:
    """What a broken callback raises ends the card at once, whatever it is."""

    def breaks(_out: Block) -> None:
        raise RuntimeError("no exchange")

    card = start(User(breaks))
    assert isinstance(card.ended.exception(5), RuntimeError)


def test_nothing_is_left_of_a_device_that_stands_still(library: Library, start: Any) -> None:
    user = User()
    card = start(user)
    user.until(5)
    for device in library.opened:
        device.freeze()
    began = time.monotonic()
    card.stop()
    assert time.monotonic() - began < 0.5
    assert all(device.calls[-1] == "close" for device in library.opened)
