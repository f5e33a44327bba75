"""What provision does to the guest's network, as the user it runs as on a device."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from appliance.provisioning.bus import Bus, BusError
from appliance.provisioning.network import NetworkError
from appliance.provisioning.network_bus import Manager
from appliance.provisioning.network_manager import NetworkManager
from appliance.provisioning.network_profiles import PREFIX
from appliance.settings import Settings, Source, load
from tests.network.inside import world

STATE = world.FOLDER / "state"
CHECKS = (
    "stands_and_is_kept",
    "is_taken_back",
    "leaves_all_as_it_was_when_nothing_comes_up",
    "is_taken_back_by_time",
    "the_same_again_changes_nothing",
    "another_on_top_takes_the_first_back",
    "tells_what_stands",
)
"""Of the contract: those without a power cut."""


def settings(text: str) -> Settings:
    """Settings of this text, in which "secret:WORDS" stands for the path of a file with these words."""
    text = re.sub('"secret:([^"]*)"', lambda found: f'"{secret(found[1])}"', text)
    source = Source("test.toml", f"schema = 1\n[provisioning]\nconfirm_s = 10\n{text}".encode(), Path("/"))
    return load([source], secrets={"network"})


def secret(content: str) -> str:
    """A file that holds it, readable by this user alone."""
    path = STATE / f"secret-{content.encode().hex()[:40]}"
    path.touch(mode=0o600)
    path.write_text(content)
    return str(path)


def tried_with(first: str, text: str) -> dict[str, Any]:
    """Keep the settings ``first`` (none: begin with nothing of ours), then try ``text`` and take it back.

    Gives what was told, and how the network is then.
    """
    world.become("kontor-provision")

    async def run() -> dict[str, Any]:
        await _forget()
        if first:
            kept = await _tried(first, keep=True)
            if kept["why"]:
                return kept
        return await _tried(text, keep=False)

    return asyncio.run(run())


def kept_with(text: str) -> dict[str, Any]:
    """Begin with nothing of ours, then keep these settings."""
    world.become("kontor-provision")

    async def run() -> dict[str, Any]:
        await _forget()
        return await _tried(text, keep=True)

    return asyncio.run(run())


async def _forget() -> None:
    """Delete every profile of ours."""
    (STATE / "network.json").unlink(missing_ok=True)
    bus = Bus()
    manager = Manager(bus)
    for held in (await manager.held(PREFIX)).values():
        await manager.delete(held.path)
    await asyncio.to_thread(settled, {})
    await bus.close()


def tried_as(text: str, user: str) -> dict[str, Any]:
    """The same as another user, without a secret."""
    world.become(user)
    return asyncio.run(_tried(text, keep=False))


async def _tried(text: str, *, keep: bool) -> dict[str, Any]:
    given, before = settings(text), _addresses()
    async with _Network() as network:
        problems = [str(problem) for problem in network.check(given)]
        why, began = "", time.monotonic()
        try:
            await network.apply(given)
        except NetworkError as error:
            why = str(error)
        seconds = time.monotonic() - began
        trial = network.state()["trial"]
        addresses = _addresses()
        await (network.keep() if keep and trial else network.revert())
        up = await _standing(network) if keep or before else []
        if not keep:
            await asyncio.to_thread(settled, before)
        return {
            "problems": problems,
            "why": why,
            "seconds": seconds,
            "trial": trial,
            "before": before,
            "addresses": addresses,
            "after": _addresses(),
            "up": up,
        }


async def _standing(network: NetworkManager) -> list[str]:
    """Names of ours that stand, at the latest after half a minute."""
    end = time.monotonic() + 30
    looking = asyncio.create_task(network.run())
    try:
        while time.monotonic() < end:
            connections: Any = network.state()["connections"]
            found = [each["name"] for each in connections if each["ours"] and each["state"] == "up"]
            if found:
                return found
            await asyncio.sleep(0.5)
        return []
    finally:
        looking.cancel()
        await asyncio.gather(looking, return_exceptions=True)


class _Network:
    """The network of this process."""

    async def __aenter__(self) -> NetworkManager:
        self._network = NetworkManager(STATE, Bus())
        return self._network

    async def __aexit__(self, *_error: object) -> None:
        await self._network.bus.close()


def abandoned(first: str, text: str) -> dict[str, Any]:
    """Keep ``first``, then apply ``text`` in a process that dies.

    Gives the addresses before, on trial, and when time has taken it back.
    """
    before = kept_with(first)["after"]
    child = os.fork()
    if not child:
        asyncio.run(_apply_and_die(text))
    os.waitpid(child, 0)
    trial = _addresses()
    end = time.monotonic() + 90
    while _addresses() != before and time.monotonic() < end:
        time.sleep(0.5)
    return {"before": before, "trial": trial, "after": _addresses()}


async def _apply_and_die(text: str) -> None:
    network = NetworkManager(STATE, Bus(), grace=0.0)
    await network.apply(settings(text))
    os.kill(os.getpid(), signal.SIGKILL)


def moved(away: str) -> dict[str, Any]:
    """A Wi-Fi network goes off the air; gives what stands before, and what NetworkManager has by itself a while later."""
    pid = int((world.FOLDER / f"hostapd-{away}.pid").read_text())
    before = _addresses()
    os.kill(pid, signal.SIGTERM)
    end = time.monotonic() + 120
    after: dict[str, list[str]] = {}
    while time.monotonic() < end:
        after = _addresses()
        if after and after != before:
            break
        time.sleep(0.5)
    return {"before": before, "after": after}


def verbs(user: str) -> dict[str, str]:
    """Which of NetworkManager's verbs this user may use; by polkit action, its answer."""
    world.become(user)
    return asyncio.run(_verbs())


async def _verbs() -> dict[str, str]:
    bus, name, root = Bus(), "org.freedesktop.NetworkManager", "/org/freedesktop/NetworkManager"
    answer = await bus.call(name, root, f"{name}.GetPermissions")
    await bus.close()
    return {str(key): str(value) for key, value in answer[0].items()}


def time_servers() -> list[Any]:
    """Name a time server by the settings, and none again; gives what timesyncd has after each, or why it has not."""
    world.become("kontor-provision")
    return asyncio.run(_time_servers())


async def _time_servers() -> list[Any]:
    await _forget()
    found: list[Any] = []
    async with _Network() as network:
        for servers in ('"time.example.org"', ""):
            try:
                await network.apply(settings(f"[network]\nntp = [{servers}]\n"))
                await network.keep()
                found.append(await _asked(network.bus))
            except NetworkError as error:
                found.append(str(error))
    return found


async def _asked(bus: Bus) -> list[str]:
    name = "org.freedesktop.timesync1"
    try:
        found = await bus.properties(name, "/org/freedesktop/timesync1", f"{name}.Manager")
    except BusError as error:
        return [f"none: {error}"]
    return list(found["RuntimeNTPServers"])


def contract(check: str) -> None:
    """One check of the contract, over Wi-Fi and a cable."""
    from tests.contract import network_suite

    world.become("kontor-provision")
    chosen: Callable[[Any], Awaitable[None]] = getattr(network_suite, check)

    async def run() -> None:
        await _forget()
        rig = WifiRig()
        try:
            await chosen(rig)
        finally:
            await rig.close()

    asyncio.run(run())


class WifiRig:
    """The contract's rig over Wi-Fi: good, another address in it, and a wrong password."""

    def __init__(self) -> None:
        wifi = '[[network.wifi]]\nssid = "wpa2"\npassword_file = "{}"\n'
        self.good = settings(wifi.format(f"secret:{world.PASSWORD}") + 'address = "10.2.1.7/24"\n')
        self.other = settings(wifi.format(f"secret:{world.PASSWORD}") + 'address = "10.2.1.8/24"\n')
        self.wrong = settings(wifi.format("secret:a wrong password"))
        self._given: list[NetworkManager] = []

    def process(self) -> NetworkManager:
        self._given.append(NetworkManager(STATE, Bus(), grace=0.0))
        return self._given[-1]

    async def has(self, wanted: Settings) -> bool:
        return _addresses().get("wlan0") == [wanted.network.wifi[0].address]

    async def power_cut(self) -> None:
        raise NotImplementedError

    async def close(self) -> None:
        for network in self._given:
            await network.bus.close()


def settled(wanted: dict[str, list[str]]) -> dict[str, list[str]]:
    """The addresses when they are these, or after a minute."""
    end = time.monotonic() + 60
    while _addresses() != wanted and time.monotonic() < end:
        time.sleep(0.5)
    return _addresses()


def _addresses() -> dict[str, list[str]]:
    """IPv4 addresses by interface, as Linux has them."""
    said = subprocess.run(["ip", "-4", "-o", "address"], capture_output=True, text=True, check=True).stdout
    found: dict[str, list[str]] = {}
    for line in said.splitlines():
        words = line.split()
        if words[1] != "lo":
            found.setdefault(words[1], []).append(words[3])
    return found
