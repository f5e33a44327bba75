"""``kontor doctor``: what is wrong, in words, each with the way out."""

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from appliance.commands import Subparsers
from appliance.commands.part import add_config, load_settings
from appliance.core.exits import Exit

if TYPE_CHECKING:
    from appliance.app.doctor_findings import Finding, Target

_MARKS = {"good": "ok  ", "warning": "note", "bad": "BAD ", "skipped": "-   "}


def register(commands: Subparsers) -> None:
    """Add the command."""
    parser = commands.add_parser("doctor", help="find out what is wrong: name, clock, https, UDP, relay, proxy")
    add_config(parser)
    parser.add_argument("--network", action="store_true", required=True, help="look at the way to the server")
    parser.add_argument(
        "--link", metavar="LINK", help="look by this link, from any machine; whoever is in by it is put out"
    )
    parser.add_argument("--ca-file", type=Path, metavar="FILE", help="with --link: the authority of the server, PEM")
    parser.add_argument("--json", action="store_true", help="for programs")
    parser.set_defaults(run=run)


def run(given: argparse.Namespace) -> int:
    """Look; 0 when nothing is wrong, 69 when something is, 78 when the settings do not say where to look."""
    import asyncio

    from appliance.app.doctor import examine
    from appliance.app.process import NotAllowed
    from appliance.health.journal import quiet_libraries

    quiet_libraries()
    try:
        target = _target(given)
        if target is None:
            return Exit.CONFIGURATION
        if not given.json:
            print(f"The way to {target.url}, room {target.room}:")
        found = asyncio.run(examine(target, lambda finding: None if given.json else _print(finding)))
    except NotAllowed as error:
        print(f"kontor doctor: {error}", file=sys.stderr)
        return Exit.CONFIGURATION
    except OSError as error:  # the authority's file
        print(f"kontor doctor: [room] ca_file: {error}", file=sys.stderr)
        return Exit.CONFIGURATION
    bad = any(finding.state == "bad" for finding in found)
    if given.json:
        print(json.dumps({"good": not bad, "findings": [asdict(finding) for finding in found]}, indent=2))
    return Exit.UNAVAILABLE if bad else Exit.OK


def _target(given: argparse.Namespace) -> "Target | None":
    from appliance.app.doctor import by_link, by_settings

    if given.link:
        return by_link(given.link, given.ca_file)
    settings = load_settings(given.config, ())
    return by_settings(settings) if settings is not None else None


def _print(finding: "Finding") -> None:
    print(f"  {_MARKS[finding.state]}  {finding.check:<6} {finding.says}", flush=True)
    if finding.way_out:
        print(f"                -> {finding.way_out}", flush=True)
