"""``kontor fleet status``: who follows what is published, by what the devices report."""

import json
import socket
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from appliance.__main__ import main
from appliance.app.host_shards import control_path
from appliance.commands.fleet_status import Row, row_of
from appliance.commands.part import load_settings

Output = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(name: str, text: str = "") -> None:
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"schema = 1\n{text}")


PUBLISHED = {"all": 42, "groups/bonn": 7, "devices/lobby": 3}


def device(**report: object) -> dict[str, object]:
    return {"id": "lobby", "room": "main", "here": True, "report": report or None}


def test_who_follows_everything() -> None:
    row = row_of(device(at=5, config="kept", all=42, group=7, device=3, in_group="bonn"), PUBLISHED)
    assert row == Row("lobby", "main", True, {"all": 42, "group": 7, "device": 3}, {}, "kept", "", 5)
    assert row.follows


@pytest.mark.parametrize(
    ("report", "behind"),
    [
        ({"config": "kept", "all": 41, "device": 3}, {"all": 42}),
        ({"config": "kept", "all": 42, "device": 3, "in_group": "bonn"}, {"group": 7}),
        ({"config": "kept", "all": 42, "group": 6, "device": 3, "in_group": "bonn"}, {"group": 7}),
        ({"config": "reverted", "all": 42, "device": 3}, {}),
    ],
)
def test_who_does_not(report: dict[str, object], behind: dict[str, int]) -> None:
    row = row_of(device(at=5, **report), PUBLISHED)
    assert row.behind == behind
    assert not row.follows


class _Host:
    """What a running host answers on its control socket, told by a socket of its own."""

    def __init__(self, path: Path, answer: object) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.bind(str(path))
        self._socket.listen()
        self._body = json.dumps(answer).encode()
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        one, _from = self._socket.accept()
        one.recv(4096)
        head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(self._body)}\r\nConnection: close\r\n\r\n"
        one.sendall(head.encode() + self._body)
        one.close()

    def stop(self) -> None:
        self._thread.join()
        self._socket.close()


def status_of(short: Path, devices: list[dict[str, Any]], *words: str) -> int:
    write("host.toml", f'[device]\nruntime_dir = "{short}"\n')
    settings = load_settings(Path("host.toml"), ())
    assert settings is not None
    path = control_path(settings, 0)
    path.parent.mkdir(parents=True, exist_ok=True)
    host = _Host(path, {"devices": devices})
    try:
        return main(["fleet", "status", *words, "--config", "host.toml"])
    finally:
        host.stop()


def test_the_fleet_at_a_glance(capsys: Output, short_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    main(["keys", "new", "--open"])
    write("fleet/all.toml")
    write("fleet/devices/b.toml")
    main(["fleet", "publish", "public", "--from", "fleet"])
    Path("public/junk.minisig").write_text("junk")
    monkeypatch.setattr(time, "time", lambda: 1000.0)
    capsys.readouterr()
    reports: list[dict[str, Any] | None] = [
        {"at": 1000, "config": "kept", "all": 1},
        {"at": 400, "config": "reverted", "why": "the room was lost", "all": 0},
        {"at": 1000, "version": "1.0"},
        None,
        None,
    ]
    devices = [
        {"id": name, "room": "main", "here": name != "b", "report": report}
        for name, report in zip("abcde", reports, strict=True)
    ]
    devices[4]["here"] = False
    assert status_of(short_dir, devices, "public") == 0
    told = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert told == [
        "a main all 1: kept",
        "b main all 0 (published: 1), not yet its own 1: reverted (the room was lost), not in the room; last heard 10 min ago",
        "c main not yet all 1: follows no settings from afar",
        "d main has not reported since the host began",
        "e main not in the room, and has not reported",
        "1 of 5 follow what is published in public.",
    ]


def test_the_fleet_for_programs(capsys: Output, short_dir: Path) -> None:
    assert status_of(short_dir, [device(at=5, config="kept", all=42)], "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert told["devices"][0]["versions"] == {"all": 42}
    assert told["published"] == {}


def test_no_device(capsys: Output, short_dir: Path) -> None:
    assert status_of(short_dir, []) == 0
    assert capsys.readouterr().out == "The host knows no device.\n"
