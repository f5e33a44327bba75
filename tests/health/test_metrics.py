"""Figures for Prometheus: which there are, that promtool takes them, and how they are served."""

import asyncio
import itertools
import json
import re
import socket
import subprocess
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from appliance.core.controls import Controls, Door, MuteControl, Reason
from appliance.core.counters import HELP
from appliance.core.lamps import Health, LinkPhase, Room, lamps
from appliance.core.state import (
    Backends,
    FrontEndState,
    HostState,
    LinkState,
    ProofState,
    RoomState,
    SoundState,
    WayState,
)
from appliance.health import families, metrics
from appliance.health.journal import Journal
from appliance.health.machine import Machine, own_process
from appliance.health.metrics import Metrics, text
from tests.app.parts import journal
from tests.support.need import need

ROOT = Path(__file__).parents[2]
RULES = ROOT / "deploy" / "prometheus"
COUNTED = dict.fromkeys(HELP, 3)
MACHINE = Machine(5000.0, 0.5, 10**8, 51.5, ("hot",), ("hot",), True, {"mmcblk0": 0.2}, 123_456, 10**9)
CONTROLS = Controls(MuteControl.MOMENTARY, held=frozenset({Reason.ADMIN}), door=Door.LISTENING)
SOUND = SoundState(
    controls=CONTROLS,
    lamps=lamps(CONTROLS, Room(LinkPhase.IN_ROOM, Health.HEALTHY, False, -20.0)),
    backends=Backends("hw:1", "hw:1", "gpio"),
    loudspeaker=-23.4,
    front_end=FrontEndState("array", ("echo",), us_per_block=650, degraded="one microphone is dead"),
    counters=COUNTED,
)
LINK = LinkState(
    "hosted",
    LinkPhase.RECONNECTING,
    members=7,
    speaking=("Lena Brandt",),
    proof=ProofState(violations=1),
    way=WayState(20.0, 0.25, 3.0, 60.0, relayed=True),
    counters=COUNTED,
)
CONFIG = {"state": "kept", "digest": "ab12cd34", "versions": {"all": 42, "device": 3}}
UPDATE = {"state": "refused", "kind": "foreign_key", "slot": "a", "version": "0.8.0", "fetched": 4096}
PROVISION = {"config": CONFIG, "recovery": {"steps": {"reboot": 1}}, "counters": {}, "update": UPDATE}
HOST = HostState((RoomState("annex", 3, 2, 1), RoomState("attic", 1, 1)), counters=COUNTED)


def device(**changed: Any) -> str:
    given = {
        "link": LINK.as_dict() | own_process(),
        "sound": SOUND.as_dict() | own_process(),
        "provision": PROVISION | own_process(),
        "machine": MACHINE,
    }
    return text(families.device(**(given | changed), version="1.2")).decode()  # type: ignore[arg-type]


def host() -> str:
    return text(families.host(HOST.as_dict(), own_process(), MACHINE, "1.2")).decode()


def names(page: str) -> set[str]:
    return {re.split(r"[ {]", line, maxsplit=1)[0] for line in page.splitlines() if not line.startswith("#")}


def test_what_the_issue_asks_for_is_there() -> None:
    told = set(device().splitlines())
    assert told >= {
        "kontor_gate_open 0.0",
        'kontor_gate_reason{reason="admin"} 1.0',
        'kontor_gate_reason{reason="button"} 0.0',
        'kontor_door{state="listening"} 1.0',
        'kontor_link_phase{phase="reconnecting"} 1.0',
        'kontor_link_phase{phase="in_room"} 0.0',
        "kontor_round_trip_seconds 0.02",
        "kontor_sent_loss_ratio 0.25",
        "kontor_jitter_seconds 0.003",
        "kontor_playout_delay_seconds 0.06",
        "kontor_relayed 1.0",
        'kontor_mute_violations_total{engine="hosted"} 1.0',
        'kontor_mute_violations_total{engine="exchange"} 0.0',
        'kontor_blocks_played_total{part="sound"} 3.0',
        'kontor_blocks_dropped_total{part="sound"} 3.0',
        'kontor_capture_overruns_total{part="sound"} 3.0',
        'kontor_frames_concealed_total{part="link"} 3.0',
        'kontor_packets_lost_total{part="link"} 3.0',
        'kontor_config_info{digest="ab12cd34",state="kept"} 1.0',
        'kontor_config_version{scope="all"} 42.0',
        'kontor_recovery_steps_total{step="reboot"} 1.0',
        'kontor_image_info{slot="a",version="0.8.0"} 1.0',
        'kontor_update_state{state="refused"} 1.0',
        'kontor_update_state{state="up_to_date"} 0.0',
        'kontor_update_refused{why="foreign_key"} 1.0',
        "kontor_update_fetched_bytes 4096.0",
        "kontor_machine_temperature_celsius 51.5",
        'kontor_machine_throttled{reason="hot"} 1.0',
        'kontor_machine_throttled{reason="under_voltage"} 0.0',
        'kontor_storage_life_used_ratio{disk="mmcblk0"} 0.2',
        "kontor_front_end_limited 1.0",
        "kontor_front_end_block_seconds 0.00065",
        'kontor_up{part="provision"} 1.0',
        'kontor_build_info{version="1.2"} 1.0',
    }
    assert {"kontor_cpu_seconds_total", "kontor_resident_bytes", "kontor_machine_load"} <= names(device())


def test_a_part_that_does_not_answer_is_down_and_the_rest_is_told() -> None:
    told = device(sound={}, provision={}, machine=Machine(1.0))
    assert 'kontor_up{part="sound"} 0.0' in told
    assert names(told) & {"kontor_gate_open", "kontor_door", "kontor_config_info", "kontor_machine_load"} == set()
    assert 'kontor_link_phase{phase="reconnecting"} 1.0' in told
    assert 'kontor_up{part="link"} 0.0' in device(link={})
    assert 'kontor_up{part="sound"} 0.0' in device(sound={"error": "another version"})


def test_what_is_not_known_is_not_told() -> None:
    told = names(device(link=replace(LINK, way=WayState()).as_dict()))
    assert told & {"kontor_round_trip_seconds", "kontor_sent_loss_ratio", "kontor_playout_delay_seconds"} == set()


def test_a_host_tells_of_its_rooms_together() -> None:
    told = host()
    assert {"kontor_host_rooms 2.0", "kontor_host_members 4.0", "kontor_host_connected 3.0"} <= set(told.splitlines())
    assert 'kontor_host_packets_out_total{part="host"} 3.0' in told
    assert 'kontor_up{part="host"} 0.0' in text(families.host({}, {}, Machine(1.0), "1")).decode()


@pytest.mark.parametrize("page", [device(), host()], ids=["device", "host"])
def test_nobody_s_name_no_level_and_no_room_is_in_it(page: str) -> None:
    assert not re.search("lena|brandt|annex|attic|-23", page, re.IGNORECASE)
    assert not names(page) & {"kontor_host_joins_total", "kontor_host_leaves_total", "kontor_members"}
    counts = {"kontor_host_levels_measured_total", "kontor_host_levels_unmeasured_total"}  # how many, not how loud
    assert not {name for name in names(page) if "level" in name} - counts
    assert "speaking" not in page


@pytest.mark.parametrize("page", [device(), host()], ids=["device", "host"])
def test_promtool_finds_nothing_to_complain_about(page: str) -> None:
    promtool = need("promtool", "promtool (Debian: prometheus) checks names and help texts")
    told = subprocess.run([promtool, "check", "metrics"], input=page, capture_output=True, text=True, check=False)
    assert (told.returncode, told.stdout + told.stderr) == (0, "")


def test_the_alerts_are_right_and_do_what_they_say() -> None:
    promtool = need("promtool", "promtool (Debian: prometheus) checks and runs the alert rules")
    for command in (["check", "rules", "kontor.rules.yml"], ["test", "rules", "kontor.test.yml"]):
        told = subprocess.run([promtool, *command], cwd=RULES, capture_output=True, text=True, check=False)
        assert told.returncode == 0, told.stdout + told.stderr


def used(expression: str) -> set[str]:
    return set(re.findall(r"\bkontor_[a-z_]+", expression))


def test_alerts_and_dashboard_ask_for_figures_that_there_are() -> None:
    known = names(device()) | names(host())
    rules = (RULES / "kontor.rules.yml").read_text()
    asked = used("\n".join(re.findall(r"^ +expr: (.*)$", rules, re.MULTILINE)))
    assert len(asked) > 10
    assert asked <= known
    board = json.loads((ROOT / "deploy/grafana/kontor.json").read_text())
    expressions = [target["expr"] for panel in board["panels"] for target in panel.get("targets", ())]
    assert len(expressions) > 20
    assert used("\n".join(expressions)) <= known


def test_the_dashboard_is_one_that_grafana_takes() -> None:
    board = json.loads((ROOT / "deploy/grafana/kontor.json").read_text())
    ids = [panel["id"] for panel in board["panels"]]
    assert len(ids) == len(set(ids))
    for panel in board["panels"]:
        place = panel["gridPos"]
        assert 0 <= place["x"] <= place["x"] + place["w"] <= 24
    for one, other in itertools.combinations([panel["gridPos"] for panel in board["panels"]], 2):
        apart = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
        assert apart or one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]


# ---- served


@asynccontextmanager
async def served(log: Journal | None = None, listen: str = "127.0.0.1:0") -> AsyncIterator[tuple[Metrics, list[int]]]:
    asked: list[int] = []

    async def collect() -> Iterable[Any]:
        asked.append(1)
        return families.host({}, {}, Machine(1.0), "1.2")

    server = Metrics(listen, collect, log or journal()[0])
    task = asyncio.create_task(server.run())
    try:
        yield server, asked
    finally:
        task.cancel()
        await asyncio.wait([task])


async def get(server: Metrics, request: bytes) -> bytes:
    async with asyncio.timeout(5):
        while server.address is None:
            await asyncio.sleep(0.01)
    reader, writer = await asyncio.open_connection(*server.address)
    try:
        writer.write(request)
        async with asyncio.timeout(5):
            return await reader.read()
    finally:
        writer.close()


async def test_it_answers_prometheus_and_nothing_else() -> None:
    async with served() as (server, asked):
        page = await get(server, b"GET /metrics HTTP/1.1\r\nHost: x\r\nAccept: */*\r\n\r\n")
        head, _, body = page.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n")
        assert f"Content-Length: {len(body)}".encode() in head
        assert b'kontor_build_info{version="1.2"} 1.0\n' in body
        assert await get(server, b"GET /metrics?x=1 HTTP/1.0\r\n\r\n") == page
        assert len(asked) == 1, "whoever asks often gets the page of a second ago"
        assert (await get(server, b"GET / HTTP/1.1\r\n\r\n")).startswith(b"HTTP/1.1 404 ")
        assert (await get(server, b"POST /metrics HTTP/1.1\r\n\r\n")).startswith(b"HTTP/1.1 405 ")
        assert (await get(server, b"\r\n\r\n")).startswith(b"HTTP/1.1 405 ")


async def test_junk_and_slow_clients_end_and_a_crowd_waits_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics, "_PATIENCE", 0.2)
    async with served() as (server, _):
        assert await get(server, b"x" * 20_000) == b""
        assert await get(server, b"GET /metr") == b"", "half a request"
        crowd = [await asyncio.open_connection(*(server.address or ("", 0))) for _ in range(9)]
        assert await crowd[8][0].read() == b""
        for _, writer in crowd:
            writer.close()
        async with asyncio.timeout(5):
            while not (await get(server, b"GET /metrics HTTP/1.1\r\n\r\n")).startswith(b"HTTP/1.1 200"):
                await asyncio.sleep(0.05)


async def test_an_address_that_is_taken_is_told_once_and_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics, "_AGAIN", 0.02)
    log, lines = journal()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        async with served(log, f"127.0.0.1:{port}") as (server, _):
            await asyncio.sleep(0.2)
            assert server.address is None
            taken.close()
            assert b"200 OK" in await get(server, b"GET /metrics HTTP/1.1\r\n\r\n")
    told = lines.getvalue().splitlines()
    assert len(told) == 1
    assert f'event=metrics_failed listen=127.0.0.1:{port} why="' in told[0]
