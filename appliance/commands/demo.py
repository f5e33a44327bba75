"""``kontor demo``: a room with a device in it, on this machine, with one command."""

import argparse
import sys
from pathlib import Path

from appliance.commands import Subparsers
from appliance.core.events import Severity
from appliance.core.exits import Exit


def register(commands: Subparsers) -> None:
    """Add the command."""
    parser = commands.add_parser("demo", help="a room with a device in it, on this machine")
    parser.add_argument("--port", type=_port, default=8080, help="the first port to try (8080)")
    parser.add_argument("--record", type=Path, metavar="FILE", help="write what the loudspeaker plays to this WAV file")
    parser.add_argument(
        "--microphone", default="speech", metavar="WHAT", help="speech, silence, tone:440, or a 48 kHz WAV file"
    )
    parser.set_defaults(run=run, serves=run)


def _port(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 65535:
        raise argparse.ArgumentTypeError("a port is a number from 1 to 65535")
    return int(text)


def run(given: argparse.Namespace) -> int:
    """Run it until Ctrl-C."""
    from appliance.app.demo import Wishes, main
    from appliance.app.process import NotAllowed
    from appliance.app.process import run as run_process
    from appliance.health.journal import quiet_libraries

    quiet_libraries()
    wishes = Wishes(given.port, given.record, given.microphone)
    try:
        return run_process("demo", lambda stop, journal: main(wishes, stop, journal), Severity.WARNING)
    except NotAllowed as error:
        print(f"kontor demo: {error}", file=sys.stderr)
        return Exit.TRY_AGAIN
