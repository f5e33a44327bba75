"""The command line: ``kontor COMMAND``."""

import argparse
import os
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
)
"""Each a module of :mod:`appliance.commands`, in the order in which they are listed."""


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
    told = sys.argv[1:] if arguments is None else arguments
    given = parser(told[0] if told else "").parse_args(told)
    try:
        return int(given.run(given))
    except BrokenPipeError:  # whoever read our output has read enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


if __name__ == "__main__":
    sys.exit(main())
