"""``kontor host``: the server that holds rooms."""

import argparse

from appliance.commands import Subparsers
from appliance.commands.part import add_config, run_part


def register(commands: Subparsers) -> None:
    """Add the command."""
    parser = commands.add_parser("host", help="hold rooms: the server that devices and browsers join")
    add_config(parser)
    parser.set_defaults(run=run)


def run(given: argparse.Namespace) -> int:
    """Run it until SIGTERM."""
    from appliance.app.host import main
    from appliance.app.process import NotAllowed

    return run_part("host", given.config, main, (NotAllowed,), {"host"})
