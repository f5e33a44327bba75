"""Gate first, lamp second, room last (UX.md, mute rule 2), with the real gate, desk, deck and the bytes on the exchange."""

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from appliance.app.sound import Sound
from appliance.audio.gate import Gate
from appliance.audio.virtual import Tone, VirtualCard
from appliance.core.controls import Door, Event, MuteControl, Reason
from appliance.health.notify import Notifier
from appliance.media.exchange import Client, Downlink, ExchangeClosed, Listener
from appliance.panel.memory import MuteMemory
from appliance.panel.virtual import VirtualPanel
from tests.app.parts import journal, kept, settings
from tests.support import until


class World:
    """Sound, and at link's end of the exchange somebody who writes down what is told. ``happened`` is in order."""

    def __init__(self, folder: Path, kind: MuteControl, *, push_to_talk: bool) -> None:
        self.happened: list[str] = []
        self.said: set[tuple[bool, bool]] = set()
        """Whether a message had a block, and whether it told of a reason to have none."""
        self.panel = VirtualPanel(kind, 0.005, 0.05, push_to_talk=push_to_talk)
        self.panel.lines.lit = self._lit
        more = f'[panel]\nmute = "{kind}"\npush_to_talk = {str(push_to_talk).lower()}\n'
        self.sound = Sound(settings(folder, more), VirtualCard(Tone(440)), self.panel, journal()[0])
        self.link = Client(folder / "exchange", timeout=0.5)
        self.reader = threading.Thread(target=self._read, name="link's end")
        self.stop = asyncio.Event()

    def note(self, what: str) -> None:
        if what not in self.happened:
            self.happened.append(what)

    def _lit(self, lamp: str, brightness: float) -> None:
        if lamp == "mic":
            self.note("lamp lit" if brightness else "lamp dark")

    def _read(self) -> None:
        with contextlib.suppress(ExchangeClosed):
            while (uplink := self.link.receive()) is not None:
                self.said.add((uplink.block is not None, uplink.reasons != 0))
                self.note("no block" if uplink.block is None else "block")
                self.note("room told closed" if uplink.reasons else "room told open")
                self.link.send(Downlink(seq=uplink.seq))

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        self.reader.start()
        task = asyncio.create_task(self.sound.run(self.stop, Notifier("")))
        try:
            yield
        finally:
            self.stop.set()
            await task
            await asyncio.to_thread(self.reader.join)
            self.link.close()

    async def opens(self) -> None:
        await until(lambda: self.sound.gate.is_open and {"block", "room told open", "lamp dark"} <= {*self.happened})


@pytest.fixture
def noted(monkeypatch: pytest.MonkeyPatch) -> list[Callable[[str], None]]:
    """Who is told when a gate closes: while it does, before anybody else can know."""
    listeners: list[Callable[[str], None]] = []
    close = Gate._close

    def _close(gate: Gate) -> bool:
        was_open = close(gate)
        if was_open:
            for listener in listeners:
                listener("gate closed")
        return was_open

    monkeypatch.setattr(Gate, "_close", _close)
    return listeners


def push(world: World) -> None:
    world.panel.move("mute", True)


def let_go(world: World) -> None:
    world.panel.move("talk", False)


def lose(world: World) -> None:
    world.panel.lines.broken = "somebody pulled the plug"


@pytest.mark.parametrize(
    ("kind", "cause", "reason"),
    [
        (MuteControl.LATCHING, push, Reason.SWITCH),
        (MuteControl.MOMENTARY, push, Reason.BUTTON),
        (MuteControl.LATCHING, let_go, Reason.TALK),
    ],
    ids=["switch", "button", "push-to-talk"],
)
async def test_a_hand_closes_the_gate_then_lights_the_lamp_then_the_room_is_told(
    short_dir: Path,
    noted: list[Callable[[str], None]],
    kind: MuteControl,
    cause: Callable[[World], None],
    reason: Reason,
) -> None:
    world = World(short_dir, kind, push_to_talk=cause is let_go)
    async with world.running():
        if cause is let_go:
            await until(lambda: world.sound.desk.controls.reasons == {Reason.TALK})
            world.panel.move("talk", True)
        await world.opens()
        noted.append(world.note)
        world.happened.clear()
        cause(world)
        await until(lambda: "room told closed" in world.happened and world.sound.desk.controls.reasons == {reason})
        closed = [what for what in world.happened if what not in {"block", "room told open"}]
        assert closed.index("gate closed") < closed.index("lamp lit") < closed.index("room told closed")
        assert closed.index("gate closed") < closed.index("no block")
        await asyncio.sleep(0.05)
        world.happened.clear()
        await until(lambda: "no block" in world.happened)
        assert "block" not in world.happened


@pytest.mark.parametrize(
    "event", [Event.ADMIN_MUTED, Event.VIOLATED, Event.DOOR_ASKED_LISTENING, Event.RECORDING_BEGAN]
)
async def test_from_afar_too_the_gate_is_closed_before_lamp_and_room(
    short_dir: Path, noted: list[Callable[[str], None]], event: Event
) -> None:
    world = World(short_dir, MuteControl.LATCHING, push_to_talk=False)
    async with world.running():
        await world.opens()
        noted.append(world.note)
        world.happened.clear()
        world.sound.desk.apply(event)
        assert not world.sound.gate.is_open, "within the call"
        await until(lambda: {"lamp lit", "room told closed"} <= {*world.happened})
        closed = [what for what in world.happened if what not in {"block", "room told open"}]
        assert closed[0] == "gate closed"


async def test_a_lost_panel_closes_the_gate_and_the_room_is_told(
    short_dir: Path, noted: list[Callable[[str], None]]
) -> None:
    world = World(short_dir, MuteControl.LATCHING, push_to_talk=False)
    async with world.running():
        await world.opens()
        noted.append(world.note)
        world.happened.clear()
        lose(world)
        await until(lambda: "room told closed" in world.happened)
        closed = [what for what in world.happened if what not in {"block", "room told open"}]
        assert closed[0] == "gate closed"
        assert Reason.PANEL in world.sound.desk.controls.reasons


async def test_opening_is_told_in_the_other_order_and_only_when_all_is_decided(short_dir: Path) -> None:
    """The room must not be told "closed" for a block that it is to hear, nor the lamp be dark over a closed gate."""
    world = World(short_dir, MuteControl.LATCHING, push_to_talk=False)
    async with world.running():
        await world.opens()
        push(world)
        await until(lambda: world.sound.desk.controls.reasons == {Reason.SWITCH} and "lamp lit" in world.happened)
        await asyncio.sleep(0.05)
        dark_over: list[bool] = []
        world.panel.lines.lit = lambda lamp, light: dark_over.append(
            lamp == "mic" and not light and not world.sound.gate.is_open
        )
        world.happened.clear()
        world.panel.move("mute", False)
        await until(lambda: "block" in world.happened and world.panel.lines.lamps["mic"] == 0.0)
        assert not any(dark_over)
        assert (True, True) not in world.said


async def test_what_a_press_leaves_is_on_the_disk_soon_after_the_lamp(short_dir: Path) -> None:
    """Memory comes after the lamp: a slow disk holds nobody up."""
    world = World(short_dir, MuteControl.MOMENTARY, push_to_talk=False)
    async with world.running():
        await world.opens()
        push(world)
        await until(lambda: MuteMemory(kept(short_dir)).load().reasons == {Reason.BUTTON})
        assert "lamp lit" in world.happened
        assert MuteMemory(kept(short_dir)).load().door is Door.OPEN


async def test_the_stored_mute_is_read_before_anything_is_opened(
    short_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither exchange nor card nor panel is there before it is known that the room is muted."""
    MuteMemory(kept(short_dir)).save(frozenset({Reason.ADMIN}), Door.OPEN)
    opened: list[str] = []

    def noting(kind: type, method: str) -> None:
        real = getattr(kind, method)

        def call(*given: object, **more: object) -> object:
            opened.append(kind.__name__)
            return real(*given, **more)

        monkeypatch.setattr(kind, method, call)

    for kind, method in ((MuteMemory, "load"), (Listener, "__init__"), (VirtualCard, "start"), (VirtualPanel, "start")):
        noting(kind, method)
    world = World(short_dir, MuteControl.LATCHING, push_to_talk=False)
    assert opened == ["MuteMemory", "Listener"]
    assert Reason.ADMIN in world.sound.desk.controls.held
    async with world.running():
        await until(lambda: world.sound.desk.controls.held == {Reason.ADMIN})
    assert opened[0] == "MuteMemory"
    assert sorted(opened[2:]) == ["VirtualCard", "VirtualPanel"]
