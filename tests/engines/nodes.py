"""Two LiveKit nodes over one Redis, and members, each in a network namespace of its own on one bridge. Root alone can do that."""

import contextlib
import json
import os
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

from tests.contract.livekit_harness import KEY, SECRET
from tests.e2e.nets import inside
from tests.support import need
from tools.livekit import SERVER

PLACES = {"one": "10.78.0.1", "two": "10.78.0.2", "redis": "10.78.0.5", "members": "10.78.0.11"}
PORT = 7880


class Nodes:
    """All of it, for one test."""

    def __init__(self, folder: Path) -> None:
        need(os.geteuid() == 0, "network namespaces are made by root")
        need("ip", "Debian's iproute2 makes network namespaces")
        need(SERVER, "LiveKit's server is built by: make tools-livekit")
        self._redis_program = need("redis-server", "two nodes of LiveKit share a Redis: Debian's redis-server")
        self._folder = folder
        self._names = {place: f"lk{os.getpid()}{place}" for place in (*PLACES, "hub")}
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> Self:
        try:
            self._cables()
            self.start("redis")
            self.start("one")
            self.start("two")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for place in list(self._running):
            self.kill(place)
        for name in self._names.values():
            with contextlib.suppress(subprocess.CalledProcessError):
                _run("ip", "netns", "delete", name)

    def _cables(self) -> None:
        hub = self._names["hub"]
        for name in self._names.values():
            _run("ip", "netns", "add", name)
            _run("ip", "-n", name, "link", "set", "lo", "up")
        _run("ip", "-n", hub, "link", "add", "br0", "type", "bridge", "forward_delay", "0")
        _run("ip", "-n", hub, "link", "set", "br0", "up")
        for place, address in PLACES.items():
            name = self._names[place]
            _run("ip", "link", "add", "eth0", "netns", name, "type", "veth", "peer", "name", place, "netns", hub)
            _run("ip", "-n", hub, "link", "set", place, "master", "br0", "up")
            _run("ip", "-n", name, "address", "add", f"{address}/24", "dev", "eth0")
            _run("ip", "-n", name, "link", "set", "eth0", "up")

    def start(self, place: str) -> None:
        """Start what belongs there, and wait until it answers."""
        command = self._redis() if place == "redis" else self._node(place)
        with (self._folder / f"{place}.log").open("ab") as log:
            self._running[place] = subprocess.Popen(
                ["ip", "netns", "exec", self._names[place], *command], stdout=log, stderr=log, cwd=self._folder
            )
        if place != "redis":
            self._await(place)

    def _redis(self) -> list[str]:
        return [
            *(self._redis_program, "--bind", PLACES["redis"], "--port", "6379", "--protected-mode", "no"),
            *("--save", "", "--dir", str(self._folder)),
        ]

    def _node(self, place: str) -> list[str]:
        address, kept = PLACES[place], {"empty_timeout": 86_400, "departure_timeout": 86_400}
        settings: dict[str, Any] = {
            "port": PORT,
            "bind_addresses": [address],
            "redis": {"address": f"{PLACES['redis']}:6379"},
            "rtc": {"udp_port": 7882, "tcp_port": 7881, "use_external_ip": False, "node_ip": address},
            "keys": {KEY: SECRET.decode()},
            "room": kept,
            "logging": {"level": "info"},
        }
        (self._folder / f"{place}.yaml").write_text(json.dumps(settings))
        return [str(SERVER), "--config", str(self._folder / f"{place}.yaml")]

    def _await(self, place: str) -> None:
        until = time.monotonic() + 30
        with self.inside("members"):
            while time.monotonic() < until:
                try:
                    with urllib.request.urlopen(f"http://{PLACES[place]}:{PORT}", timeout=1):
                        return
                except OSError:
                    time.sleep(0.05)
        raise AssertionError(f"{place} did not start:\n{(self._folder / f'{place}.log').read_text()[-2000:]}")

    def kill(self, place: str) -> None:
        """Take it away without a word."""
        process = self._running.pop(place)
        process.kill()
        process.wait(10)

    def url(self, place: str) -> str:
        return f"ws://{PLACES[place]}:{PORT}"

    def holder(self) -> str:
        """The node on which the room is: the one whose log tells of sessions."""
        told = {
            place: (self._folder / f"{place}.log").read_text().count("starting RTC session") for place in ("one", "two")
        }
        return max(told, key=lambda place: told[place])

    def pull_cable(self, place: str) -> None:
        _run("ip", "-n", self._names["hub"], "link", "set", place, "down")

    def plug_in(self, place: str) -> None:
        _run("ip", "-n", self._names["hub"], "link", "set", place, "up")

    @contextlib.contextmanager
    def inside(self, place: str) -> Iterator[None]:
        with inside(self._names[place]):
            yield


def _run(*command: str) -> None:
    subprocess.run(command, check=True, timeout=10, capture_output=True)
