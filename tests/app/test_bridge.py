"""``kontor bridge`` as a process between two real rooms, what status says of it, and every wrong word."""

import io
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from appliance.__main__ import main
from appliance.app import bridge_sides, bridge_words
from appliance.app.bridge import _Running
from appliance.app.bridge_sides import digest, read_side
from appliance.app.process import NotAllowed
from appliance.core.events import Severity
from appliance.core.exits import Exit
from appliance.health.journal import Journal
from appliance.health.status import ask
from appliance.rooms.bridge_end import EndSettings
from tests.contract.harness import serving, together
from tests.contract.hosted_harness import HostedRoom, HostedServer
from tests.contract.rig import member_of, tone
from tests.rooms.bridge_fakes import FakeEngine

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HostedServer]:
    with serving("hosted", tmp_path_factory.mktemp("host")) as server:
        assert isinstance(server, HostedServer)
        yield server


def link(into: HostedRoom, name: str = "bridge", **changed: Any) -> str:
    return f"{into.url}/{into.room}#{into.token(name, **{'kind': 'bridge', **changed})}"


def file_with(folder: Path, text: str, name: str = "side") -> Path:
    path = folder / name
    path.write_text(text)
    path.chmod(0o600)
    return path


def settings_with(folder: Path, room: HostedRoom, name: str) -> Path:
    token = file_with(folder, room.token("bridge", kind="bridge"), f"{name}.token")
    text = f'schema = 1\n[room]\nurl = "{room.url}"\nid = "{room.room}"\ntoken_file = "{token}"\n'
    return file_with(folder, text, f"{name}.toml")


class Process:
    """The command, in a process of its own."""

    def __init__(self, folder: Path, *sides: str) -> None:
        self.runtime = folder / "run"
        self.runtime.mkdir(exist_ok=True)
        self.said = folder / "said"
        with self.said.open("w") as out:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "appliance", "bridge", *sides],
                stdout=out,
                stderr=out,
                cwd=ROOT,
                env={**os.environ, "RUNTIME_DIRECTORY": str(self.runtime)},
            )

    def status(self) -> Mapping[str, Any]:
        return ask(self.runtime / "bridge.status", {"do": "status"})

    def until_open(self, seconds: float = 20.0) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            try:
                said = self.status()
            except OSError:
                said = {}
            if said and not said["a"]["closed"] and not said["b"]["closed"]:
                return
            time.sleep(0.1)
        raise AssertionError(self.said.read_text())

    def end(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(10)


@pytest.mark.timeout(120)
async def test_it_runs_by_a_link_and_by_settings_and_ends_in_order(
    host: HostedServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import asyncio

    a, b = host.room(), host.room()
    ada, ben = a.person("ada"), b.person("ben")
    process = Process(tmp_path, str(file_with(tmp_path, link(a) + "\n")), str(settings_with(tmp_path, b, "b")))
    try:
        async with together(ada, ben):
            await asyncio.to_thread(process.until_open)
            ada.open(tone(440))
            await ben.hear(440)
            await asyncio.sleep(0.5)
            said = await asyncio.to_thread(process.status)
            assert said["b"]["added_ms"] > 20
            assert said["a"]["names"] == ["Ada"]
            assert said["counters"]["proof_violations"] == 0
            monkeypatch.setattr("appliance.app.bridge.SYSTEM", process.runtime.parent)
            assert await asyncio.to_thread(main, ["status"]) == 0
            lines = capsys.readouterr().out
            assert f"bridge       {a.room} and {b.room}" in lines
            assert "here     Ada; speaking: Ada" in lines
            assert f"ms later than {a.room} itself" in lines
            assert await asyncio.to_thread(main, ["status", "--json"]) == 0
            assert json.loads(capsys.readouterr().out)["bridges"][0]["part"] == "bridge"
            assert await asyncio.to_thread(process.end) == 0
            await ben.until(lambda: member_of(ben, "bridge") is None)
    finally:
        process.process.kill()
        process.process.wait()
    said_text = process.said.read_text()
    assert "event=bridge_started" in said_text and "adds_at_least_ms=31.5" in said_text
    assert "event=bridge_delay" in said_text
    assert "event=bridge_stopped" in said_text
    assert "Ada" not in said_text, "a person's name is nothing for a journal"


@pytest.mark.timeout(120)
def test_a_room_that_refuses_it_ends_it_with_one_sentence(host: HostedServer, tmp_path: Path) -> None:
    a, b = host.room(), host.room()
    process = Process(tmp_path, link(a), link(b, key_id="k0"))
    assert process.process.wait(30) == Exit.CONFIGURATION
    said = process.said.read_text()
    assert f"kontor bridge: {b.room} (B): The room does not accept this key." in said
    assert "who lists this machine's processes can read the link" in said
    assert b.token("bridge", kind="bridge").split(".")[0] not in said


WRONG: Mapping[str, tuple[dict[str, Any], str]] = {
    "for a person": ({"kind": "person"}, "is for a person: as such a bridge could not say whom it brings."),
    "for a listener": ({"role": "listener"}, "is for a listener, who may not speak."),
    "expired": ({"expires": 1}, "has expired."),
    "of another room": ({"room": "elsewhere"}, "is for the room elsewhere, not for"),
}


@pytest.mark.parametrize("what", WRONG)
def test_a_link_of_the_wrong_kind_is_told_apart_beforehand(host: HostedServer, what: str) -> None:
    changed, says = WRONG[what]
    with pytest.raises(NotAllowed) as caught:
        read_side(link(host.room(), **changed))
    assert says in str(caught.value)
    assert "kontor host link ROOM --bridge" in str(caught.value)


@pytest.mark.parametrize(
    ("word", "says"),
    [
        ("http://host/room", "is no link into a room"),
        ("http://host/#TOKEN.SECRET", "is no link into a room"),
        ("http://host/room#SECRET.SECRET", "This link is not valid."),
        ("http://host/room#SECRET", "This link is not valid."),
        (f"http://host/room#{'S' * 2000}", "This link is not valid."),
        ("http://host/#SECRET.ONE&SECRET.TWO", "leads into several rooms"),
        ("http://[::/room#SECRET", "is no link."),
        ("  http://host/room#SECRET.SECRET ", "This link is not valid."),
        ("host/room#SECRET.SECRET", "host/room#… is neither a file nor a link"),
    ],
)
def test_what_is_no_link_is_told_without_its_token(word: str, says: str) -> None:
    with pytest.raises(NotAllowed) as caught:
        read_side(word)
    assert says in str(caught.value)
    assert "SECRET" not in str(caught.value) and "SSS" not in str(caught.value)


def test_wrong_files_are_told_with_their_side(
    host: HostedServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    open_to_all = file_with(tmp_path, link(host.room()), "open")
    open_to_all.chmod(0o644)
    no_token = file_with(tmp_path, 'schema = 1\n[room]\nurl = "http://host"\n', "no_token.toml")
    nonsense = file_with(tmp_path, "schema = 1\n[room]\nidd = 3\n", "nonsense.toml")
    for path, says in (
        (tmp_path / "nothing", "No such file or directory. Name a file with settings, or with a link."),
        (open_to_all, "is open to everybody on this machine"),
        (no_token, "[room] token_file is missing: a bridge comes in by a link."),
        (nonsense, "idd"),
    ):
        assert main(["bridge", str(path), link(host.room())]) == Exit.CONFIGURATION
        said = capsys.readouterr().err
        assert "kontor bridge: side A:" in said and says in said
        assert "side B" not in said


def test_one_room_twice_is_told(host: HostedServer, capsys: pytest.CaptureFixture[str]) -> None:
    room = host.room()
    assert main(["bridge", link(room), link(room, "other")]) == Exit.CONFIGURATION
    assert f"both sides are the same room, {room.room}: name another one." in capsys.readouterr().err


def test_without_two_sides_the_command_line_is_wrong(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["bridge", "one"])
    assert ended.value.code == Exit.USAGE
    assert "usage: kontor bridge" in capsys.readouterr().err


def test_one_room_has_one_digest_however_its_address_is_written(host: HostedServer) -> None:
    room = host.room()
    here = read_side(link(room))
    assert here.digest == read_side(link(room, "other").replace("http://127", "HTTP://127")).digest
    assert here.digest != read_side(link(host.room())).digest
    assert digest("hosted host:443", "a") != digest("hosted host:443a", "")


@pytest.mark.parametrize(
    ("host", "everywhere"), [("room.example.org", True), ("kontor.local", False), ("10.1.2.3", False)]
)
def test_an_address_of_ones_own_network_is_another_room_on_another_machine(
    host: str, everywhere: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two offices with a server at kontor.local are no ring when both are bridged into a third room."""

    def told(machine: str) -> str:
        monkeypatch.setattr(bridge_sides, "_machine", lambda: machine)
        return digest(bridge_sides._of_host(f"https://{host}:8443"), "main")

    assert (told("bonn") == told("berlin")) is everywhere
    assert told("bonn") == told("bonn")


async def test_that_it_stands_aside_is_a_warning_and_that_this_is_over_is_none() -> None:
    ends = [EndSettings(FakeEngine(), name, f"own-{name}", name * 8) for name in "ab"]
    journals = {least: io.StringIO() for least in (Severity.WARNING, Severity.INFO)}
    for least, out in journals.items():
        running = _Running(ends[0], ends[1], Journal("bridge", out, least), stands_aside=True)
        for aside in ("They are connected already.", "They are connected already.", ""):
            running.bridge.rings.aside = aside
            running._changed()
    told = 'bridge: event=bridge_aside why="They are connected already."\n'
    assert journals[Severity.WARNING].getvalue() == told
    lines = [line for line in journals[Severity.INFO].getvalue().splitlines(keepends=True) if "aside" in line]
    assert lines == [told, "bridge: event=bridge_aside_over\n"]


def test_what_a_side_does_not_hear_is_said_in_words() -> None:
    side = {
        "room": "Berlin",
        "engine": "janus",
        "phase": "reconnecting",
        "why": "The server does not answer.",
        "names": ["Ada", "Ben"],
        "more": 3,
        "speaking": [],
        "closed": ["away", "newer"],
        "recorded": True,
        "added_ms": None,
        "limits": ["Levels: only on or off"],
        "proof": {"violations": 1, "why": "a tone"},
    }
    said = {"a": side, "b": {**side, "room": "main", "closed": [], "names": [], "more": 0}}
    assert bridge_words.bridge({**said, "aside": "They are connected already."})[1] == (
        "  stands aside: They are connected already."
    )
    lines = bridge_words.bridge(said)
    assert lines[:6] == [
        "bridge       Berlin and main",
        "  Berlin: reconnecting (The server does not answer.), janus, recorded",
        "    here     Ada, Ben +3",
        "    hears    nothing of main: the bridge is not in both rooms, newer",
        "             limited: Levels: only on or off",
        "    proof    VIOLATED (a tone)",
    ]
    assert "    hears    Berlin" in lines
    assert "    here     nobody" in lines
