"""``kontor config pull``: look for new settings now, and tell what came of it."""

import argparse
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from appliance.core.exits import Exit

if TYPE_CHECKING:
    from appliance.commands import Subparsers

_PATIENCE = 900.0
"""Seconds: new settings may take ten minutes to be confirmed ([provisioning] confirm_s)."""


def register_pull(actions: "Subparsers") -> None:
    """Add the action."""
    action = actions.add_parser(
        "pull",
        help="look for new settings now, on the boot partition and where they are published; what failed is tried again",
    )
    action.add_argument("--runtime", type=Path, metavar="FOLDER", help="the device whose sockets are in this folder")
    action.add_argument("--json", action="store_true", help="for programs")
    action.set_defaults(run=run)


def run(given: argparse.Namespace) -> int:
    """Ask, wait and tell; 75 when nobody answers, 1 when the newest settings are not the ones that hold."""
    from appliance.app.places import SYSTEM
    from appliance.health.status import ask

    try:
        said = ask((given.runtime or SYSTEM) / "provision.status", {"do": "pull"}, _PATIENCE)
    except OSError:
        print("kontor provision does not run here, or may not be asked by this user.", file=sys.stderr)
        return Exit.TRY_AGAIN
    config = said.get("config", {})
    print(json.dumps(config, indent=2) if given.json else "\n".join(describe(config)))
    return 0 if config.get("state") in ("kept", "defaults") and not config.get("faults") else 1


def describe(config: Mapping[str, Any]) -> list[str]:
    """The lines that people read."""
    versions = ", ".join(f"{name} {version}" for name, version in config.get("versions", {}).items())
    words = {
        "defaults": "Nothing was found: what this machine says itself holds.",
        "kept": f"These settings hold: {config.get('digest')}{f' ({versions})' if versions else ''}.",
        "trying": "New settings are on trial.",
        "reverted": "New settings were tried and taken back:",
        "refused": "New settings are wrong, and were not tried:",
    }
    lines = [words.get(str(config.get("state")), "")]
    lines += str(config["why"]).split("\n") if config.get("why") else []
    return [*lines, *(f"Not fetched: {fault}" for fault in config.get("faults", ()))]
