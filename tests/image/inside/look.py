"""What the device's own system says of itself."""

from __future__ import annotations

import contextlib
import json
import re
import socket
import subprocess
from pathlib import Path
from typing import Any

SERVICES = ("sound", "link", "provision")
_ANSWER = 30.0


def told(*command: str) -> str:
    """What a command says, whatever its exit code."""
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout


def status(part: str) -> dict[str, Any]:
    """What a service says of itself on its socket; empty when it does not answer."""
    with contextlib.suppress(OSError, ValueError), socket.socket(socket.AF_UNIX) as ours:
        ours.settimeout(_ANSWER)
        ours.connect(f"/run/kontor/{part}.status")
        ours.sendall(b'{"do": "status"}\n')
        with ours.makefile("rb") as file:
            found: dict[str, Any] = json.loads(file.readline())
            return found
    return {}


def closed_by(*reasons: str) -> bool:
    """Whether the microphone's gate is closed, by some of these reasons and by no other."""
    hold = set(status("sound").get("reasons", ()))
    return bool(hold) and hold <= set(reasons)


def cost() -> dict[str, Any]:
    """CPU time (s) of our services and of everything, and when each was ready (s of the system's start)."""
    names = "CPUUsageNSec", "ActiveEnterTimestampMonotonic"
    rows = {}
    for part in SERVICES:
        said = dict(
            line.split("=", 1) for line in told("systemctl", "show", f"kontor-{part}", "-p", ",".join(names)).split()
        )
        rows[part] = {"cpu_s": int(said[names[0]]) / 1e9, "ready_s": int(said[names[1]]) / 1e6}
    ticks = [int(word) for word in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]]
    busy = sum(ticks) - ticks[3] - ticks[4]
    return {"parts": rows, "busy_s": busy / 100, "uptime_s": float(Path("/proc/uptime").read_text().split()[0])}


def finished() -> bool:
    """Whether the system's start is done and all our services are ready."""
    states = told("systemctl", "is-active", *(f"kontor-{part}.service" for part in SERVICES)).split()
    return states == ["active"] * len(SERVICES) and told("systemctl", "is-system-running").strip() in (
        "running",
        "degraded",
    )


def failed() -> list[str]:
    """Units that failed since the start, whatever became of them."""
    return told("systemctl", "list-units", "--plain", "--no-legend", "--state=failed").splitlines()


def scores() -> dict[str, float]:
    """Exposure of every service that runs, as systemd-analyze security counts it: 0 best, 10 worst."""
    return {
        match[1]: float(match[2])
        for line in told("systemd-analyze", "security", "--no-pager").splitlines()
        if (match := re.match(r"(\S+\.service)\s+([\d.]+)", line))
    }


def listening() -> list[str]:
    """Sockets of TCP that listen and all of UDP: ``udp 0.0.0.0:68``, of every network namespace of a service."""
    found = set()
    for pid in {"1", *(path.name for path in Path("/proc").iterdir() if path.name.isdigit())}:
        for kind, state in (("tcp", "0A"), ("tcp6", "0A"), ("udp", None), ("udp6", None)):
            with contextlib.suppress(OSError):
                for line in Path(f"/proc/{pid}/net/{kind}").read_text().splitlines()[1:]:
                    words = line.split()
                    if state in (None, words[3]):
                        address, _, port = words[1].partition(":")
                        found.add(f"{kind} {address} {int(port, 16)}")
    return sorted(found)


def identity() -> dict[str, str]:
    """By what the device is known: from start to start the same."""
    return {
        "machine-id": Path("/etc/machine-id").read_text().strip(),
        "hostname": Path("/proc/sys/kernel/hostname").read_text().strip(),
        "key": told("kontor", "key").strip(),
    }


def disk() -> dict[str, Any]:
    """Where what is kept lies, and how large it is (MiB)."""
    row = told(
        "findmnt", "--noheadings", "--raw", "--bytes", "--output", "SOURCE,SIZE,FSTYPE", "/var/lib/kontor"
    ).split()
    return {"source": row[0], "mib": int(row[1]) / 2**20, "type": row[2]} if row else {}


def journal(words: str) -> list[str]:
    """Lines of the journal of this start that have these words."""
    return [line for line in told("journalctl", "-b", "--no-pager", "-o", "cat").splitlines() if words in line]
