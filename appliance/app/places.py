"""Where each part keeps what must survive, where the demo lives, and where ``kontor status`` looks for running devices."""

import contextlib
import fcntl
import os
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from appliance.settings import Settings

SYSTEM = Path("/run/kontor")


Part = Literal["sound", "link", "host", "provision"]
"""Whoever keeps something of its own: on a device each is a user of its own, who cannot read what the others keep."""


def state_of(settings: Settings, part: Part) -> Path:
    """The folder in which ``part`` keeps what must survive a restart."""
    return settings.device.state_dir / part


def demo_base() -> Path:
    """The folder of this user's demos: short, since a socket's path may have 107 bytes, and private."""
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    if runtime and Path(runtime).is_dir():
        return Path(runtime) / "kontor-demo"
    return Path(tempfile.gettempdir()) / f"kontor-demo-{os.getuid()}"


def private_folder(path: Path) -> Path:
    """Make ``path`` for this user alone.

    :raises PermissionError: it is there already and belongs to somebody else, or others may write to it.
    """
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = path.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o022:
        raise PermissionError(f"{path} is not a folder of this user alone: remove it, or set XDG_RUNTIME_DIR")
    return path


@contextlib.contextmanager
def one_at_a_time(folder: Path) -> Iterator[None]:
    """Let one process at a time in; the others wait. ``folder`` is not changed."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def runtime_folders() -> list[Path]:
    """Runtime folders in which a device may be running: the system's, then the demos', newest first."""
    base = demo_base()
    demos = sorted((path for path in base.glob("*") if path.is_dir()), key=_age) if base.is_dir() else []
    return [SYSTEM, *demos]


def _age(path: Path) -> float:
    try:
        return -path.stat().st_mtime
    except OSError:
        return 0.0
