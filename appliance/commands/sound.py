"""``kontor sound``: one of the two processes of a device; ``kontor run`` starts both."""

import argparse

from appliance.commands import Subparsers
from appliance.commands.part import add_config, run_part


def register(commands: Subparsers) -> None:
    """Add the command."""
    parser = commands.add_parser("sound", help="the process with the microphone and the panel, without a network")
    add_config(parser)
    parser.set_defaults(run=run, serves=run)


def run(given: argparse.Namespace) -> int:
    """Run it until SIGTERM."""
    from appliance.app.process import NotAllowed
    from appliance.app.sound import main
    from appliance.media.exchange import ExchangeBusy

    return run_part("sound", given.config, main, (NotAllowed, ExchangeBusy))
