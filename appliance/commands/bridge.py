"""``kontor bridge A B``: one room in another one, both ways."""

import argparse
import sys
from typing import TYPE_CHECKING

from appliance.commands import Subparsers
from appliance.core.exits import Exit
from appliance.settings import SettingsError

if TYPE_CHECKING:
    from appliance.rooms.bridge_end import EndSettings

_LINKS = ("http:", "https:")


def register(commands: Subparsers) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "bridge",
        help="join two rooms, whatever carries them: each hears the other",
        description="A and B each name a file: with a link for a bridge in it (kontor host link ROOM --bridge), or with "
        "settings whose [room] says what carries the room. A link can stand here itself, too. Ends when it is ended.",
    )
    parser.add_argument("sides", metavar="SIDE", nargs=2, help="a file with a link or with settings, or a link")
    parser.add_argument(
        "--stand-by",
        action="store_true",
        help="where another bridge joins the rooms already: stay beside it unheard, and take its place when it is gone, "
        "instead of ending",
    )
    parser.set_defaults(run=run, serves=run)


def run(given: argparse.Namespace) -> int:
    """Run it until SIGTERM. 78 for a side that cannot be used or is refused, and for a ring; 70 for a fault."""
    from appliance.app.bridge import main
    from appliance.app.process import NotAllowed
    from appliance.app.process import run as run_process
    from appliance.health.journal import quiet_libraries
    from appliance.media.opus import OpusMissing

    quiet_libraries()
    sides = [_side(word, name) for word, name in zip(given.sides, "AB", strict=True)]
    a, b = sides
    if a is None or b is None:
        return Exit.CONFIGURATION
    if any(word.lower().startswith(_LINKS) for word in given.sides):
        print("kontor bridge: who lists this machine's processes can read the link; a file keeps it.", file=sys.stderr)
    try:
        return run_process("bridge", lambda stop, journal: main(a, b, stop, journal, stands_aside=given.stand_by))
    except (NotAllowed, OpusMissing) as error:
        print(f"kontor bridge: {error}", file=sys.stderr)
        return Exit.CONFIGURATION


def _side(word: str, name: str) -> "EndSettings | None":
    """One side; None when it cannot be used, which has been said on standard error then."""
    from appliance.app.bridge_sides import read_side
    from appliance.app.process import NotAllowed

    try:
        return read_side(word)
    except NotAllowed as error:
        print(f"kontor bridge: side {name}: {error}", file=sys.stderr)
    except SettingsError as error:
        print(f"kontor bridge: side {name}:\n{error}", file=sys.stderr)
    return None
