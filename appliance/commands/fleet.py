"""``kontor fleet``: many devices at once: publish their settings, and see who follows them."""

import argparse
import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from appliance.commands import Subparsers
from appliance.commands.fleet_enrol import register_enrol
from appliance.commands.fleet_status import register_status
from appliance.commands.keys import add_key, load_key, public_key
from appliance.core.exits import Exit
from appliance.settings import SettingsError

if TYPE_CHECKING:
    from appliance.provisioning.fleet import Step

_DAY = 86_400.0


def register(commands: Subparsers) -> None:
    """Add the command."""
    parser = commands.add_parser("fleet", help="look after many devices: publish their settings, see who follows them")
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    publish = actions.add_parser("publish", help="check, sign and write the folder that a web server shows the devices")
    publish.add_argument("folder", type=Path, metavar="DIR", help="the folder to write; it is made if it is not there")
    publish.add_argument(
        "--from",
        dest="source",
        type=Path,
        default=Path(),
        metavar="DIR",
        help="all.toml, groups/, devices/; default: here",
    )
    add_key(publish)
    publish.add_argument(
        "--trust",
        action="append",
        default=[],
        metavar="KEY",
        help="a public key that signed what is in DIR now, or its file",
    )
    publish.add_argument(
        "--expires", type=in_days, metavar="DAYS", help="no device takes it later than so many days from now"
    )
    publish.add_argument("--renew", action="store_true", help="sign everything anew, also what has not changed")
    publish.add_argument(
        "--least", type=version, default=1, metavar="N", help="the least version, for a folder that was lost"
    )
    publish.add_argument("--dry-run", action="store_true", help="check and tell, and write nothing")
    publish.add_argument("--json", action="store_true", help="for programs")
    publish.set_defaults(run=_publish)
    register_enrol(actions)
    register_status(actions)


def in_days(text: str) -> float:
    """The Unix time, in whole seconds, so many days from now, for argparse."""
    number = float(text)
    if not 0 < number <= 3650:
        raise argparse.ArgumentTypeError("must be a number of days, at most 3650")
    return float(int(time.time() + number * _DAY))


def version(text: str) -> int:
    """The version of a document, for argparse."""
    from appliance.core.documents import HIGHEST_VERSION

    number = int(text)
    if not 1 <= number <= HIGHEST_VERSION:
        raise argparse.ArgumentTypeError(f"must be a whole number from 1 to {HIGHEST_VERSION}")
    return number


def _publish(given: argparse.Namespace) -> int:
    """Publish; 78 when a device would refuse it or the key cannot be used, 73 when it cannot be written."""
    from appliance.provisioning import fleet
    from appliance.provisioning.signing import KeyRefused

    try:
        source = fleet.read_fleet(given.source, given.folder)
        key = load_key(given)
        fleet.check(source, key.public)
        trusted = (key.public, *map(public_key, given.trust))
        steps = fleet.plan(
            source, given.folder, trusted, key.public, expires=given.expires, renew=given.renew, least=given.least
        )
        if not given.dry_run:
            fleet.write(steps, given.folder, key)
    except SettingsError as error:
        if given.json:
            print(json.dumps({"ok": False, "problems": [each.as_dict() for each in error.problems]}, indent=2))
        else:
            print(f"{error}\nNothing was published.", file=sys.stderr)
        return Exit.CONFIGURATION
    except KeyRefused as refused:
        print(f"kontor fleet: {refused}.", file=sys.stderr)
        return Exit.CONFIGURATION
    except OSError as error:
        print(f"kontor fleet: {error.filename} cannot be written: {error.strerror}.", file=sys.stderr)
        return Exit.CANNOT_CREATE
    _tell(steps, given)
    return Exit.OK


def _tell(steps: "list[Step]", given: argparse.Namespace) -> None:
    changed = [step for step in steps if step.why]
    if given.json:
        done = [{"scope": s.pointer.scope, "version": s.pointer.version, "was": s.was, "why": s.why} for s in steps]
        print(json.dumps({"ok": True, "written": not given.dry_run, "documents": done}, indent=2))
        return
    for step in changed:
        print(f"{step.pointer.scope:32} version {step.pointer.version}, {step.why}")
    same = len(steps) - len(changed)
    would = "would be" if given.dry_run else "is" if len(changed) == 1 else "are"
    print(f"{len(changed)} {would} published in {given.folder}, {same} {'is' if same == 1 else 'are'} as before.")
