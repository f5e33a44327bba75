"""``kontor provision``: the process that takes in settings from the boot partition and from afar."""

import argparse

from appliance.commands import Subparsers
from appliance.core.exits import Exit


def register(commands: Subparsers) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "provision", help="the process that takes in settings from the boot partition and from afar"
    )
    parser.set_defaults(run=run, serves=run)


def run(_given: argparse.Namespace) -> int:
    """Run it until SIGTERM. Wrong settings do not hinder it: it is the way to better ones."""
    import sys

    from appliance.app.process import NotAllowed
    from appliance.app.process import run as run_process
    from appliance.app.provision import begin_with, main
    from appliance.health.journal import quiet_libraries
    from appliance.provisioning.files import root_folder

    quiet_libraries()
    files, least = begin_with(root_folder())
    try:
        return run_process("provision", lambda stop, journal: main(files, stop, journal), least)
    except NotAllowed as error:
        print(f"kontor provision: {error}", file=sys.stderr)
        return Exit.CONFIGURATION
