"""The image on QEMU's virt: from a card with kontor.toml on it into the room, and what can be got at from outside.

Under emulation the front end is off and watchdogs are stretched. Pitch and level are asserted; gaps are printed. The device's
seconds are longer than ours, as its time is its instructions.
"""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.image import outside
from tests.image.device import Device
from tests.image.inside import look, panel, sound
from tests.image.listener import Person, person
from tests.image.office import DEVICE, Office
from tools.measurements import Figure

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600)]

SPOKEN, SENT = 440, 880
"""The tones that the device hears in its room, and that it is sent."""
SCORES = {"kontor-sound.service": 1.0, "kontor-link.service": 1.5, "kontor-provision.service": 1.5}
"""The most that systemd-analyze security may say of them: what they had when they were made."""


async def ask(device: Device, function: Any, *arguments: Any, **how: Any) -> Any:
    """Call a function in the device while this side goes on."""
    return await asyncio.to_thread(device.call, function, *arguments, **how)


async def lamp(device: Device, name: str, lit: bool) -> None:
    """Wait until a lamp is so, however short."""
    await asyncio.to_thread(device.until, panel.lamps, **{name: lit})


async def unmuted(device: Device, who: Person, name: str = "amber") -> None:
    """Let a hand open the microphone: the switch goes through a full cycle, from open to open."""
    await ask(device, panel.cycle)
    await lamp(device, "mic", False)
    await who.state(name, "listening", "speaking")


async def test_it_comes_into_the_room_and_its_tone_arrives(device: Device, office: Office) -> None:
    async with person(office, "anna") as anna:
        await anna.state("amber", "muted", "listening", "speaking")
        device.starts("tests.image.inside.sound", str(SPOKEN))
        # a new box is muted until a hand opens it, and a cable in which nothing was heard is no microphone
        await asyncio.to_thread(device.until, look.closed_by, "hand", "switch")
        await lamp(device, "fault", False)
        seen = await ask(device, panel.watched, "mic", 6.0)
        assert len(seen) >= 3, "MIC pulses: somebody talks into a closed microphone"
        assert await anna.silence() == 0
        await unmuted(device, anna)
        heard = await anna.hears(SPOKEN)
        print(heard)
        assert heard.level == pytest.approx(-15.3, abs=3)
        await lamp(device, "room", True)
        await lamp(device, "fault", False)


def test_its_start_went_to_its_end_and_nothing_was_taken_back(device: Device) -> None:
    """The data partition grows at the first start under systemd's eyes, which must not take it for gone."""
    device.until(look.finished)
    assert device.call(look.failed) == []
    assert device.call(look.journal, "Stopped target") == []
    assert device.call(look.journal, "MiB more") != []


async def test_it_plays_what_it_is_sent(device: Device, office: Office) -> None:
    async with person(office, "anna") as anna, anna.humming(SENT):
        played = await asyncio.to_thread(device.until, sound.plays, SENT, seconds=300)
        print(played)
        await lamp(device, "speak", True)


async def test_the_mute_line_silences_it_and_the_lamps_follow(device: Device, office: Office) -> None:
    async with person(office, "anna") as anna:
        await unmuted(device, anna)
        await anna.hears(SPOKEN)
        await ask(device, panel.switch, True)
        await lamp(device, "mic", True)
        await anna.state("amber", "muted")
        assert await anna.silence() == 0
        status = await ask(device, look.status, "link")
        assert status["proof"]["violations"] == 0
        await unmuted(device, anna)
        await anna.hears(SPOKEN)


def test_nothing_listens_and_little_is_sent(device: Device, office: Office) -> None:
    told, sent = device.call(look.listening), office.sent()
    print(told, sent, sep="\n")
    assert [line for line in told if line.startswith("tcp")] == []
    assert len(told) == 2, "DHCP and the call; whoever is in a room looks for none nearby"
    device.run("sysctl", "-qw", *outside.UNHINDERED)
    ports = outside.scan(office, DEVICE)
    print(ports)
    assert ports.tcp_open == []
    assert set(ports.udp_silent) <= outside.allowed_udp(told)
    assert outside.unexpected(sent) == [], "before anybody asked it for something"


def test_nobody_can_log_in(device: Device) -> None:
    device.machine.type("\nroot\n\n")
    names = device.run(
        "systemctl",
        "list-units",
        "--plain",
        "--no-legend",
        "--state=active",
        "*getty*",
        "*ssh*",
        "emergency*",
        "rescue*",
    )
    assert names.split() == []
    passwords = [line.split(":")[1] for line in device.run("cat", "/etc/shadow").splitlines()]
    assert all(password.startswith(("!", "*")) for password in passwords), passwords
    said = device.machine.text  # only now: whoever waits for a name on the serial line has had time to ask for it
    assert "login:" not in said
    assert "Password:" not in said


def test_the_services_are_as_tight_as_they_were_made(device: Device, figures: list[Figure]) -> None:
    scores = device.call(look.scores, seconds=300)
    print(scores)
    for name, most in SCORES.items():
        assert scores[name] <= most
        figures.append(
            Figure(f"image.security_{name.removeprefix('kontor-').removesuffix('.service')}", scores[name], "")
        )


def test_the_data_partition_has_the_whole_card(device: Device) -> None:
    disk = device.call(look.disk)
    assert disk["type"] == "ext4"
    assert disk["mib"] > 1100, "2 GiB without the 700 MiB before it"
    assert "Filesystem state:         clean" in device.run("tune2fs", "-l", disk["source"].partition("[")[0])


def test_it_is_the_same_after_another_start(device: Device) -> None:
    before = device.call(look.identity)
    assert len(before["machine-id"]) == 32
    device.run("systemctl", "reboot", "--no-block")
    device.greeted()
    device.until(look.finished)
    device.until(look.identity, **dict[str, Any](before))


async def test_after_it_the_mute_is_as_it_was_left_and_the_room_is_found_again(device: Device, office: Office) -> None:
    async with person(office, "anna") as anna:
        await anna.state("amber", "muted", "listening", "speaking")
        device.starts("tests.image.inside.sound", str(SPOKEN))
        await unmuted(device, anna)
        await anna.hears(SPOKEN)
