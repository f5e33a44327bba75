"""What a device under test is asked, by programs that start in a moment: a Python would take what it needs itself."""

from __future__ import annotations

import json
import time
from collections.abc import Container
from typing import Any

from tests.image.device import Device
from tools.image.qemu import MachineError

STATUS = "/run/kontor/update/status.json"
"""What the updater tells of itself (appliance/update/work.py)."""
PATIENCE = 1800.0
"""Seconds of the host's."""
_LONG = 600.0
_LOOK = 2.0
PARTS = ("sound", "link", "provision")


def status(device: Device) -> dict[str, Any]:
    """How the device stands to updates; empty until the updater has told something since the start."""
    said = device.run("sh", "-c", f"cat {STATUS} 2>/dev/null || echo '{{}}'", seconds=_LONG)
    found: dict[str, Any] = json.loads(said)
    return found


def stands(device: Device, states: Container[object]) -> dict[str, Any]:
    """Wait until the updater tells one of these states.

    :raises MachineError: it does not.
    """
    end = time.monotonic() + PATIENCE
    while (told := status(device)).get("state") not in states:
        if time.monotonic() > end:
            raise MachineError(f"the device stands to updates as {told}; {device.tail()}")
        time.sleep(_LOOK)
    return told


def look(device: Device) -> None:
    """Have it look for an update, as a hand does; it takes a minute of silence."""
    device.run("systemd-run", "-q", "kontor", "update", "apply", seconds=_LONG)


def last(device: Device) -> dict[str, Any]:
    """How it stands to updates when it starts anew by itself."""
    told: dict[str, Any] = {}
    end = time.monotonic() + PATIENCE
    while device.running and time.monotonic() < end:
        try:
            told = status(device) or told
        except MachineError:
            device.wait(_LONG)
        time.sleep(_LOOK)
    return told


def off(device: Device) -> None:
    """Have it switch itself off."""
    device.run("systemctl", "poweroff", "--no-block", seconds=_LONG)
    device.wait()


def digests(device: Device) -> dict[str, str]:
    """The SHA-256 of each file on the data partition, by its path there; without what is written all the time."""
    said = device.run("find", "/data", "-xdev", "-type", "f", "-exec", "sha256sum", "{}", "+", seconds=_LONG)
    found = {path.removeprefix("/data"): digest for digest, path in (line.split("  ", 1) for line in said.splitlines())}
    return {path: digest for path, digest in found.items() if not path.startswith("/log/")}


def health(device: Device) -> dict[str, str]:
    """Which services are up, and which file system the data lies on."""
    states = {
        part: device.run("sh", "-c", f"systemctl is-active kontor-{part} || true", seconds=_LONG).strip()
        for part in PARTS
    }
    return {**states, "data": device.run("findmnt", "-no", "LABEL", "/data", seconds=_LONG).strip()}
