"""Ten seconds on ROOM: what the device knew is gone, the card's own file is not, and its microphone waits for a hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.image.card import Card
from tests.image.conftest import running, virt
from tests.image.device import Device
from tests.image.inside import look, panel

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600)]

SETTINGS = b"""schema = 1
[device]
name = "Cedar"
[room]
url = "http://192.0.2.1:8080"
id = "main"
[audio]
capture = "hw:CARD=Loopback,DEV=1"
playback = "hw:CARD=Loopback,DEV=1"
"""


def answered(device: Device) -> None:
    """A hand opens the microphone: the switch goes through a full cycle."""
    for muted in (True, False):
        device.call(panel.switch, muted)
        device.until(panel.lamps, mic=muted)


def test_room_held_wipes_it_and_a_mute_stays_a_mute(image: Path, archive: bytes, tmp_path: Path) -> None:
    card = Card(image, tmp_path / "card.img")
    card.put("kontor.toml", SETTINGS)
    with running(card, virt(card, tmp_path, archive), None) as device:
        device.until(look.finished)
        assert device.call(look.status, "sound")["reasons"] == ["hand"], "its first start"
        answered(device)
        before = device.call(look.identity)
        device.run("sh", "-c", "echo of the old owner >/data/kontor/provision/left")

        device.call(panel.hold, "room", 10.5)
        blinking = {lamp: device.call(panel.watched, lamp, 2.0) for lamp in ("mic", "room")}
        print(blinking)
        assert blinking["mic"] == [(0.0, False)], "MIC shows the gate, which is open as it was"
        assert len(blinking["room"]) > 3
        device.greeted()

        device.until(look.finished)
        assert device.call(look.status, "sound")["reasons"] == ["hand"]
        assert device.call(panel.lit, "mic")
        after = device.call(look.identity)
        assert after["key"] != before["key"]
        assert (after["machine-id"], after["hostname"]) == (before["machine-id"], before["hostname"]), "the board's own"
        assert device.run("ls", "-A", "/data/kontor/provision").split().count("left") == 0
        said = device.run("journalctl", "--no-pager", "-o", "cat", "-u", "kontor-reset.service")
        print(said, device.run("systemd-analyze", "critical-chain", "--no-pager", "kontor-sound.service"))
        assert "factory reset: done" in said
        answered(device)
    names = [name.lower() for name in card.names()]
    assert "kontor.toml" in names
    assert "factory-reset" not in names
