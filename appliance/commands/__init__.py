"""One file a command: each has ``register(commands)`` and ``run(given)``, which returns the exit code."""

import argparse
from typing import TypeAlias

Subparsers: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"  # noqa: SLF001 - it has no public name
