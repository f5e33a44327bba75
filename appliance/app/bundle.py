"""``kontor doctor --bundle``: one archive for whoever helps. No secrets, no sound, no levels, and nobody's name.

Every file in it is made of what is meant to be told; nothing is copied as it lies on the disk. Somebody far away, who may ask for
one after the other (bundle_from_afar.py), is not told either what would let them follow what a closed microphone hears (UX.md,
mute rule 9): counters and times of the processor that grow while somebody talks.
"""

import io
import json
import platform
import re
import subprocess
import tarfile
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import asdict
from importlib import metadata
from pathlib import Path
from typing import Any

from appliance import __version__
from appliance.health.machine import machine
from appliance.settings.store import create

README = """What a Kontor device collected for a helper (`kontor doctor --bundle`). Look through it before you send it on.

It has no secret, no sound, no level of any sound, and no name: names of devices, networks and accounts are left out of the
settings, and the journal of Kontor has none of people.
"""
_LEFT_OUT = '"(left out)"'
_NAMED = re.compile(r'^(?P<key>[a-z_]+) = ("(?:[^"\\]|\\.)*"|[^#]*?)(?=\s+# |$)')
_NAMES = {"name", "title", "ssid", "identity", "anonymous_identity", "password", "hue", "place"}
_NAMED_THERE = {("id", "device"), ("id", "host.devices"), ("group", "telegram")}
_SENSITIVE_STATUS = {
    "sound": {"microphone", "loudspeaker", "direction", "muted_since"},
    "link": {"speaking", "members", "why"},
    "provision": {"found", "network"},
}
_FOLLOWS_SOUND = {"sound": {"counters", "exchange", "exchange_ms"}}
_OF_FRONT_END = ("array", "chain", "degraded")
"""What of it does not follow sound."""
_PROCESS = {"cpu_s", "rss_bytes"}
_FOLLOWS_WORK = {"load", "memory_free", "temperature"}
"""Of the machine: what changes with how much there is to compute."""
_LINES = 3000
_UNITS = ("kontor-sound", "kontor-link", "kontor-provision", "kontor-host", "kontor")

_EMPTY = """Nothing. Whoever collected this may not read it, or there is none.
On the device itself, with everything in it: sudo kontor doctor --bundle FILE
"""
_EMPTY_AFAR = """Nothing. A bundle that somebody far away asked for is made by link, the process with the network. That may read
neither the journal nor what systemd knows: strangers can talk to it (docs/adr/0193-bundles-through-memory.md).
On the device itself, with everything in it: sudo kontor doctor --bundle FILE
"""

Run = Callable[[list[str]], str]


def collect(
    settings: str,
    status: Mapping[str, Mapping[str, Any]],
    folders: Iterable[Path],
    run: "Run | None" = None,
    *,
    afar: bool = False,
) -> dict[str, bytes]:
    """The files of the archive, by name.

    :param settings: those in force, as TOML without secrets.
    :param status: what the parts that run say of themselves, by name.
    :param folders: whose files are listed, by name, size and rights.
    :param run: runs a command and gives what it prints; "" when it cannot.
    :param afar: it goes to somebody who is not at the device.
    """
    run = run or output_of
    lists = list(folders)
    told = {
        "README.txt": README,
        "versions.json": _json(_versions()),
        "machine.json": _json(
            _without(asdict(machine(Path(lists[0]) if lists else Path("/"))), _FOLLOWS_WORK if afar else ())
        ),
        "status.json": _json({part: _harmless(part, said, afar=afar) for part, said in status.items()}),
        "settings.toml": without_names(settings),
        "files.txt": "".join(f"{line}\n" for folder in lists for line in _listing(folder)),
        "cards.txt": _read(Path("/proc/asound/cards")),
        "journal.txt": _or_why(
            run(["journalctl", *(f"--unit={u}" for u in _UNITS), f"--lines={_LINES}", "--output=short-iso"]), afar=afar
        ),
        "units.txt": _or_why(run(["systemctl", "list-units", "--all", "--no-legend", "--plain", "kontor*"]), afar=afar),
    }
    return {name: text.encode("utf-8", "replace") for name, text in told.items()}


def _or_why(text: str, *, afar: bool) -> str:
    """``text``; where nothing is in it, why, and where more is to be had. Lines of journalctl's own begin with two dashes."""
    if any(line and not line.startswith("-- ") for line in text.splitlines()):
        return text
    return _EMPTY_AFAR if afar else _EMPTY


def write(path: Path, files: Mapping[str, bytes]) -> None:
    """Make the archive, for its owner alone.

    :raises OSError: it is there already, or cannot be written.
    """
    create(path, pack(path.name.partition(".")[0], files))


def pack(folder: str, files: Mapping[str, bytes]) -> bytes:
    """The archive (tar, gzip): its files in one folder."""
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz") as archive:
        for name, data in files.items():
            entry = tarfile.TarInfo(f"{folder}/{name}")
            entry.size, entry.mode = len(data), 0o644
            archive.addfile(entry, io.BytesIO(data))
    return content.getvalue()


def without_names(settings: str) -> str:
    """Settings as TOML, with names of devices, networks and accounts left out."""
    lines, table = [], ""
    for line in settings.splitlines():
        if line.startswith("["):
            table = line.strip("[] ")
        found = _NAMED.match(line)
        key = found["key"] if found else ""
        named = key in _NAMES or (key, table) in _NAMED_THERE
        lines.append(f"{key} = {_LEFT_OUT}{line[found.end() :]}" if found and named else line)
    return "\n".join(lines) + "\n"


def _harmless(part: str, said: Mapping[str, Any], *, afar: bool) -> Mapping[str, Any]:
    follows = _FOLLOWS_SOUND.get(part, set()) | _PROCESS if afar else set()
    kept = dict(_without(said, _SENSITIVE_STATUS.get(part, set()) | follows))
    if afar and isinstance(front_end := kept.get("front_end"), Mapping):
        kept["front_end"] = {key: front_end[key] for key in _OF_FRONT_END if key in front_end}
    return kept


def _without(said: Mapping[str, Any], keys: Collection[str]) -> Mapping[str, Any]:
    return {key: value for key, value in said.items() if key not in keys}


def _versions() -> Mapping[str, object]:
    return {
        "kontor": __version__,
        "python": platform.python_version(),
        "kernel": platform.release(),
        "architecture": platform.machine(),
        "system": _read(Path("/etc/os-release")).partition("\n")[0],
        "board": _read(Path("/proc/device-tree/model")).rstrip("\0"),
        "packages": {found.name: found.version for found in sorted(metadata.distributions(), key=lambda it: it.name)},
    }


def _listing(folder: Path) -> Iterable[str]:
    """Rights, size and path of every file; no content."""
    yield f"# {folder}"
    for path in sorted(folder.rglob("*")):
        try:
            found = path.lstat()
        except OSError:
            continue
        yield f"{found.st_mode:06o} {found.st_uid}:{found.st_gid} {found.st_size:>10} {path}"


def _read(path: Path) -> str:
    try:
        return path.read_text("utf-8", "replace")
    except OSError:
        return ""


def output_of(command: list[str]) -> str:
    """What a command prints; "" when there is none, or it takes too long."""
    try:
        return subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=20, check=False).stdout
    except (OSError, subprocess.TimeoutExpired):
        return ""


def _json(value: object) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False, default=str) + "\n"
