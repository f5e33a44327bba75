"""The command line: ``kontor COMMAND``."""

import argparse
import os
import signal
import sys
from collections.abc import Sequence
from importlib import import_module

# One thread for numpy: a block has 480 samples, and a pool of threads would only make it late.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from appliance import __version__
from appliance.core.exits import Exit

_COMMANDS = (
    "demo",
    "run",
    "setup",
    "status",
    "doctor",
    "devices",
    "record",
    "key",
    "host",
    "config",
    "fleet",
    "keys",
    "update",
    "sound",
    "link",
    "provision",
    "bridge",
    "telegram",
)
"""Each a module of :mod:`appliance.commands`, in the order in which they are listed."""

_INTERRUPTED = 128 + signal.SIGINT
"""As shells tell of a program that this signal has ended."""


class _Parser(argparse.ArgumentParser):
    """argparse ends with 2 on a wrong command line; ours ends with 64 (sysexits.h)."""

    def error(self, message: str) -> "None":  # type: ignore[override]  # argparse declares NoReturn, exit() is
        self.print_usage(sys.stderr)
        self.exit(Exit.USAGE, f"{self.prog}: {message}\n")


def parser(only: str = "") -> argparse.ArgumentParser:
    """The whole command line.

    :param only: a command: no other is loaded then. Services start by this, on boards that take their time.
    """
    top = _Parser(prog="kontor", description="An always-open voice room for offices.")
    top.add_argument("--version", action="version", version=f"kontor {__version__}")
    commands = top.add_subparsers(dest="command", metavar="COMMAND", required=True, parser_class=_Parser)
    for name in [only] if only in _COMMANDS else _COMMANDS:
        import_module(f"appliance.commands.{name}").register(commands)
    return top


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code."""
    if arguments is None:
        return _as_program(sys.argv[1:])
    given = parser(arguments[0] if arguments else "").parse_args(arguments)
    return _run(given)


def _as_program(arguments: Sequence[str]) -> int:
    """Ctrl-C at any moment ends without a traceback: with 0 whatever runs until it is ended, else as a signal does."""
    # While modules are loaded nothing is begun that had to be ended, and an exception might come out of any line.
    before = _end_with(Exit.OK if arguments[:1] == ["demo"] else _INTERRUPTED)
    given = parser(arguments[0] if arguments else "").parse_args(arguments)
    serves = given.run is getattr(given, "serves", None)  # an action below such a command is another thing to run
    if serves:
        _end_with(Exit.OK)
    else:
        signal.signal(signal.SIGINT, before)
    try:
        return _run(given)
    except KeyboardInterrupt:  # of what serves the second one, while it ends already
        return Exit.OK if serves else _INTERRUPTED


def _end_with(code: int) -> "signal._HANDLER":
    """From now on SIGINT ends us at once, unless it is ignored, as by a shell behind "&". Gives what it did before."""
    before = signal.getsignal(signal.SIGINT)
    if before != signal.SIG_IGN:
        signal.signal(signal.SIGINT, lambda *_: os._exit(code))
    return before


def _run(given: argparse.Namespace) -> int:
    try:
        return int(given.run(given))
    except BrokenPipeError:  # whoever read our output has read enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


if __name__ == "__main__":
    sys.exit(main())
