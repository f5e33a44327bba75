"""``kontor status --privacy`` tells what leaves the machine; metrics, journal and bundle name nobody and tell no level."""

import asyncio
import gzip
import io
import json
import re
import tarfile
from pathlib import Path
from typing import Any

import pytest

from appliance.__main__ import main
from appliance.app import bundle
from appliance.app.privacy import privacy
from appliance.commands import status
from appliance.health.status import StatusServer
from appliance.settings import Settings, Source, load

SOUND: dict[str, Any] = {"gate": "closed", "reasons": ["switch", "door"], "recording": False}


def settings(folder: Path, more: str = "") -> Settings:
    return load([Source("k.toml", f'schema = 1\n[device]\nname = "Kitchen"\n{more}'.encode(), folder)], ())


def told(folder: Path, more: str = "", **found: Any) -> dict[str, str]:
    return dict(privacy(settings(folder, more), found))


def test_the_microphone_in_words(tmp_path: Path) -> None:
    assert told(tmp_path)["microphone"] == "not running"
    closed = told(tmp_path, sound=SOUND)["microphone"]
    assert closed == "closed (switch, door): no sound, no level and no direction leaves"
    assert told(tmp_path, sound=SOUND | {"gate": "open", "reasons": []})["microphone"].startswith("OPEN")


def test_who_could_hear_the_room(tmp_path: Path) -> None:
    assert told(tmp_path)["goes to"] == "nobody: no room is named"
    assert told(tmp_path, "[host]\nenabled = true")["goes to"] == "nobody: no room is named"
    far = told(tmp_path, '[room]\nurl = "https://rooms.example.org"\nid = "kitchen"')["goes to"]
    assert far.startswith("rooms.example.org, room kitchen: that server ends the encryption")
    assert "(without https)" in told(tmp_path, '[room]\nurl = "http://192.0.2.7:8080"')["goes to"]


@pytest.mark.parametrize(
    ("section", "to"),
    [
        ('[janus]\nurl = "wss://janus.example.org/janus"\nroom = 7', "janus.example.org, room 7 of janus: that server"),
        ('[janus]\nurl = "ws://192.168.1.7:8188"\nroom = 7', "192.168.1.7 (without TLS), room 7 of janus: that server"),
        (
            '[livekit]\nurls = ["wss://a.example.org", "wss://b.example.org"]\napi_key = "k"\napi_secret_file = "secret"',
            "a.example.org, b.example.org, room main of livekit: that server",
        ),
    ],
)
def test_who_could_hear_a_room_of_another_engine(tmp_path: Path, section: str, to: str) -> None:
    (tmp_path / "secret").write_text("hunter2-hunter2-hunter2")
    (tmp_path / "secret").chmod(0o600)
    engine = section[1 : section.index("]")]
    says = told(tmp_path, f'[room]\nengine = "{engine}"\n{section}')
    assert says["goes to"].startswith(to)
    assert "lamps" not in says["shown there"]
    assert "hunter2" not in str(says)


def test_what_is_off_by_default_and_what_was_switched_on(tmp_path: Path) -> None:
    off = told(tmp_path, sound=SOUND)
    assert off["direction"] == "not told"
    assert off["bundle"].startswith("not handed out")
    handed = told(tmp_path, "[room]\nsupport_bundle = true")["bundle"]
    assert handed.startswith("an admin of the room may fetch one")
    assert off["recording"].startswith("none is announced")
    assert off["metrics"] == "off"
    assert off["settings"] == "from this machine alone"
    assert off["to the makers"].startswith("nothing")
    assert not {"host", "relay", "sign-on", "announced", "updates"} & set(off)
    updates = told(tmp_path, '[update]\nurl = "https://updates.example.org/kontor"')["updates"]
    assert updates.startswith("looked for at updates.example.org,")
    on = told(
        tmp_path,
        '[audio]\ndirection = true\n[metrics]\nlisten = "127.0.0.1:9464"\nhost_listen = "127.0.0.1:9465"',
        sound={"gate": "open", "reasons": [], "recording": True},
    )
    assert on["direction"].startswith("told to the room")
    assert on["recording"].startswith("somebody in the room records it")
    assert on["metrics"].startswith("at 127.0.0.1:9464 and 127.0.0.1:9465: no names")


def test_a_host_says_that_it_could_hear(tmp_path: Path) -> None:
    secret = tmp_path / "turn"
    secret.write_text("x" * 32)
    secret.chmod(0o600)
    host = told(
        tmp_path,
        f'[host]\nlast_spoke = true\n[host.turn]\nurls = ["turn:turn.example.org"]\nsecret_file = "{secret}"\n'
        '[host.proxy]\ntrusted = ["127.0.0.1"]\nname_header = "X-User"\n[[host.rooms]]\nid = "kitchen"',
    )
    assert "ends the encryption of all members" in host["host"]
    assert "turn:turn.example.org" in host["relay"]
    assert "X-User" in host["sign-on"]
    assert "told to whoever may enter" in host["last spoke"]
    assert "last spoke" not in told(tmp_path, '[[host.rooms]]\nid = "kitchen"')


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = tmp_path / "k.toml"
    config.write_text(f'schema = 1\n[device]\nname = "Kitchen"\nruntime_dir = "{tmp_path}"\n')
    assert main(["status", "--privacy", "--config", str(config)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "microphone    not running"
    assert max(map(len, lines)) <= 110
    assert main(["status", "--privacy", "--json", "--config", str(config)]) == 0
    assert json.loads(capsys.readouterr().out)["metrics"] == "off"
    config.write_text("schema = 1\n[device]\nnaem = 1\n")
    assert main(["status", "--privacy", "--config", str(config)]) == 78
    assert 'Did you mean "name"?' in capsys.readouterr().err


def test_status_is_asked_of_the_device_whose_settings_are_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tmp_path / "k.toml"
    config.write_text(f'schema = 1\n[device]\nruntime_dir = "{tmp_path}"\n')
    monkeypatch.setattr(status, "read", lambda folder: {"at": str(folder)} if folder == tmp_path else {})
    assert main(["status", "--json", "--config", str(config)]) == 0
    assert json.loads(capsys.readouterr().out) == {"at": str(tmp_path)}
    config.write_text("schema = 1\n[device]\nnaem = 1\n")
    assert main(["status", "--config", str(config)]) == 78


# ---- the bundle

SECRET = "s3cr3t-Wort-9f2c"
PERSON = "Lena Brandt"


@pytest.fixture
def device(short_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A device with secrets and names wherever there can be any; returns its settings."""
    for name in ("token", "wifi", "turn", "key"):
        (short_dir / name).write_text(SECRET * 4)
        (short_dir / name).chmod(0o600)
    config = short_dir / "kontor.toml"
    config.write_text(f"""schema = 1
[device]
name = "Büro {PERSON}"
id = "buero-lena-brandt"
state_dir = "{short_dir}"
runtime_dir = "{short_dir}"
[room]
url = "https://rooms.example.org"
token_file = "token"
[host.turn]
urls = ["turn:turn.example.org"]
secret_file = "turn"
[[host.rooms]]
id = "kitchen"
title = "{PERSON} und Team"
[[host.devices]]
id = "lena-brandt-box"
name = "{PERSON}"
room = "kitchen"
public_key = "{"A" * 43}="
[[network.wifi]]
ssid = "Netz {PERSON}"
security = "personal"
password_file = "wifi"
""")
    monkeypatch.chdir(short_dir)
    return config


def unpacked(path: Path) -> dict[str, str]:
    with tarfile.open(fileobj=io.BytesIO(gzip.decompress(path.read_bytes()))) as archive:
        return {
            member.name.partition("/")[2]: file.read().decode()
            for member in archive
            if (file := archive.extractfile(member)) is not None
        }


SAID: dict[str, dict[str, object]] = {
    "sound": {
        "gate": "open",
        "microphone": -23.4,
        "loudspeaker": -31.7,
        "direction": 77,
        "muted_since": None,
        "pid": 1,
    },
    "link": {
        "phase": "in_room",
        "speaking": [PERSON],
        "members": 7,
        "why": f"{PERSON} came",
        "counters": {"joins": 1},
    },
    "provision": {
        "config": {"state": "kept"},
        "found": [{"name": PERSON}],
        "network": {"connections": [{"name": PERSON}]},
    },
}
"""What the parts of a device in a call answer to "status", as far as it matters for a bundle."""


def answering(folder: Path, part: str) -> StatusServer:
    async def answer(_: object) -> dict[str, object]:
        return SAID[part]

    return StatusServer(folder / f"{part}.status", {"status": answer})


async def test_a_bundle_has_no_secret_no_name_and_no_level(device: Path, capsys: pytest.CaptureFixture[str]) -> None:
    servers = [answering(device.parent, part) for part in SAID]
    for server in servers:
        await server.start()
    try:
        code = await asyncio.to_thread(main, ["doctor", "--bundle", "b.tar.gz", "--config", str(device)])
    finally:
        for server in servers:
            await server.stop()
    out = capsys.readouterr()
    assert (code, out.err) == (0, "")
    assert "Look through it before you send it on" in out.out
    files = unpacked(device.parent / "b.tar.gz")
    assert set(files) >= {"README.txt", "versions.json", "machine.json", "status.json", "settings.toml", "journal.txt"}
    whole = "\n".join(files.values())
    assert not re.search(f"{SECRET}|lena|brandt", whole, re.IGNORECASE)
    assert not re.search(r"-23\.4|-31\.7|\b77\b", files["status.json"])
    status = json.loads(files["status.json"])
    assert status == {
        "sound": {"gate": "open", "pid": 1},
        "link": {"phase": "in_room", "counters": {"joins": 1}},
        "provision": {"config": {"state": "kept"}},
    }
    assert 'url = "https://rooms.example.org"' in files["settings.toml"], "what a helper needs is there"
    assert 'name = "(left out)"' in files["settings.toml"]
    assert str(device.parent / "wifi") in files["files.txt"]
    assert oct((device.parent / "b.tar.gz").stat().st_mode)[-3:] == "600"


def test_a_bundle_of_a_device_with_wrong_settings_says_what_is_wrong(
    device: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    device.write_text("schema = 1\n[audio]\nfrane_ms = 10\n")
    assert main(["doctor", "--bundle", "b.tar.gz", "--config", str(device)]) == 0
    told = unpacked(device.parent / "b.tar.gz")["settings.toml"]
    assert told.startswith("# ")
    assert 'Did you mean "frame_ms"?' in told
    assert main(["doctor", "--bundle", "b.tar.gz", "--config", str(device)]) == 73
    assert "b.tar.gz cannot be made: File exists" in capsys.readouterr().err
    assert main(["doctor", "--config", str(device), "--bundle"]) == 0
    assert len(list(device.parent.glob("kontor-2*.tar.gz"))) == 1


def test_the_journal_is_asked_for_our_units_alone() -> None:
    asked: list[list[str]] = []

    def run(command: list[str]) -> str:
        asked.append(command)
        return f"said by {command[0]}\n"

    files = bundle.collect("schema = 1\n", {}, [], run)
    assert files["journal.txt"] == b"said by journalctl\n"
    assert files["units.txt"] == b"said by systemctl\n"
    assert {word for word in asked[0] if word.startswith("--unit=")} == {
        "--unit=kontor-sound",
        "--unit=kontor-link",
        "--unit=kontor-provision",
        "--unit=kontor-host",
        "--unit=kontor",
    }
    assert bundle.output_of(["no-such-program-here"]) == ""


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ('name = "a # b"', 'name = "(left out)"'),
        ('name = "x"      # k.toml:3', 'name = "(left out)"      # k.toml:3'),
        ('[device]\nid = "x"', '[device]\nid = "(left out)"'),
        ('[[host.rooms]]\nid = "x"', '[[host.rooms]]\nid = "x"'),
        ('[[host.devices]]\nid = "x"', '[[host.devices]]\nid = "(left out)"'),
        ("# name is not set", "# name is not set"),
    ],
)
def test_names_are_left_out_of_settings(line: str, shown: str) -> None:
    assert bundle.without_names(line) == shown + "\n"
