"""The way of a violation: found by link or by sound, stored, shown, kept over restarts, and ended by a hand alone.

Sound and link are put together in this process, with the real exchange, gate, desk, deck and proof; only what stands at both
ends is not real: a tone for a microphone, and a wire that keeps packets instead of a room.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from appliance.app import answering, link
from appliance.app.link import Link
from appliance.app.process import VitalEnded
from appliance.app.sound import Sound
from appliance.audio.gate import Gate
from appliance.audio.virtual import Tone, VirtualCard
from appliance.core.controls import Door, Event, MuteControl, Reason
from appliance.core.counters import Counters
from appliance.core.lamps import Sign
from appliance.core.state import ProofState
from appliance.core.units import Pcm
from appliance.health.notify import Notifier
from appliance.panel.memory import MuteMemory
from appliance.panel.virtual import VirtualPanel
from appliance.rooms.contract import SiteReport
from appliance.rooms.nowhere import Nowhere
from appliance.rooms.proof import KEPT, MuteProof
from appliance.rooms.uplink import CodecSettings, Uplink
from tests.app.parts import journal, kept, settings
from tests.app.test_self_check import KeepsSound
from tests.rooms.mutants import ForgetsToReset
from tests.rooms.test_uplink import REDUNDANT, Wire
from tests.support import until


class Here(Nowhere):
    """An engine whose way up is the hosted room's, up to the socket."""

    def __init__(self, kind: type[Uplink] = Uplink) -> None:
        super().__init__("")
        codec = CodecSettings()
        self._proof = MuteProof(codec.encoder, codec.frame_ms)
        self._uplink = kind(codec, self._proof, Counters())
        self.wire = Wire()
        self._uplink.attach(self.wire, REDUNDANT)
        self.sites: list[SiteReport] = []

    @property
    def proof(self) -> ProofState:  # type: ignore[override]
        return self._proof.state

    @property
    def violations(self) -> int:  # type: ignore[override]
        return self._proof.violations

    def send(self, pcm: Pcm | None) -> None:
        self._uplink.take(pcm)

    def forbid(self, closed: bool) -> None:
        self._proof.forbid(closed)

    def check(self) -> None:
        self._uplink.check()

    async def leave(self) -> None:
        self._uplink.detach()

    def report_site(self, report: SiteReport) -> None:
        self.sites.append(report)


class Device:
    """Sound of one device; made anew, it is the same device after a restart."""

    def __init__(self, folder: Path, kind: MuteControl) -> None:
        self.folder, self.kind = folder, kind
        self.panel = VirtualPanel(kind, 0.005, 0.05)
        told, self.lines = journal()
        more = f'[panel]\nmute = "{kind}"\n'
        self.sound = Sound(settings(folder, more), VirtualCard(Tone(440)), self.panel, told)
        self.stop = asyncio.Event()

    @property
    def held(self) -> frozenset[Reason]:
        return self.sound.desk.controls.reasons

    def start(self) -> "asyncio.Task[None]":
        return asyncio.create_task(self.sound.run(self.stop, Notifier("")))

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        task = self.start()
        try:
            yield
        finally:
            self.stop.set()
            await task

    async def mute(self) -> None:
        if self.kind is MuteControl.LATCHING:
            self.panel.move("mute", True)
        else:
            self.panel.press("mute")
        await until(lambda: self.held & {Reason.SWITCH, Reason.BUTTON})

    async def answer(self) -> None:
        """What a hand does to end a fault: a full cycle of the switch, or a press of the button."""
        if self.kind is MuteControl.LATCHING:
            self.panel.move("mute", True)
            await until(lambda: Reason.SWITCH in self.held)
            await asyncio.sleep(0.1)  # a hand stays longer than the debounce; what does not is a spike, and no answer
            self.panel.move("mute", False)
        else:
            self.panel.press("mute")

    async def shows_a_fault(self) -> None:
        await until(lambda: self.panel.shown.mic is Sign.FAST)
        assert not self.sound.gate.is_open


@contextlib.asynccontextmanager
async def linked(device: Device, engine: Here) -> AsyncIterator["asyncio.Task[None]"]:
    """Link of this device, with this engine; it may end in between."""
    stop, told = asyncio.Event(), journal()[0]
    task = asyncio.create_task(Link(settings(device.folder), lambda _: engine, told).run(stop, Notifier("")))
    try:
        yield task
    finally:
        stop.set()
        await asyncio.gather(task, return_exceptions=True)


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Looks that come every ten seconds come at once."""
    monkeypatch.setattr(answering, "_FIRST_CHECK", 4)
    monkeypatch.setattr(link, "_TOLD", 0.1)


async def test_found_by_link_it_goes_to_the_lamp_and_the_disk_and_a_hand_ends_it(
    short_dir: Path, kind: MuteControl
) -> None:
    before = Device(short_dir, kind)
    broken = Here(ForgetsToReset)
    async with before.running(), linked(before, broken) as ending:
        await until(lambda: len(broken.wire.packets) > 10)
        await before.mute()
        await before.shows_a_fault()
        assert broken.proof.why == KEPT
        await until(lambda: MuteMemory(kept(short_dir)).load().reasons >= {Reason.VIOLATION})
        with pytest.raises(BaseExceptionGroup) as caught:
            await asyncio.wait_for(ending, 10)
        assert str(caught.value.exceptions[0]) == "proof ended", "link ends with 70 and is started anew"
        assert broken.wire.stopped
        sent = len(broken.wire.packets)
        assert before.lines.lines("violation")

    after, whole = Device(short_dir, kind), Here()
    assert Reason.VIOLATION in after.held, "before anything is opened"
    async with after.running(), linked(after, whole):
        await after.shows_a_fault()
        await until(lambda: whole.sites)
        await until(lambda: "fault" in whole.sites[-1].reasons and not whole.sites[-1].gate_open)
        for event in (Event.ADMIN_LIFTED, Event.ASKED_TO_UNMUTE, Event.DOOR_ASKED_OPEN, Event.LINK_FOUND):
            after.sound.desk.apply(event)
        await after.shows_a_fault()
        assert whole.wire.packets == []
        await after.answer()
        await until(lambda: after.sound.gate.is_open and after.panel.shown.mic is Sign.OFF)
        await until(lambda: len(whole.wire.packets) > 10 and whole.sites[-1].gate_open)
        await until(lambda: MuteMemory(kept(short_dir)).load().reasons == frozenset())
        assert whole.proof.violations == 0
    assert len(broken.wire.packets) == sent


@pytest.fixture(params=list(MuteControl))
def kind(request: pytest.FixtureRequest) -> MuteControl:
    return MuteControl(request.param)


async def test_a_hand_that_has_muted_answers_what_came_after_only_with_a_full_cycle(short_dir: Path) -> None:
    device = Device(short_dir, MuteControl.LATCHING)
    async with device.running():
        await until(lambda: device.sound.gate.is_open)
        await device.mute()
        device.sound.desk.apply(Event.VIOLATED)
        device.panel.move("mute", False)
        await until(lambda: device.held == {Reason.VIOLATION})
        await device.shows_a_fault()
        await device.answer()
        await until(lambda: device.sound.gate.is_open)


async def test_found_by_sound_it_is_stored_before_sound_ends(
    short_dir: Path, kind: MuteControl, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("appliance.app.sound.Gate", KeepsSound)
        before = Device(short_dir, kind)
    task = before.start()
    await until(lambda: before.sound.gate.is_open and before.sound.gate._ring.any())
    await before.mute()
    with pytest.raises(BaseExceptionGroup) as caught:
        await asyncio.wait_for(task, 10)
    assert isinstance(caught.value.exceptions[0], VitalEnded)
    assert str(caught.value.exceptions[0]) == "proof ended"
    assert "engine=exchange" in before.lines.lines("violation")[0]
    assert before.sound.state().as_dict()["proof"] == {
        "engine": "exchange",
        "violations": 1,
        "left_closed": 0,
        **{key: getattr(before.sound.state().proof, key) for key in ("why", "looked", "checks", "checked_ago")},
    }
    stored = MuteMemory(kept(short_dir)).load()
    assert stored.reasons >= {Reason.VIOLATION}
    assert stored.door is Door.OPEN

    after = Device(short_dir, kind)
    assert isinstance(after.sound.gate, Gate)
    async with after.running():
        await after.shows_a_fault()
        await after.answer()
        await until(lambda: after.sound.gate.is_open)
    assert not MuteMemory(kept(short_dir)).load().reasons
    assert Reason.VIOLATION not in after.held


async def test_a_disk_that_refuses_leaves_sound_closed_and_running(
    short_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("appliance.app.sound.Gate", KeepsSound)
    device = Device(short_dir, MuteControl.LATCHING)
    save, refused = MuteMemory.save, asyncio.Event()
    loop = asyncio.get_running_loop()

    def refuse(memory: MuteMemory, reasons: frozenset[Reason], door: Door) -> None:
        loop.call_soon_threadsafe(refused.set)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(MuteMemory, "save", refuse)
    task = device.start()
    await until(lambda: device.sound.gate.is_open and device.sound.gate._ring.any())
    await device.mute()
    await refused.wait()
    await device.shows_a_fault()
    assert not task.done(), "what ended now would be forgotten"
    monkeypatch.setattr(MuteMemory, "save", save)
    with pytest.raises(BaseExceptionGroup, match="TaskGroup"):
        await asyncio.wait_for(task, 10)
    assert MuteMemory(kept(short_dir)).load().reasons == {Reason.VIOLATION}
