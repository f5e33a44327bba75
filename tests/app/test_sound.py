"""Sound put together in this process: what it asks of its settings, its start, its end, and that no vital part dies alone."""

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import numpy as np
import pytest

from appliance.app.panels import VIRTUAL_PANEL, make_panel
from appliance.app.process import NotAllowed, VitalEnded
from appliance.app.sound import Sound, make_card
from appliance.audio.aec3 import Aec3
from appliance.audio.virtual import Silence, Tone, VirtualCard
from appliance.core.chimes import Chime
from appliance.core.controls import Door, MuteControl, Reason
from appliance.core.lamps import Sign
from appliance.core.units import Block
from appliance.health.notify import Notifier
from appliance.media.exchange import Client, Downlink
from appliance.panel.memory import MuteMemory
from appliance.panel.none import NoPanel
from appliance.panel.virtual import VirtualPanel
from tests.app.parts import Lines, journal, kept, settings
from tests.support import until
from tests.support.need import need


class Parts:
    """Sound with a virtual card and panel that a test can reach."""

    def __init__(self, folder: Path, card: VirtualCard | None = None, more: str = "") -> None:
        self.card = card or VirtualCard(Tone(440))
        self.panel = VirtualPanel(MuteControl.LATCHING, 0.005, 0.05)
        told, self.lines = journal()
        self.sound = Sound(settings(folder, more), self.card, self.panel, told)
        self.stop = asyncio.Event()

    def start(self) -> "asyncio.Task[None]":
        return asyncio.create_task(self.sound.run(self.stop, Notifier("")))


@contextlib.asynccontextmanager
async def running(parts: Parts) -> AsyncIterator[Lines]:
    task = parts.start()
    try:
        yield parts.lines
    finally:
        parts.stop.set()
        await task


async def test_closed_until_everything_is_read_then_open(short_dir: Path) -> None:
    parts = Parts(short_dir)
    assert parts.sound.desk.controls.reasons >= {Reason.STARTING, Reason.AUDIO, Reason.PANEL, Reason.SWITCH}
    async with running(parts):
        await until(lambda: parts.sound.gate.is_open)
        state = parts.sound.state().as_dict()
        assert (state["gate"], state["reasons"], state["muted_since"]) == ("open", [], None)
        assert "blocks_dropped" in parts.sound.state().counters, "every drop is told"
        await until(lambda: (parts.sound.state().microphone or -127) > -20)
    assert not parts.sound.gate.is_open
    assert parts.lines.lines("sound_stopped")


async def test_a_lost_card_closes_and_its_return_restores(short_dir: Path) -> None:
    parts = Parts(short_dir)
    async with running(parts):
        await until(lambda: parts.sound.gate.is_open)
        parts.card.unplug()
        await until(lambda: parts.sound.desk.controls.reasons == {Reason.AUDIO})
        assert not parts.sound.gate.is_open
        assert parts.sound.state().as_dict()["microphone"] is None
        await until(lambda: parts.panel.shown.fault is Sign.SLOW)
        assert "unplugged" in parts.lines.lines("audio_lost")[0]
        parts.card.plug()
        await until(lambda: parts.sound.gate.is_open and parts.panel.shown.fault is Sign.OFF)


async def test_a_damaged_store_starts_muted(short_dir: Path) -> None:
    (kept(short_dir) / "mute.json").write_text("worn out")
    parts = Parts(short_dir)
    async with running(parts) as lines:
        await until(lambda: parts.sound.desk.controls.reasons == {Reason.HAND, Reason.DOOR})
        assert lines.lines("mute_store_damaged")
        assert not parts.sound.gate.is_open


async def test_what_was_stored_is_there_before_anything_is_opened(short_dir: Path) -> None:
    MuteMemory(kept(short_dir)).save(frozenset({Reason.ADMIN}), Door.LISTENING)
    parts = Parts(short_dir)
    assert Reason.ADMIN in parts.sound.desk.controls.reasons
    async with running(parts) as lines:
        await until(lambda: parts.sound.desk.controls.reasons == {Reason.ADMIN, Reason.DOOR})
        assert lines.lines("mute_restored")


async def test_link_comes_and_goes(short_dir: Path) -> None:
    parts = Parts(short_dir)
    async with running(parts) as lines:
        await until(lambda: parts.sound.gate.is_open)
        link = Client(short_dir / "exchange", timeout=0.2)

        def answer() -> None:
            for _ in range(20):
                uplink = link.receive()
                if uplink:
                    link.send(Downlink(seq=uplink.seq, block=np.full(480, 9000, "<i2").tobytes(), admin_muted=3))

        await asyncio.to_thread(answer)
        await until(lambda: lines.lines("exchange_connected"))
        assert parts.sound.gate.is_open
        assert parts.sound.state().as_dict()["exchange_connected"]
        await asyncio.to_thread(link.receive)
        link._socket.send(b"junk")
        await until(lambda: lines.lines("exchange_junk"))
        assert parts.sound.counters.get("exchange_junk") == 1
        link.close()
        await until(lambda: lines.lines("exchange_lost"))
        assert parts.sound.gate.is_open


async def assert_breaks(parts: Parts, part: str, cause: Callable[[], object]) -> None:
    """Expect that sound ends because of ``part`` after ``cause``, with its gate closed."""
    task = parts.start()
    await until(lambda: parts.sound.gate.is_open)
    cause()
    with pytest.raises(BaseExceptionGroup) as caught:
        await asyncio.wait_for(task, 5)
    assert isinstance(caught.value.exceptions[0], VitalEnded)
    assert str(caught.value.exceptions[0]).startswith(part)
    assert not parts.sound.gate.is_open


async def test_a_broken_audio_thread_ends_sound(short_dir: Path) -> None:
    class Worn(Silence):
        left = 30

        def read(self, out: Block) -> None:
            self.left -= 1
            if not self.left:
                raise OSError("no such device")

    await assert_breaks(Parts(short_dir, VirtualCard(Worn())), "audio", lambda: None)


async def test_a_broken_panel_thread_ends_sound(short_dir: Path) -> None:
    parts = Parts(short_dir)
    await assert_breaks(parts, "panel", lambda: parts.panel.lines._moves.put("junk"))  # type: ignore[arg-type]


async def test_a_broken_turn_ends_sound(short_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    parts = Parts(short_dir)
    await assert_breaks(parts, "turns", lambda: monkeypatch.setattr(parts.sound.desk, "refresh", lambda *_: 1 / 0))


async def test_a_memory_that_ends_ends_sound(short_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    parts = Parts(short_dir)

    def cause() -> None:
        monkeypatch.setattr(MuteMemory, "save", lambda *_: 1 / 0)
        parts.sound.desk._stored = (frozenset(), Door.CLOSED)
        parts.sound.desk._to_store.set()

    task = parts.start()
    await until(lambda: parts.sound.gate.is_open and parts.sound.desk._stored is not None)
    cause()
    with pytest.raises((BaseExceptionGroup, ZeroDivisionError)) as caught:
        await asyncio.wait_for(task, 5)
    assert "memory failed" in repr(caught.value) or "ZeroDivisionError" in repr(caught.value)
    assert not parts.sound.gate.is_open


async def test_a_watchdog_that_ends_ends_sound(short_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    parts = Parts(short_dir)
    await assert_breaks(parts, "watchdog", lambda: monkeypatch.setattr(Notifier, "tell", lambda *_: 1 / 0))


def test_the_virtual_panel_is_refused_outside_demo_and_tests(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = settings(tmp_path, '[panel]\nkind = "virtual"')
    monkeypatch.delenv(VIRTUAL_PANEL, raising=False)
    with pytest.raises(NotAllowed, match="on a device the panel is real"):
        make_panel(wanted)
    monkeypatch.setenv(VIRTUAL_PANEL, "1")
    assert isinstance(make_panel(wanted), VirtualPanel)
    assert isinstance(make_panel(settings(tmp_path)), NoPanel)


def test_a_microphone_that_is_not_there_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(NotAllowed, match=r"missing\.wav cannot be read"):
        make_card(settings(tmp_path, f'[audio]\nmicrophone = "{tmp_path}/missing.wav"'))
    with pytest.raises(NotAllowed, match="record"):
        make_card(settings(tmp_path, f'[audio]\nrecord = "{tmp_path}/no/folder.wav"'))


async def test_without_a_panel_the_device_only_listens(short_dir: Path) -> None:
    told, _ = journal()
    sound = Sound(settings(short_dir), VirtualCard(Tone(440)), NoPanel(), told)
    stop = asyncio.Event()
    task = asyncio.create_task(sound.run(stop, Notifier("")))
    await until(lambda: sound.duplex.turns > 20)
    assert Reason.PANEL in sound.desk.controls.reasons
    assert not sound.gate.is_open
    stop.set()
    await task


def test_alsa_without_its_library_is_refused_with_the_way_out(short_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "alsaaudio", None)
    for name in [name for name in sys.modules if name.startswith("appliance.audio.alsa")]:
        monkeypatch.delitem(sys.modules, name)  # whoever has it already does not ask for the library again
    with pytest.raises(NotAllowed, match="needs alsaaudio: install python3-alsaaudio"):
        make_card(settings(short_dir, '[audio]\nbackend = "alsa"'))


def test_the_card_is_the_one_that_the_settings_name(short_dir: Path) -> None:
    need("module:alsaaudio", "pyalsaaudio is not installed: pip install -e .[device]")
    card = make_card(settings(short_dir, '[audio]\nbackend = "alsa"\ncapture = "plughw:1"\nplayback = "plughw:2"'))
    assert card.name == "alsa (plughw:1, plughw:2)"
    assert card.counts.keys() >= {"capture_overruns", "playback_underruns"}
    assert not any(card.counts.values())


async def test_a_front_end_works_where_the_settings_ask_for_one(short_dir: Path) -> None:
    parts = Parts(short_dir, more='[audio]\necho = "safe"\n')
    async with running(parts):
        await until(lambda: parts.sound.gate.is_open)
        told = parts.sound.state().as_dict()["front_end"]
        assert isinstance(told, dict)
        assert (told["array"], told["degraded"]) == ("mono", "")
        assert told["chain"] == ["aec3", "noise suppression", "voice detector", "gain control", "limiter"]
        assert parts.sound.state().counters["front_end_failures"] == 0
        assert parts.panel.shown.fault is Sign.OFF


async def test_a_front_end_that_fails_is_told_and_shown(short_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise FloatingPointError("diverged")

    monkeypatch.setattr(Aec3, "process", broken)
    parts = Parts(short_dir, more='[audio]\necho = "safe"\n')
    async with running(parts) as lines:
        await until(lambda: parts.panel.shown.fault is Sign.SLOW)
        assert "half duplex instead of aec3 (FloatingPointError: diverged)" in lines.lines("front_end_degraded")[0]
        assert len(lines.lines("front_end_degraded")) == 1
        await until(lambda: (parts.sound.state().microphone or -127) > -30)
        assert parts.sound.gate.is_open, "the room is not deaf"


async def test_the_volume_is_turned_by_hand_told_and_kept(short_dir: Path) -> None:
    parts = Parts(short_dir)
    async with running(parts):
        await until(lambda: parts.sound.gate.is_open)
        hands = parts.sound.desk.hands(asyncio.get_running_loop())
        await asyncio.to_thread(hands.turn, -1)
        await until(lambda: parts.sound.state().as_dict()["volume"] == -3)
    again = Parts(short_dir)
    async with running(again):
        assert again.sound.state().volume == -3, "as it was left"


async def test_a_door_that_moves_is_heard(short_dir: Path) -> None:
    parts = Parts(short_dir)
    heard: list[Chime] = []
    parts.sound.loudness.chimes.ring = heard.append  # type: ignore[method-assign, assignment]
    async with running(parts):
        await until(lambda: parts.sound.gate.is_open)
        parts.panel.press("door")
        await until(lambda: Reason.DOOR in parts.sound.desk.controls.reasons)
        assert heard == [Chime.LISTENING]


async def test_a_panel_that_is_lost_is_told_and_shown_and_comes_back(short_dir: Path) -> None:
    parts = Parts(short_dir)
    async with running(parts):
        await until(lambda: parts.sound.gate.is_open)
        parts.panel.lines.broken = "the plug is out"
        await until(lambda: not parts.sound.gate.is_open)
        await until(lambda: bool(parts.lines.lines("panel_lost")))
        assert 'why="the plug is out"' in parts.lines.lines("panel_lost")[0]
        state = parts.sound.state()
        assert state.panel_problem == "the plug is out"
        assert state.counters["panel_losses"] == 1
        await until(lambda: parts.panel.shown.mic is Sign.FAST)
        parts.panel.lines.broken = ""
        await until(lambda: parts.sound.gate.is_open)
        await until(lambda: bool(parts.lines.lines("panel_found")))


def test_a_real_panel_is_made_from_its_settings(short_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    need("module:gpiozero", "the pins of a panel are gpiozero's")
    need("module:gpiod", "the pins of a panel are libgpiod's")
    from appliance.app.panels import layout_of, panel_lines
    from appliance.panel.pixels import SpiPixels

    wanted = settings(
        short_dir,
        '[panel]\nkind = "gpio"\nmute = "momentary"\nknock_pin = 0\npixels = 16\npixel_layout = "row"\npixel_first = 3\n'
        'pixel_direction = "counterclockwise"\nnight_percent = 40\nstill = true',
    )
    made = make_panel(wanted)
    assert made.name == "gpio (momentary)"
    assert made.problem == ""
    made.stop()
    lines, ring = panel_lines(wanted)
    assert "knock" not in lines.contacts
    assert isinstance(ring, SpiPixels)
    layout = layout_of(wanted.panel)
    assert (layout.pixels, layout.row, layout.first, layout.backwards) == (16, True, 3, True)
    assert (layout.current, layout.night, layout.still) == (8, 0.4, True)
    assert panel_lines(settings(short_dir, '[panel]\nkind = "gpio"'))[1] is None
    monkeypatch.setitem(sys.modules, "gpiod", None)
    monkeypatch.delitem(sys.modules, "appliance.panel.gpiod_pins", raising=False)
    with pytest.raises(NotAllowed, match=r"needs gpiod: install kontor\[device\] with pip"):
        make_panel(wanted)


async def test_the_switch_is_read_before_the_first_sound_is_captured(short_dir: Path) -> None:
    parts = Parts(short_dir)
    order: list[str] = []
    start_panel, start_card = parts.panel.start, parts.card.start
    parts.panel.start = lambda hands: (order.append("panel"), start_panel(hands))[1]  # type: ignore[method-assign, func-returns-value]
    parts.card.start = lambda user: (order.append("card"), start_card(user))[1]  # type: ignore[method-assign, func-returns-value]
    async with running(parts):
        await until(lambda: parts.sound.gate.is_open)
    assert order == ["panel", "card"]


async def test_a_real_panel_that_is_not_there_leaves_a_device_that_only_listens(short_dir: Path) -> None:
    need("module:gpiozero", "the pins of a panel are gpiozero's")
    need("module:gpiod", "the pins of a panel are libgpiod's")
    told, lines = journal()
    wanted = settings(short_dir, '[panel]\nkind = "gpio"\nchip = "no-such-chip"')
    sound, stop = Sound(wanted, VirtualCard(Tone(440)), make_panel(wanted), told), asyncio.Event()
    running = asyncio.create_task(sound.run(stop, Notifier("")))
    await until(lambda: bool(lines.lines("panel_lost")))
    await until(lambda: sound.duplex.turns > 5)
    assert "there is no GPIO chip no-such-chip" in sound.state().panel_problem
    assert sound.desk.controls.reasons >= {Reason.PANEL, Reason.SWITCH}
    assert not sound.gate.is_open
    stop.set()
    await running


@pytest.mark.parametrize(("more", "told"), [("", False), ("[audio]\ndirection = true\n", True)])
async def test_where_somebody_talks_is_told_only_when_the_settings_say_so(
    short_dir: Path, more: str, told: bool
) -> None:
    parts = Parts(short_dir, more=more)
    async with running(parts):
        assert parts.sound.duplex.tells_direction is told
