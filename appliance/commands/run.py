"""``kontor run``: a device in the foreground, its processes watched and started anew; with [host] enabled the server too."""

import argparse
import sys

from appliance.commands import Subparsers
from appliance.commands.part import add_config, load_settings
from appliance.core.exits import Exit


def register(commands: Subparsers) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "run", help="run a device in the foreground: sound and link, and the server with [host] enabled"
    )
    add_config(parser)
    parser.set_defaults(run=run, serves=run)


def run(given: argparse.Namespace) -> int:
    """Run it until SIGTERM or Ctrl-C."""
    from appliance.app.process import NotAllowed
    from appliance.app.process import run as run_process
    from appliance.app.run import main

    settings = load_settings(given.config, {"room"})
    if settings is None:
        return Exit.CONFIGURATION
    config = ["--config", str(given.config.absolute())] if given.config else []
    try:
        return run_process("run", lambda stop, journal: main(settings, config, stop, journal))
    except NotAllowed as error:
        print(f"kontor run: {error}", file=sys.stderr)
        return Exit.CONFIGURATION
