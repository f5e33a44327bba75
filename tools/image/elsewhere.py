"""The builder as it would be on another machine, on another day: what ``make image-verify`` compares with.

``python -m tools.image.elsewhere`` takes the words of :mod:`tools.image.build`, and the environment of :func:`settings`.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from tools.image import build, toolbox
from tools.image.errors import MissingError
from tools.system import find

_LIBRARY = "/usr/lib/*/faketime/libfaketime.so.1"
_INSIDE = "/elsewhere/libfaketime.so.1"
_LATER = {"FAKETIME": "+411d", "FAKETIME_DONT_FAKE_MONOTONIC": "1", "NO_FAKE_STAT": "1", "FAKE_UTIME": "0"}
"""Another day of another year; times of files stay what they are."""


def settings() -> dict[str, str]:
    """The environment: clock, time zone, language, an order of hashes.

    :raises MissingError: the clock cannot be faked here.
    """
    library = find(_LIBRARY)
    if library is None:
        raise MissingError("another day is made by libfaketime: sudo apt-get install libfaketime")
    far = {"TZ": "Pacific/Kiritimati", "LANG": "tr_TR.UTF-8", "LC_ALL": "tr_TR.UTF-8", "PYTHONHASHSEED": "7"}
    return {**far, **_LATER, "LD_PRELOAD": library}


class Elsewhere(toolbox.Toolbox):
    """A toolbox whose tools read the clock of :data:`_LATER`, too."""

    def run(
        self,
        argv: Sequence[str],
        *,
        binds: Mapping[Path, str] | None = None,
        cwd: str = "/",
        env: Mapping[str, str] | None = None,
        stdin: bytes | None = None,
        capture: bool = False,
    ) -> bytes:
        """As :meth:`tools.image.toolbox.Toolbox.run`."""
        binds = {**(binds or {}), Path(os.environ["LD_PRELOAD"]): _INSIDE}
        env = {**(env or {}), **_LATER, "LD_PRELOAD": _INSIDE}
        return super().run(argv, binds=binds, cwd=cwd, env=env, stdin=stdin, capture=capture)


def main(arguments: Sequence[str]) -> int:
    """Build with one processor, a strict umask and the other toolbox."""
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    os.umask(0o077)
    return build.main(arguments, lambda given: Elsewhere(given.root, given.epoch))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
