"""Status socket, journal and notifications."""

import asyncio
import io
import json
import socket
import stat
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from appliance.core.events import EventName
from appliance.health import status
from appliance.health.journal import Journal
from appliance.health.notify import Notifier
from appliance.health.status import LONGEST, StatusServer, ask


class Panel:
    """Something that can be asked and watched."""

    def __init__(self) -> None:
        self.mic = "off"

    async def __call__(self, request: Mapping[str, Any]) -> Mapping[str, object]:
        if "mic" in request:
            self.mic = request["mic"]
        if self.mic == "broken":
            raise ValueError("there is no such lamp")
        return {"mic": self.mic}


@asynccontextmanager
async def served(path: Path, panel: Panel, ours: Collection[str] = ()) -> AsyncIterator[StatusServer]:
    server = StatusServer(path, {"panel": panel}, ours)
    await server.start()
    try:
        yield server
    finally:
        await server.stop()


async def test_ask_and_answer(short_dir: Path) -> None:
    path = short_dir / "status"
    async with served(path, Panel()):
        assert stat.S_IMODE(path.stat().st_mode) == 0o660
        assert await asyncio.to_thread(ask, path, {"do": "panel", "mic": "steady"}) == {"mic": "steady"}
        answer = await asyncio.to_thread(ask, path, {"do": "dance"})
        assert answer == {"error": "unknown request, allowed are: panel, watch"}
        assert await asyncio.to_thread(ask, path, {"do": "panel", "mic": "broken"}) == {
            "error": "there is no such lamp"
        }
    assert not path.exists()
    with pytest.raises(FileNotFoundError):
        ask(path, {"do": "panel"})


async def test_junk_gets_one_answer_and_too_much_ends(short_dir: Path) -> None:
    path = short_dir / "status"
    async with served(path, Panel()):
        reader, writer = await asyncio.open_unix_connection(path)
        for junk in (b"\xff\xfe\n", b"[]\n", b"{\n", b"\n", b'{"do": {}}\n'):
            writer.write(junk)
            assert "unknown request" in json.loads(await reader.readline())["error"]
        writer.write(b"x" * (LONGEST + 10))
        assert "bytes" in json.loads(await reader.readline())["error"]
        assert await reader.read() == b""
        writer.close()
        await writer.wait_closed()


async def test_watch_tells_changes_only(short_dir: Path) -> None:
    panel = Panel()
    async with served(short_dir / "status", panel):
        reader, writer = await asyncio.open_unix_connection(short_dir / "status")
        writer.write(b'{"do": "watch"}\n')
        assert json.loads(await reader.readline()) == {"mic": "off"}
        panel.mic = "steady"
        assert json.loads(await reader.readline()) == {"mic": "steady"}
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(reader.readline(), 0.2)
        writer.close()
        await writer.wait_closed()


async def test_what_is_ours_is_refused_to_others(short_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = short_dir / "status"
    async with served(path, Panel(), ours={"panel"}):
        assert await asyncio.to_thread(ask, path, {"do": "panel"}) == {"mic": "off"}, "this user's own"
        for user, told in ((0, {"mic": "off"}), (65534, {"error": "only root may ask this"})):
            monkeypatch.setattr(status, "_peer", lambda _writer, user=user: user)
            assert await asyncio.to_thread(ask, path, {"do": "panel"}) == told


async def test_a_stale_socket_is_replaced_and_a_crowd_is_refused(short_dir: Path) -> None:
    path = short_dir / "status"
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(str(path))
    async with served(path, Panel()) as server:
        crowd = [await asyncio.open_unix_connection(path) for _ in range(17)]
        assert await crowd[-1][0].read() == b""
        assert server.refused == 1
        for _, writer in crowd:
            writer.close()
            await writer.wait_closed()


def test_notifier_speaks_to_the_service_manager(short_dir: Path) -> None:
    path = short_dir / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(path))
        notifier = Notifier(str(path))
        assert notifier.tell("READY=1", "STATUS=in the room")
        assert manager.recv(100) == b"READY=1\nSTATUS=in the room"
        notifier.close()
        assert not notifier.tell("WATCHDOG=1")


def test_notifier_without_or_with_a_dead_manager_is_silent(short_dir: Path) -> None:
    assert not Notifier("").tell("READY=1")
    dead = Notifier(str(short_dir / "nobody"))
    assert not dead.tell("READY=1")
    dead.close()


def test_abstract_address() -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind("\0kontor-test-notify")
        notifier = Notifier("@kontor-test-notify")
        assert notifier.tell("WATCHDOG=1")
        assert manager.recv(100) == b"WATCHDOG=1"
        notifier.close()


def test_journal_writes_one_harmless_line_and_limits() -> None:
    out = io.StringIO()
    log = Journal("link", out)
    log.tell(EventName.KNOCKED, by="Eve\nroot: all is well")
    assert out.getvalue().count("\n") == 1
    assert out.getvalue().startswith("link: event=knocked by=")
    for _ in range(1000):
        log.tell(EventName.KNOCKED, by="Eve")
    assert out.getvalue().count("\n") < 100


def test_a_full_disk_does_not_stop_the_journal() -> None:
    class Full(io.StringIO):
        def write(self, text: str) -> int:
            raise OSError(28, "No space left on device")

    log = Journal("link", Full())
    log.tell(EventName.KNOCKED, by="Eve")
    log._out = out = io.StringIO()
    log.tell(EventName.KNOCKED, by="Eve")
    assert "knocked" in out.getvalue()
