"""``kontor host``: the server that holds rooms, and what its keeper asks of it."""

import argparse

from appliance.commands import Subparsers
from appliance.commands.host_link import register_link
from appliance.commands.part import add_config, run_part

_ACTIONS = (register_link,)


def register(commands: Subparsers) -> None:
    """Add the command. Without an action it runs the server."""
    parser = commands.add_parser("host", help="hold rooms: the server that devices and browsers join")
    add_config(parser)
    actions = parser.add_subparsers(dest="action", metavar="ACTION")
    for register_action in _ACTIONS:
        register_action(actions)
    parser.set_defaults(run=run)


def run(given: argparse.Namespace) -> int:
    """Run it until SIGTERM."""
    from appliance.app.host import main
    from appliance.app.process import NotAllowed

    return run_part("host", given.config, main, (NotAllowed,), {"host"})
