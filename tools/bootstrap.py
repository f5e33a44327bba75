"""Make .venv and install locked packages: ``python3 -m tools.bootstrap core|dev|bench|training|hardware``, run by the Makefile.

Runs on the system's own Python with nothing installed. Says beforehand what it fetches and how much, and what goes wrong
in one sentence with the way out. A stamp makes every later run return at once and without a network.

Ends with 0; 75 (try again: network, disk, a damaged download); 64 (something here must be changed first: Python too old,
no venv module, no libopus); 70 (anything else); 130 (Ctrl-C). Written for old Pythons too, so that they can be told.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import importlib.util
import json
import os
import platform
import re
import shutil
import subprocess
import sys
from pathlib import Path

from tools import debian, speech
from tools.progress import watch

ROOT = Path(__file__).resolve().parent.parent
OLDEST = (3, 11)
TRY_AGAIN, CHANGE_FIRST, BROKEN, INTERRUPTED = 75, 64, 70, 130
MIB = 1024 * 1024

WHAT = {
    "core": "the core",
    "dev": "the core, the tests and the tools",
    "bench": "what judges sound in the benches",
    "training": "what the residual gain is trained with",
    "hardware": "what draws circuits and checks device trees",
}
BESIDE = {"bench": ("dev",), "training": ("dev", "bench"), "hardware": ("dev",)}
"""What is installed first: a lock of these holds only what those do not."""

NO_NETWORK = (
    "Temporary failure in name resolution",
    "Name or service not known",
    "NameResolutionError",
    "NewConnectionError",
    "Network is unreachable",
    "No route to host",
    "Connection refused",
    "Connection reset",
    "ConnectTimeoutError",
    "ReadTimeoutError",
    "ProxyError",
    "timed out",
)
"""What pip says when there is no way to the package index."""

BUILT = ("pyaes", "pesq", "pylibfdt")
"""Packages without wheels: built from their locked source, with the locked tools and nothing fetched beside."""

NOT_INSTALLED = {
    "ensurepip is not available": "python3-venv",
    "Python.h: No such file": "python3-dev",
    "gcc' failed: No such file": "build-essential python3-dev",
}
"""What tools say when a part of the system is missing, and the Debian packages that have it."""

WRAPPER = """#!/bin/sh
exec "$(dirname "$(readlink -f "$0")")/python" -P -m appliance "$@"
"""
"""The command of the checkout; an installed kontor gets its own from pip. Survives spaces and long paths."""


class Stop(Exception):
    """Why it cannot go on, in one sentence with the way out, and the exit status."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status


def main(arguments: list[str]) -> int:
    """Install what is asked for, unless it is there already."""
    wanted = arguments[0] if arguments else "core"
    if wanted not in WHAT:
        say(f"{wanted!r} is none of {', '.join(WHAT)}.")
        return CHANGE_FIRST
    try:
        again = usable_python()
        if again is not None:
            os.execv(again, [again, "-m", "tools.bootstrap", *arguments])  # noqa: S606  # the same, by a newer Python
        cache = ROOT / ".cache"
        cache.mkdir(exist_ok=True)
        with (cache / "bootstrap.lock").open("w") as turn:
            fcntl.flock(turn, fcntl.LOCK_EX)  # two makes at once: the second waits and finds it done
            for base in (*BESIDE.get(wanted, ()), wanted):
                bootstrap(ROOT, base)
            if not speech.tried():
                say(speech.fetch())
    except Stop as stop:
        say(str(stop))
        return stop.status
    except KeyboardInterrupt:
        say("stopped; the same command goes on where this ended.")
        return INTERRUPTED
    except OSError as error:
        if error.errno == errno.ENOSPC:
            say(disk_full().args[0])
            return TRY_AGAIN
        say(
            f"{error.filename or 'this directory'} cannot be written ({error.strerror}): make it yours, or clone elsewhere."
        )
        return CHANGE_FIRST
    return 0


def say(text: str) -> None:
    """One line for people."""
    print(f"kontor: {text}", flush=True)


def usable_python(version: tuple[int, ...] = sys.version_info[:2]) -> str | None:
    """None if the running Python will do, else the path of one that does."""
    if version >= OLDEST:
        return None
    for minor in (13, 12, 11, 14):
        found = shutil.which(f"python3.{minor}")
        if found:
            return found
    raise Stop(
        CHANGE_FIRST,
        f"Python {version[0]}.{version[1]} is too old: Kontor needs 3.11 or newer (Debian 12, Ubuntu 24.04 and later have it).",
    )


def bootstrap(root: Path, wanted: str) -> None:
    """Bring root/.venv to the state of the lock file of ``wanted``: the core; dev: that and more; or what is beside dev."""
    lock = root / "requirements" / f"{wanted}.lock"
    venv = root / ".venv"
    stamp = read_stamp(venv)
    digest = hashlib.sha256(lock.read_bytes()).hexdigest()
    if stamp.get(wanted) == digest and (venv / "bin" / "python").exists():
        return
    size = size_of(root, wanted)
    fresh = not (venv / "bin" / "python").exists()
    announce(root, wanted, size, fresh=fresh, extra=0 if speech.tried() else speech.size())
    check_disk(root, size, fresh)
    if fresh:
        make_venv(venv)
    wheels, built = split(lock.read_text())
    install(root, venv, wheels, size, "--only-binary", ":all:")
    if built:
        install(root, venv, built, size, "--no-binary", ",".join(BUILT), "--no-build-isolation", "--use-pep517")
    link_checkout(venv)
    check_opus(root, venv)
    # A dev install holds the core; a core install over a dev one may have moved shared packages back.
    stamps = {**(stamp if wanted in BESIDE else {}), wanted: digest}
    core = root / "requirements" / "core.lock"
    if wanted == "dev" and core.exists():
        stamps["core"] = hashlib.sha256(core.read_bytes()).hexdigest()
    (venv / "kontor-stamp.json").write_text(json.dumps(stamps))
    say(f"installed into {venv.relative_to(root)}.")


def read_stamp(venv: Path) -> dict[str, str]:
    """Digest of each lock file that the environment holds."""
    try:
        stamp = json.loads((venv / "kontor-stamp.json").read_text())
    except (OSError, ValueError):
        return {}
    return stamp if isinstance(stamp, dict) else {}


def size_of(root: Path, wanted: str) -> dict[str, int]:
    """Packages, bytes to fetch and bytes on disk for this Python and machine, or for the largest we know."""
    sizes = json.loads((root / "requirements" / "sizes.json").read_text())[wanted]
    here = f"{sys.version_info[0]}.{sys.version_info[1]}-{platform.machine()}"
    return sizes.get(here) or max(sizes.values(), key=lambda size: size["download"])  # type: ignore[no-any-return]


def announce(root: Path, wanted: str, size: dict[str, int], *, fresh: bool, extra: int) -> None:
    """What will be fetched, and how much, before it is."""
    what = WHAT[wanted]
    say(f"{what} ({size['packages']} packages) will be installed into {root.name}/.venv, nowhere else:")
    about = "about" if fresh else "at most"
    fetch, disk = mib(size["download"]), mib(size["installed"])
    say(f"{about} {fetch} MiB to fetch from your Python package index, {disk} MiB on disk.")
    if extra:
        say(f"for the demo also recorded speech, {mib(extra)} MiB from your Debian mirror.")


def mib(size: int) -> int:
    """Bytes in whole MiB, at least 1."""
    return max(1, round(size / MIB))


def check_disk(root: Path, size: dict[str, int], fresh: bool) -> None:
    """Refuse before the first byte when it cannot fit."""
    needed = size["download"] + int(size["installed"] * 1.25)  # compiled .pyc files come on top
    if not fresh:
        needed = size["download"]
    free = shutil.disk_usage(root).free
    if free < needed:
        raise disk_full(f" ({mib(needed)} MiB are needed, {free // MIB} are free)")


def disk_full(detail: str = "") -> Stop:
    """The sentence for a full disk."""
    return Stop(TRY_AGAIN, f"the disk is full{detail}: free some space and run the same command again.")


def make_venv(venv: Path) -> None:
    """A fresh environment of the running Python; the system's own packages are never touched."""
    if not has_venv():
        provide_venv()
    if (venv / "pyvenv.cfg").exists():
        shutil.rmtree(venv)  # its Python is gone: made by one that has since been replaced
    made = subprocess.run(
        [sys.executable, "-m", "venv", str(venv)], capture_output=True, text=True, env=environment(), check=False
    )
    if made.returncode:
        shutil.rmtree(venv, ignore_errors=True)
        if shutil.disk_usage(venv.parent).free < 30 * MIB:  # venv hides why its pip could not be unpacked
            raise disk_full()
        raise explain(made.stdout + made.stderr, "making .venv")


def has_venv() -> bool:
    """Whether this Python can make an environment with pip in it (Debian packs that apart)."""
    return all(importlib.util.find_spec(name) is not None for name in ("venv", "ensurepip"))


def provide_venv() -> None:
    """Install Debian's python3-venv, or tell the one line that does."""
    if not debian.available():
        raise Stop(
            CHANGE_FIRST, "this Python has no venv and ensurepip: install your system's package with Python's venv."
        )
    if debian.elevation() is not None:
        say("this Python cannot make environments yet: installing Debian's python3-venv.")
        if debian.install("python3-venv"):
            importlib.invalidate_caches()
            if has_venv():
                return
        raise Stop(TRY_AGAIN, "python3-venv could not be installed: see what `apt-get install python3-venv` says.")
    raise Stop(CHANGE_FIRST, "this Python cannot make environments yet; type: sudo apt-get install python3-venv")


def environment(**more: str) -> dict[str, str]:
    """Ours, less what would lead pip or Python out of .venv."""
    leading = ("PYTHONHOME", "PYTHONPATH", "PIP_TARGET", "PIP_PREFIX", "PIP_ROOT", "__PYVENV_LAUNCHER__")
    kept = {name: value for name, value in os.environ.items() if name not in leading}
    return {**kept, "PIP_USER": "0", "PIP_DISABLE_PIP_VERSION_CHECK": "1", **more}


def entries(lock: str) -> dict[str, str]:
    """Package to its lines in a lock file."""
    begins = [match.start() for match in re.finditer(r"^[A-Za-z0-9]", lock, re.MULTILINE)]
    texts = [lock[begin:end] for begin, end in zip(begins, [*begins[1:], len(lock)])]  # noqa: B905 - old Pythons
    return {re.split(r"[=\[ ;]", text, maxsplit=1)[0]: text for text in texts}


def split(lock: str) -> tuple[str, str]:
    """The lines of a lock file for packages with wheels, and those for packages that are built here."""
    found = entries(lock)
    wheels = "".join(text for name, text in found.items() if name not in BUILT)
    return wheels, "".join(found[name] for name in BUILT if name in found)


def install(root: Path, venv: Path, lock: str, size: dict[str, int], *more: str) -> None:
    """Let pip fetch and install exactly what is locked, with progress."""
    downloads = root / ".cache" / "fetching"
    shutil.rmtree(downloads, ignore_errors=True)
    downloads.mkdir(parents=True)
    log, wanted = root / ".cache" / "bootstrap.log", downloads / "wanted.lock"
    wanted.write_text(lock)
    command = [
        *(str(venv / "bin" / "python"), "-m", "pip", "install", "--no-deps", "--require-hashes"),
        *("--no-input", "--progress-bar", "off", "--retries", "2", "--timeout", "20", *more, "-r", str(wanted)),
    ]
    with log.open("w") as output:
        process = subprocess.Popen(
            command, cwd=root, env=environment(TMPDIR=str(downloads)), stdout=output, stderr=subprocess.STDOUT
        )
        watch(process, downloads, size["download"], venv, size["installed"])
    shutil.rmtree(downloads, ignore_errors=True)
    if process.returncode:
        raise explain(log.read_text(errors="replace"), "installing")


def explain(output: str, doing: str) -> Stop:
    """One sentence for what a tool said at length."""
    if "No space left on device" in output or "Errno 28" in output:
        return disk_full()
    if "DO NOT MATCH THE HASHES" in output:
        return Stop(
            TRY_AGAIN, "a fetched package is not the one that was locked: try again; if it stays, ask your index."
        )
    if any(sign in output for sign in NO_NETWORK):
        return Stop(
            TRY_AGAIN, "no way to the Python package index: connect to a network and run the same command again."
        )
    for sign, package in NOT_INSTALLED.items():
        if sign in output:
            return Stop(CHANGE_FIRST, f"something of the system is not there yet; type: sudo apt-get install {package}")
    if "No matching distribution found" in output:
        here = f"Python {sys.version_info[0]}.{sys.version_info[1]} on {platform.machine()}"
        return Stop(CHANGE_FIRST, f"a package has no ready-made wheel for {here}: Kontor is tested with 3.11 and 3.13.")
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    return Stop(BROKEN, f"{doing} failed ({lines[-1] if lines else 'no word why'}); all of it: .cache/bootstrap.log")


def link_checkout(venv: Path) -> None:
    """The command and the package are those of the checkout, by a relative path: it may be moved."""
    site = next((venv / "lib").glob("python3.*/site-packages"))
    (site / "kontor.pth").write_text("../../../..\n")
    command = venv / "bin" / "kontor"
    command.write_text(WRAPPER)
    command.chmod(0o755)


def check_opus(root: Path, venv: Path) -> None:
    """The codec must be found, in the system or in the wheel that brings a copy."""
    command = [str(venv / "bin" / "python"), "-c", "from appliance.media import opus; print(opus.version())"]
    done = subprocess.run(command, cwd=root, env=environment(), capture_output=True, text=True, check=False)
    if done.returncode == 0:
        say(f"codec: {done.stdout.strip()}.")
        return
    kind, _, sentence = done.stderr.strip().rpartition("\n")[2].partition(": ")
    if kind.endswith("OpusMissing"):
        raise Stop(CHANGE_FIRST, sentence)
    raise Stop(BROKEN, f"the codec cannot be loaded ({kind}: {sentence}).")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
