"""``kontor link``: one of the two processes of a device; ``kontor run`` starts both."""

import argparse

from appliance.commands import Subparsers
from appliance.commands.part import add_config, run_part


def register(commands: Subparsers) -> None:
    """Add the command."""
    parser = commands.add_parser("link", help="the process with the network, without a microphone")
    add_config(parser)
    parser.set_defaults(run=run, serves=run)


def run(given: argparse.Namespace) -> int:
    """Run it until SIGTERM."""
    from appliance.app.link import main
    from appliance.app.process import NotAllowed
    from appliance.media.opus import OpusMissing

    return run_part("link", given.config, main, (NotAllowed, OpusMissing), {"room"})
