"""The caretaker: what it sees, what it tells whom, and that a machine is not rebooted for nothing."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from appliance.app.caretaker import EVERY, FILE, Caretaker
from appliance.app.mending import mending
from appliance.core.recovery import FIRST_REBOOT, Ill
from appliance.health.status import StatusServer
from appliance.provisioning.power import Foreground, NotDone, has_route
from appliance.settings import AudioBackend, Settings
from tests.app.parts import journal, settings
from tests.support import until

LONG = 100 * FIRST_REBOOT


class FakePower(Foreground):
    """A machine that notes what it is asked for."""

    def __init__(self) -> None:
        self.up, self.routed, self.refuses = LONG, True, ""
        self.reboots = 0
        self.off: set[str] = set()

    async def reboot(self) -> None:
        if self.refuses:
            raise NotDone(self.refuses)
        self.reboots += 1

    def uptime(self) -> float:
        return self.up

    def has_route(self) -> bool:
        return self.routed

    async def is_off(self, unit: str) -> bool:
        return unit in self.off


class Device:
    """A device whose sound and link are only their sockets."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        told = settings(folder)
        room, audio = (
            replace(told.room, url="https://rooms.example.org"),
            replace(told.audio, backend=AudioBackend.ALSA),
        )
        self.settings: Settings = replace(told, room=room, audio=audio)
        self.sound: dict[str, Any] = {"reasons": [], "exchange_connected": True}
        self.link: dict[str, Any] = {"phase": "in_room", "exchange_connected": True}
        self.asked: list[tuple[str, object]] = []
        self.power, self.now, self.trying = FakePower(), 1000.0, False
        self.journal, self.lines = journal()
        self.caretaker = self.new()
        self._servers: dict[str, StatusServer] = {}

    def new(self) -> Caretaker:
        return Caretaker(
            lambda: self.settings,
            self.journal,
            self.power,
            trying=lambda: self.trying,
            state=self.folder,
            clock=lambda: self.now,
        )

    async def start(self, part: str) -> None:
        async def status(_request: Mapping[str, Any]) -> Mapping[str, object]:
            return dict(self.sound if part == "sound" else self.link)

        async def mend(request: Mapping[str, Any]) -> Mapping[str, object]:
            self.asked.append((part, request["how"]))
            return {}

        self._servers[part] = StatusServer(self.folder / f"{part}.status", {"status": status, "mend": mend})
        await self._servers[part].start()

    async def stop(self, part: str) -> None:
        if part in self._servers:
            await self._servers.pop(part).stop()

    async def live(self, seconds: float) -> None:
        end = self.now + seconds
        while self.now <= end:
            await self.caretaker.look()
            self.now += EVERY

    def told(self) -> list[str]:
        return [line.partition("event=")[2] for line in self.lines.getvalue().splitlines()]

    @property
    def ills(self) -> set[Ill]:
        return set(self.caretaker.ladder.ills)


@asynccontextmanager
async def running(folder: Path) -> AsyncIterator[Device]:
    device = Device(folder)
    try:
        for part in ("sound", "link"):
            await device.start(part)
        yield device
    finally:
        for part in ("sound", "link"):
            await device.stop(part)


async def test_a_healthy_device_is_left_alone(short_dir: Path) -> None:
    async with running(short_dir) as device:
        await device.live(1000)
        assert device.ills == set()
        assert device.asked == []
        assert device.told() == []
        assert not (short_dir / FILE).exists(), "nothing is written for nothing"


async def test_a_room_that_is_not_reached_is_joined_anew_then_link_is_started_anew(short_dir: Path) -> None:
    async with running(short_dir) as device:
        await device.live(0)
        device.link["phase"] = "reconnecting"
        await device.live(320)
        assert device.asked == [("link", "rejoin"), ("link", "restart")]
        assert device.told() == [
            'recovering step=rejoin why="the room is not reached" seconds=60',
            'recovering step=restart_link why="the room is not reached" seconds=300',
        ]
        device.link["phase"] = "in_room"
        await device.live(0)
        assert device.told()[2:] == ['recovered why="the room is not reached"']
        assert device.caretaker.as_dict()["steps"] == {
            "rejoin": 1,
            "restart_link": 1,
            "restart_sound": 0,
            "reboot": 0,
        }


@pytest.mark.parametrize("phase", ["starting", "in_room", "refused", "left"])
async def test_who_is_refused_or_told_to_stay_out_is_not_ill(short_dir: Path, phase: str) -> None:
    async with running(short_dir) as device:
        device.link["phase"] = phase
        await device.live(3000)
        assert device.asked == []


async def test_a_lost_card_restarts_sound_and_at_last_the_machine(short_dir: Path) -> None:
    async with running(short_dir) as device:
        device.sound["reasons"] = ["door", "no audio"]
        await device.live(600)
        assert device.asked == [("sound", "restart")]
        assert device.power.reboots == 1
        assert device.told()[-1] == 'rebooting step=reboot why="the sound card is lost" seconds=600'
        assert json.loads((short_dir / FILE).read_text()) == {
            "in_vain": 1,
            "last": "reboot: the sound card is lost for 600 s",
        }
        # the same machine, an hour and a half after it started anew, with the card still lost
        device.caretaker, device.power.up = device.new(), 1.5 * FIRST_REBOOT
        await device.live(3000)
        assert device.power.reboots == 1, "the second comes after two hours"
        device.power.up = 2 * FIRST_REBOOT
        await device.live(600)
        assert device.power.reboots == 2
        device.sound["reasons"] = []
        await device.live(100)
        assert json.loads((short_dir / FILE).read_text())["in_vain"] == 0, "a minute of health ends the count"


@pytest.mark.parametrize("reasons", [["no audio", "starting"], ["switch", "door", "button"]])
async def test_a_card_that_is_only_starting_or_closed_is_not_lost(short_dir: Path, reasons: list[str]) -> None:
    async with running(short_dir) as device:
        device.sound["reasons"] = reasons
        await device.live(3000)
        assert device.asked == []


async def test_a_virtual_card_is_nothing_to_reboot_for(short_dir: Path) -> None:
    async with running(short_dir) as device:
        device.settings = replace(device.settings, audio=replace(device.settings.audio, backend=AudioBackend.VIRTUAL))
        device.sound["reasons"] = ["no audio"]
        await device.live(3000)
        assert (device.asked, device.power.reboots) == ([], 0)


async def test_without_a_network_nothing_but_a_reboot_helps(short_dir: Path) -> None:
    async with running(short_dir) as device:
        device.power.routed, device.link["phase"] = False, "reconnecting"
        await device.live(1790)
        assert (device.ills, device.asked) == ({Ill.NETWORK}, [])
        await device.live(10)
        assert device.power.reboots == 1
        device.link["phase"] = "in_room"
        await device.live(0)
        assert device.ills == set(), "who is in the room has a network"
        device.link["phase"] = "reconnecting"
        await device.live(0)
        assert device.ills == {Ill.NETWORK}
        room = replace(device.settings.room, url="")
        device.settings = replace(device.settings, room=room)
        await device.live(0)
        assert Ill.NETWORK not in device.ills, "a device without a room needs none"


async def test_a_part_that_never_answered_or_was_stopped_is_not_missed(short_dir: Path) -> None:
    device = Device(short_dir)  # kontor host alone, with provision
    await device.live(2000)
    assert device.ills == set()
    async with running(short_dir) as device:
        await device.live(0)
        await device.stop("link")
        device.power.off = {"kontor-link.service"}
        await device.live(2000)
        assert (device.ills, device.power.reboots) == (set(), 0)
        device.power.off = set()
        await device.live(600)
        assert device.told() == ['rebooting step=reboot why="link does not answer" seconds=600']


async def test_parts_that_do_not_find_each_other_are_started_anew(short_dir: Path) -> None:
    async with running(short_dir) as device:
        device.sound["exchange_connected"] = False
        await device.live(180)
        assert device.asked == [("link", "restart"), ("sound", "restart")]


async def test_an_answer_that_says_nothing_of_it_is_no_illness(short_dir: Path) -> None:
    async with running(short_dir) as device:
        device.sound, device.link = {"error": "unknown request"}, {"pid": 1}
        await device.live(2000)
        assert (device.ills, device.asked) == (set(), [])


async def test_while_settings_are_tried_nothing_is_mended(short_dir: Path) -> None:
    async with running(short_dir) as device:
        device.trying, device.link["phase"], device.power.routed = True, "reconnecting", False
        await device.live(5000)
        assert (device.asked, device.power.reboots) == ([], 0)
        device.trying = False
        await device.live(50)
        assert device.ills == {Ill.NETWORK}


async def test_a_reboot_that_is_refused_is_told_and_counts_for_nothing(short_dir: Path) -> None:
    async with running(short_dir) as device:
        device.power.refuses, device.sound["reasons"] = "polkit says no", ["no audio"]
        await device.live(600)
        assert device.told()[-1] == (
            'reboot_refused error="polkit says no" step=reboot why="the sound card is lost" seconds=600'
        )
        assert json.loads((short_dir / FILE).read_text())["in_vain"] == 0


async def test_what_cannot_be_counted_is_not_done(short_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("appliance.app.caretaker.atomic_write", full)
    async with running(short_dir) as device:
        device.sound["reasons"] = ["no audio"]
        await device.live(600)
        assert device.power.reboots == 0
        assert "reboot_refused" in device.told()[-1]


@pytest.mark.parametrize("content", ["", "{", "[]", '{"in_vain": "x"}', '{"in_vain": null}', '{"in_vain": -5}'])
def test_a_damaged_file_counts_as_none(short_dir: Path, content: str) -> None:
    (short_dir / FILE).write_text(content)
    assert Device(short_dir).caretaker.ladder.in_vain == 0


async def test_it_looks_again_and_again(short_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("appliance.app.caretaker.EVERY", 0.01)
    async with running(short_dir) as device:
        device.link["phase"] = "connecting"
        task = asyncio.create_task(device.caretaker.run())
        async with asyncio.timeout(5):
            while not device.asked:
                device.now += 30
                await asyncio.sleep(0.01)
        task.cancel()
        await asyncio.wait([task])
        assert device.asked[0] == ("link", "rejoin")


async def test_a_part_ends_or_joins_anew_when_it_is_told_to() -> None:
    done: list[str] = []

    async def rejoin() -> None:
        done.append("rejoined")

    link, sound = mending(lambda: done.append("ended"), rejoin), mending(lambda: done.append("ended"))
    assert await link({"how": "rejoin"}) == {"mends": "rejoin"}
    assert await sound({"how": "restart"}) == {"mends": "restart"}
    assert done == ["rejoined"], "who asked has the answer first"
    await until(lambda: "ended" in done)
    assert done == ["rejoined", "ended"]
    with pytest.raises(ValueError, match=r"how has to be restart$"):
        await sound({"how": "rejoin"})
    with pytest.raises(ValueError, match="how has to be restart or rejoin"):
        await link({})


HEAD = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n"
FOUR = "eth0\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\t0\t0\t0\n"
LOCAL = "eth0\t000200C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n"
NIL = "0" * 32
SIX = f"{NIL} 00 {NIL} 00 fe800000000000000000000000000001 00000400 00000001 00000000 00000003 wlan0\n"
REJECT = f"{NIL} 00 {NIL} 00 {NIL} ffffffff 00000001 00000000 00200200 lo\n"
OWN = "eth0\t0000FEA9\t00000000\t0001\t0\t0\t1000\t0000FFFF\t0\t0\t0\n"
LINK = f"fe80{'0' * 28} 40 {NIL} 00 {NIL} 00000100 00000001 00000000 00000001 eth0\n"
MANY = f"ff{'0' * 30} 08 {NIL} 00 {NIL} 00000100 00000001 00000000 00000001 eth0\n"


@pytest.fixture
def net(tmp_path: Path) -> Path:
    (tmp_path / "proc/self/net").mkdir(parents=True)
    return tmp_path / "proc/self/net"


@pytest.mark.parametrize(
    ("route", "ipv6_route", "leads"),
    [
        (HEAD + FOUR, None, True),
        (HEAD + LOCAL, REJECT, True),  # a network without a gateway, and the server in it
        (HEAD, None, False),
        (HEAD + OWN, REJECT + LINK + MANY, False),
        (HEAD, REJECT + SIX, True),
        (None, SIX, True),
        (None, "junk\n\n", False),
        (None, None, True),
    ],
)
def test_a_way_out_of_the_machine_is_a_network(
    net: Path, route: str | None, ipv6_route: str | None, leads: bool
) -> None:
    for name, content in (("route", route), ("ipv6_route", ipv6_route)):
        if content is not None:
            (net / name).write_text(content)
    assert has_route(net.parents[2]) is leads
