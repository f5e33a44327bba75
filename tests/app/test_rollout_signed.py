"""A device that follows a folder over a real connection: whatever lies there that is not right, the last good settings hold."""

from collections.abc import Callable
from pathlib import Path

import pytest
from aiohttp import web

from appliance.app import intake, rollout
from appliance.core.events import RULES, EventName
from appliance.provisioning import fetch
from appliance.provisioning.signing import SecretKey
from tests.app.provisioned import ROOM, Device, make_device, parts
from tests.provisioning.published import Server, publish, shown

KEY = SecretKey(bytes(range(8)), bytes(32))
STRANGER = SecretKey(bytes(8), bytes([1]) * 32)
GOOD = b"schema = 1\n[audio]\nbitrate = 24000\n"
OTHER = b"schema = 1\n[audio]\nbitrate = 48000\n"

Spoil = Callable[[Path, Server], None]


@pytest.fixture
def device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Device:
    made = make_device(tmp_path / "root", monkeypatch)
    for module in (intake, rollout):
        monkeypatch.setattr(module, "Fetcher", fetch.Fetcher)
    monkeypatch.setattr("appliance.core.rollout.STEADY", 0.1)
    monkeypatch.setattr("appliance.app.trial.LOOK", 0.05)
    return made


def _says(status: int, text: str = "", location: str = "") -> Spoil:
    def spoil(_folder: Path, server: Server) -> None:
        async def answer(_request: web.Request) -> web.StreamResponse:
            return web.Response(status=status, text=text, headers={"Location": location} if location else None)

        server.answer = answer

    return spoil


def _signed(key: SecretKey, version: int, content: bytes, **facts: float) -> Spoil:
    return lambda folder, _server: void(publish(folder, key, "all", version, content, **facts))


def void(_value: object) -> None:
    """For a lambda that gives back nothing."""


def _cut(folder: Path, _server: Server) -> None:
    publish(folder, KEY, "all", 43, OTHER)
    path = folder / "all.43.toml"
    path.write_bytes(path.read_bytes()[:-5])


def _tampered(folder: Path, _server: Server) -> None:
    publish(folder, KEY, "all", 43, OTHER)
    (folder / "all.43.toml").write_bytes(OTHER.replace(b"48000", b"96000"))


def _replayed(folder: Path, _server: Server) -> None:
    publish(folder, KEY, "devices/other", 99, OTHER)
    (folder / "all.minisig").write_bytes((folder / "devices/other.minisig").read_bytes())


BAD: dict[str, tuple[Spoil, str]] = {
    "tampered": (_tampered, "is not the one that the key 0706050403020100 has signed"),
    "truncated": (_cut, "is not the one that the key 0706050403020100 has signed"),
    "expired": (_signed(KEY, 43, OTHER, expires=1.0), "Version 43 has expired"),
    "replayed": (_replayed, "It was signed for devices/other"),
    "downgraded": (_signed(KEY, 41, OTHER), "It is version 41, and version 42 was here already"),
    "rewritten": (_signed(KEY, 42, OTHER), "Version 42 was here already, with other content"),
    "foreign": (_signed(STRANGER, 43, OTHER), "which is not trusted here"),
    "oversized": (_signed(KEY, 43, b"#" * 300_000), "is longer than 262144 bytes"),
    "portal": (_says(200, "<html>Welcome"), "captive portal"),
    "sent on": (_says(302, location="/"), "sends on to another address"),
    "broken": (_says(500), "answers 500"),
    "gone": (_says(404), ""),
}


async def test_whatever_is_published_the_last_good_settings_hold(device: Device, tmp_path: Path) -> None:
    folder = tmp_path / "www"
    publish(folder, KEY, "all", 42, GOOD)
    good = {path: (folder / path).read_bytes() for path in ("all.minisig", "all.42.toml")}
    async with shown(folder) as server, parts(device):
        device.boot(f'[room]\nurl = "{ROOM}"\n[provisioning]\nurl = "{server.url}"\nkeys = ["{KEY.public}"]\n')
        await device.begin()
        await device.round()
        said = await device.round()
        assert (said["state"], said["versions"]) == ("kept", {"all": 42})
        active = device.active
        for what, (spoil, words) in BAD.items():
            before = device.lines.getvalue()
            spoil(folder, server)
            for _ in range(3):
                said = await device.round()
                assert device.active == device.good == active, what
                assert words in " ".join(map(str, said["faults"])), what  # type: ignore[call-overload]
            told = device.lines.getvalue()[len(before) :]
            assert told.count("event=document_refused") <= (1 if words else 0), what
            server.answer = None
            for path, content in good.items():
                (folder / path).write_bytes(content)
            assert not (await device.round())["faults"], what
        assert device.lines.getvalue().count("event=document_refused") == RULES[EventName.DOCUMENT_REFUSED].most

        # What is genuine counts as seen, though nobody can follow it.
        publish(folder, KEY, "all", 43, b"\xff")
        assert (await device.round())["faults"] == ["all: all.43.toml is not UTF-8 text, though it was signed."]
        publish(folder, KEY, "all", 44, b"schema = 1\n[audio]\nbitrat = 1\n")
        said = await device.round()
        assert said["state"] == "refused"
        assert said["why"] == 'all.toml (version 44):3: audio.bitrat is no setting of Kontor. Did you mean "bitrate"?'
        assert device.active == device.good == active
        publish(folder, KEY, "all", 45, OTHER)
        said = await device.round()
        assert (said["state"], said["versions"], said["why"]) == ("kept", {"all": 45}, "")
