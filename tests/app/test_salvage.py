"""Settings that are wrong already when provisioning starts: what they still say holds, and nothing is taken away for it."""

from dataclasses import replace
from pathlib import Path

import pytest

from appliance.provisioning.sets import Sets
from appliance.provisioning.virtual import AccessPoint, VirtualNetwork
from appliance.settings.model_network import Security
from tests.app.provisioned import make_device, parts
from tests.app.test_rollout import AFAR, IN_ROOM, state

pytestmark = pytest.mark.virtual_time

WIFI = '[[network.wifi]]\nssid = "Office"\nsecurity = "open"\n'


async def test_settings_that_are_wrong_at_the_start_take_no_network_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A slip in one of the machine's own files, say: whoever has to mend it comes by this very network."""
    network = VirtualNetwork([AccessPoint("Office", Security.OPEN)], cable=False)
    device = make_device(tmp_path, monkeypatch, network)
    device.boot(IN_ROOM + WIFI)
    async with parts(device):
        await device.begin()
        assert state(await device.round()) == ("kept", "")
        device.machine("[audio]\nbitrate = 5\n")
        await device.begin()
        await device.round()
        assert [each.ssid for each in network.in_force.wifi] == ["Office"]
        assert device.rollout.as_dict()["state"] == "refused"
        device.machine("[network]\nwifi = 5\n")
        await device.begin()
        assert [each.ssid for each in network.in_force.wifi] == ["Office"], "nor what is wrong itself"
        device.machine("")
        await device.begin()
        assert state(await device.round()) == ("kept", "")


async def test_accepted_settings_that_fit_no_more_are_followed_by_better_ones_from_afar(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After an update that knows one of them no more: the device must not wait for somebody with a card."""
    device = make_device(tmp_path, monkeypatch)
    device.boot(IN_ROOM + AFAR)
    async with parts(device) as standing:
        await device.begin()
        await device.round()
        device.shown.publish("all", 1, "[audio]\nbitrate = 28000\n")
        assert state(await device.round()) == ("kept", "")
        (file,) = device.root.glob("var/lib/kontor/settings/sets/*/30-all.toml")
        gone = file.read_bytes().replace(b"bitrate", b"bitrage")
        sets = Sets(device.root / "var/lib/kontor/settings")
        layers = [replace(each, content=gone) if each.file == file.name else each for each in sets.read(device.active)]
        digest = sets.add(layers)
        for link in ("active", "good"):
            sets.point(link, digest)
        device.shown.published["all"] = replace(device.shown.published["all"], content=gone)
        await device.begin()
        said = await device.round()
        assert said["state"] == "refused"
        assert "bitrage" in str(said["why"])
        device.shown.publish("all", 2, "[audio]\nbitrate = 32000\n")
        assert state(await device.round()) == ("kept", "")
        assert standing.settings.audio.bitrate == 32000
