"""The demo's own parts: the panel's route, ports, folders, speech, and what ``kontor status`` prints."""

import asyncio
import contextlib
import errno
import json
import socket
import threading
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import aiohttp
import numpy as np
import pytest
from aiohttp import WSMsgType, web

from appliance.app import demo, places, speech
from appliance.app.demo import Wishes, free_port, main, own_address, ssh_address
from appliance.app.panel_route import PanelRoute
from appliance.app.process import NotAllowed
from appliance.audio.virtual import read_wav
from appliance.commands import status
from appliance.core.levels import dbov
from appliance.health.status import StatusServer
from tests.app.parts import journal


class Site:
    """The route, served, with a status socket of sound behind it."""

    def __init__(self, folder: Path, port: int) -> None:
        self.panel = PanelRoute(folder / "sound.status")
        self.url = f"http://127.0.0.1:{port}/demo/panel"
        self.moved: list[Mapping[str, Any]] = []
        self.state: dict[str, object] = {"gate": "open"}
        self.status = StatusServer(folder / "sound.status", {"panel": self._moved})

    async def _moved(self, request: Mapping[str, Any]) -> Mapping[str, object]:
        if len(request) > 1:
            self.moved.append(request)
        return dict(self.state)


@contextlib.asynccontextmanager
async def site(folder: Path, port: int) -> AsyncIterator[tuple[Site, aiohttp.ClientSession]]:
    served = Site(folder, port)
    app = web.Application()
    app.router.add_routes([served.panel.route])
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    await served.status.start()
    try:
        async with aiohttp.ClientSession() as http:
            yield served, http
    finally:
        await served.status.stop()
        await runner.cleanup()


async def test_the_word_works_once_and_the_key_again(short_dir: Path, free_port: int) -> None:
    async with site(short_dir, free_port) as (served, http):
        async with http.ws_connect(served.url) as page:
            await page.send_json({"token": served.panel.token})
            key = (await page.receive_json())["token"]
            assert await page.receive_json() == {"gate": "open"}
            served.state["gate"] = "closed"
            assert await page.receive_json() == {"gate": "closed"}
        for token in (served.panel.token, "guess", "ü", None, 3):
            async with http.ws_connect(served.url) as page:
                await page.send_json({"token": token})
                assert (await page.receive()).type is WSMsgType.CLOSE
                assert page.close_code == 4401
        async with http.ws_connect(served.url) as page:
            await page.send_json({"token": key})
            assert (await page.receive_json())["token"] == key


async def test_moves_reach_the_panel_and_junk_ends_it(short_dir: Path, free_port: int) -> None:
    async with site(short_dir, free_port) as (served, http), http.ws_connect(served.url) as page:
        await page.send_json({"token": served.panel.token})
        await page.receive_json()
        await page.send_json({"switch": "closed"})
        await page.send_json({"press": "door"})
        async with asyncio.timeout(5):
            while len(served.moved) < 2:
                await asyncio.sleep(0.01)
        assert served.moved == [{"do": "panel", "switch": "closed"}, {"do": "panel", "press": "door"}]
        await page.send_json({"do": "status"})
        async for _message in page:
            pass
        assert page.close_code == 4400


@pytest.mark.parametrize("hello", ["junk", "[]", "{}", "1" * 2000])
async def test_a_foreign_hello_is_refused(short_dir: Path, free_port: int, hello: str) -> None:
    async with site(short_dir, free_port) as (served, http), http.ws_connect(served.url) as page:
        await page.send_str(hello)
        assert (await page.receive()).type in {WSMsgType.CLOSE, WSMsgType.CLOSED}


async def test_a_foreign_page_may_not_even_ask(short_dir: Path, free_port: int) -> None:
    async with site(short_dir, free_port) as (served, http):
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await http.ws_connect(served.url, headers={"Origin": "https://example.org"})
        assert refused.value.status == 403


async def test_closing_sends_everybody_away_at_once(short_dir: Path, free_port: int) -> None:
    async with site(short_dir, free_port) as (served, http), http.ws_connect(served.url) as page:
        await page.send_json({"token": served.panel.token})
        await page.receive_json()
        assert await page.receive_json() == {"gate": "open"}
        # The other one reads nothing, and has said nothing.
        async with http.ws_connect(served.url) as silent, asyncio.timeout(0.9):
            await served.panel.close()
            assert (await page.receive()).type is WSMsgType.CLOSE
            assert (page.close_code, silent.closed) == (1001, False)


async def test_sound_that_is_gone_is_waited_for(short_dir: Path, free_port: int) -> None:
    async with site(short_dir, free_port) as (served, http), http.ws_connect(served.url) as page:
        await page.send_json({"token": served.panel.token})
        await page.receive_json()
        assert await page.receive_json() == {"gate": "open"}
        await served.status.stop()
        await page.send_json({"switch": "closed"})
        await served.status.start()
        assert await page.receive_json() == {"gate": "open"}


def test_the_next_free_port_is_taken() -> None:
    with socket.socket() as tcp, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        tcp.bind(("127.0.0.1", 0))
        tcp.listen()
        first = tcp.getsockname()[1]
        with contextlib.suppress(OSError):
            udp.bind(("127.0.0.1", first + 1))
        assert first + 2 <= free_port("127.0.0.1", first) < first + 100


@pytest.mark.parametrize(
    ("family", "kind", "address"),
    [(socket.AF_INET6, socket.SOCK_STREAM, "::1"), (socket.AF_INET, socket.SOCK_DGRAM, "127.0.0.9")],
)
def test_a_port_is_not_free_when_a_browser_or_a_packet_would_meet_another_there(
    family: socket.AddressFamily, kind: socket.SocketKind, address: str
) -> None:
    with socket.socket(family, kind) as other:
        try:
            other.bind((address, 0))
        except OSError:
            pytest.skip("this machine has no IPv6")
        if kind is socket.SOCK_STREAM:
            other.listen()
        taken = other.getsockname()[1]
        assert free_port("127.0.0.1", taken, "0.0.0.0") > taken  # as over SSH


def test_no_free_port_is_told() -> None:
    with pytest.raises(NotAllowed, match="--port"):
        free_port("203.0.113.7", 8080)


def test_sound_takes_an_address_of_this_machine_where_it_has_one() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        address = own_address() or "127.0.0.1"
        probe.bind((address, 0))  # it is ours
        assert address.startswith("127.") == (own_address() == "")


def test_the_address_over_ssh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SSH_CONNECTION", raising=False)
    assert ssh_address() == ""
    monkeypatch.setenv("SSH_CONNECTION", "127.0.0.1 50000 127.0.0.9 22")
    assert ssh_address() == "127.0.0.9"
    monkeypatch.setenv("SSH_CONNECTION", "198.51.100.2 50000 198.51.100.9 22")
    assert ssh_address() == "", "left over from a session of before, when this machine had another address"
    monkeypatch.setenv("SSH_CONNECTION", "2001:db8::2 50000 2001:db8::9 22")
    assert ssh_address() == ""


async def test_a_folder_of_somebody_else_is_refused(short_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(short_dir))
    (short_dir / "kontor-demo").mkdir()
    (short_dir / "kontor-demo").chmod(0o777)
    with pytest.raises(NotAllowed, match="not a folder of this user alone"):
        await main(Wishes(), asyncio.Event(), journal()[0])


async def test_a_full_disk_is_told_with_the_way_out(short_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> Path:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setenv("XDG_RUNTIME_DIR", str(short_dir))
    monkeypatch.setattr(demo, "write_config", full)
    with pytest.raises(NotAllowed, match=f"make room in {short_dir}/kontor-demo"):
        await main(Wishes(microphone="silence"), asyncio.Event(), journal()[0])
    assert not list((short_dir / "kontor-demo").iterdir())


async def test_an_end_while_the_speech_is_prepared_is_no_failure(
    short_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def never(*_: object) -> tuple[str, str]:
        await asyncio.sleep(60)
        raise AssertionError

    monkeypatch.setenv("XDG_RUNTIME_DIR", str(short_dir))
    monkeypatch.setattr(demo, "prepare_speech", never)
    stop = asyncio.Event()
    asyncio.get_running_loop().call_later(0.05, stop.set)
    async with asyncio.timeout(5):
        await main(Wishes(), stop, journal()[0])
    assert not [path for path in (short_dir / "kontor-demo").iterdir() if path.is_dir()], "nothing is left behind"


async def test_speech_that_nobody_waits_for_any_more_is_not_prepared_on(
    short_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    killed = asyncio.Event()

    class Decoding:
        async def wait(self) -> int:
            return await asyncio.sleep(60, 0)

        def kill(self) -> None:
            killed.set()

    async def start(*_: object, **__: object) -> Decoding:
        return Decoding()

    monkeypatch.setattr(asyncio, "create_subprocess_exec", start)
    task = asyncio.create_task(demo.prepare_speech(short_dir / "8080", "speech"))
    await asyncio.sleep(0.01)
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled() and killed.is_set()


def test_one_demo_starts_at_a_time(short_dir: Path) -> None:
    entered = threading.Event()

    def other() -> None:
        with places.one_at_a_time(short_dir):
            entered.set()

    thread = threading.Thread(target=other)
    with places.one_at_a_time(short_dir):
        thread.start()
        assert not entered.wait(0.1)
    thread.join(2)
    assert entered.is_set()


def test_where_devices_are_looked_for(short_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(short_dir))
    assert places.runtime_folders() == [places.SYSTEM]
    places.private_folder(places.demo_base() / "8080")
    assert places.runtime_folders() == [places.SYSTEM, short_dir / "kontor-demo" / "8080"]
    monkeypatch.delenv("XDG_RUNTIME_DIR")
    assert places.demo_base().name.startswith("kontor-demo-")


def test_without_a_recording_the_voice_is_made_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(speech.FOLDER, str(tmp_path))
    assert speech.prepare(tmp_path / "voice.wav") == speech.SYNTHETIC
    sound = read_wav(tmp_path / "voice.wav")
    levels = [dbov(part) for part in np.split(sound[: 19 * 48_000], 190)]
    assert len(sound) == 20 * 48_000
    assert min(levels) < -100 < -35 < max(levels), "it has pauses and is loud enough to be speech"


async def test_status_tells_people(short_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from appliance.__main__ import main as kontor

    assert await asyncio.to_thread(kontor, ["status", "--runtime", str(short_dir)]) == 75
    assert "kontor demo" in capsys.readouterr().err
    sound = {
        "gate": "closed",
        "reasons": ["switch", "door"],
        "microphone": None,
        "loudspeaker": -23.4,
        "volume": -6,
        "under_runs": 2,
        "door": "listening",
        "quiet": None,
        "panel_problem": "MUTE (GPIO 17) cannot be had",
        "lamps": {"mic": "steady", "room": "slow", "speak": "off", "fault": "off"},
        "proof": {"engine": "exchange", "violations": 0, "why": "", "checked_ago": 0.2},
    }

    async def answer(_request: Mapping[str, Any]) -> Mapping[str, object]:
        return sound

    server = StatusServer(short_dir / "sound.status", {"status": answer})
    await server.start()
    try:
        assert await asyncio.to_thread(kontor, ["status", "--runtime", str(short_dir)]) == 0
        text = capsys.readouterr().out
        assert "closed by: switch, door" in text
        assert "MIC on · ROOM pulsing · SPEAK off · FAULT off" in text
        assert "limited: MUTE (GPIO 17) cannot be had" in text
        assert "exchange: no block left while muted, checked 0 s ago" in text
        assert "link is not running" in text
        assert await asyncio.to_thread(kontor, ["status", "--json", "--runtime", str(short_dir)]) == 0
        assert json.loads(capsys.readouterr().out) == {"sound": sound}
    finally:
        await server.stop()


def test_status_of_the_front_end() -> None:
    sound = {
        "gate": "open",
        "reasons": [],
        "microphone": -30.0,
        "loudspeaker": -127.0,
        "volume": 0,
        "under_runs": 0,
        "door": "open",
        "quiet": None,
        "lamps": {"mic": "off", "room": "steady", "speak": "off", "fault": "slow"},
        "proof": {"engine": "exchange", "violations": 0, "why": "", "checked_ago": None},
        "front_end": {
            "array": "respeaker_usb_4",
            "chain": ["aec3", "noise suppression", "limiter"],
            "delay_ms": 12.3,
            "degraded": "aec3 instead of full duplex (FloatingPointError: diverged)",
        },
    }
    lines = status.describe({"sound": sound})
    assert "front end    respeaker_usb_4: aec3, noise suppression, limiter, 12 ms behind the card" in lines
    assert "             limited: aec3 instead of full duplex (FloatingPointError: diverged)" in lines


@pytest.mark.parametrize(
    ("quiet", "lines"),
    [
        (None, ["door         closed"]),
        ({}, ["door         closed, quiet hours until Mon 07:00"]),
        ({"opens_soon": True}, ["door         closed, quiet hours until Mon 07:00, opens soon"]),
        ({"holds": False, "until_words": ""}, ["door         closed"]),
        (
            {"clock_trusted": False, "until_words": ""},
            [
                "door         closed, quiet hours",
                "             the time is not known yet: quiet hours can begin and not end",
            ],
        ),
    ],
)
def test_status_of_the_door(quiet: dict[str, object] | None, lines: list[str]) -> None:
    known = {"holds": True, "until_words": "Mon 07:00", "clock_trusted": True, "opens_soon": False}
    assert status._describe_door("closed", None if quiet is None else known | quiet) == lines


def test_status_of_link() -> None:
    link = {
        "phase": "in_room",
        "why": "",
        "engine": "hosted",
        "room": "studio",
        "members": 2,
        "speaking": ["Ben"],
        "proof": {"engine": "hosted", "violations": 0, "why": "", "checked_ago": None},
    }
    text = "\n".join(status.describe({"link": link}))
    assert "in room, hosted: studio, 2 here" in text
    assert "sound is not running, so nobody is heard" in text
    assert "hosted: no block left while muted, not checked yet" in text
    link["proof"] = {"engine": "hosted", "violations": 0, "why": "", "checked_ago": 3.4}
    assert status.describe({"link": link})[-1] == "proof        hosted: no block left while muted, checked 3 s ago"
    link["proof"] = {"engine": "hosted", "violations": 2, "why": "sound left", "checked_ago": 3.4}
    assert "VIOLATED (sound left): closed until a hand at the device acts" in status.describe({"link": link})[-1]
