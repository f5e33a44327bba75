"""``kontor run``: a device in the foreground, sound and link watched and started anew."""

import argparse

from appliance.commands import Subparsers
from appliance.commands.part import add_config, load_settings
from appliance.core.exits import Exit


def register(commands: Subparsers) -> None:
    """Add the command."""
    parser = commands.add_parser("run", help="run a device in the foreground: sound and link")
    add_config(parser)
    parser.set_defaults(run=run)


def run(given: argparse.Namespace) -> int:
    """Run it until SIGTERM or Ctrl-C."""
    from appliance.app.process import run as run_process
    from appliance.app.run import main

    if load_settings(given.config, {"room"}) is None:
        return Exit.CONFIGURATION
    config = ["--config", str(given.config.absolute())] if given.config else []
    return run_process("run", lambda stop, journal: main(config, stop, journal))
