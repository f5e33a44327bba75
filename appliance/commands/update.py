"""``kontor update``: how this image stands to updates, have one made, go back; and publish updates for many."""

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from appliance.commands import Subparsers
from appliance.commands.fleet import in_days, version
from appliance.commands.keys import add_key, load_key, public_key
from appliance.core.exits import Exit
from appliance.core.text import one_line

_LOOK = 1.0
"""Seconds between two looks at an update that is made."""
_ROLLBACK = "kontor-update@rollback.service"
_VERBS = ("apply", "confirm", "rollback")


def register(commands: Subparsers) -> None:
    """Add the command."""
    parser = commands.add_parser("update", help="updates of an image: how it stands, make one, go back, publish")
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    status = actions.add_parser("status", help="tell which version runs, which comes next, and why not")
    status.set_defaults(run=_status)
    apply = actions.add_parser("apply", help="look for an update now, and start it as soon as nobody talks")
    apply.add_argument(
        "source", nargs="?", default="", metavar="FILE|URL", help="of a manifest; default: what is published"
    )
    apply.set_defaults(run=_apply)
    back = actions.add_parser("rollback", help="start the version before, now, and keep it")
    back.set_defaults(run=_rollback)
    for action in (status, apply, back):
        action.add_argument(
            "--runtime", type=Path, metavar="FOLDER", help="the device whose sockets are in this folder"
        )
        action.add_argument("--json", action="store_true", help="for programs")
    _register_publish(actions)
    work = actions.add_parser("work", help="what kontor-update@.service runs; nothing for people")
    work.add_argument("verb", choices=_VERBS)
    work.set_defaults(run=_work)


def _register_publish(actions: Subparsers) -> None:
    publish = actions.add_parser(
        "publish", help="sign an update, and write the folder that a web server shows the devices"
    )
    publish.add_argument(
        "manifest", type=Path, metavar="FILE", help="kontor-VERSION-arm64.toml, its other files beside it"
    )
    publish.add_argument("folder", type=Path, metavar="DIR", help="the folder to write; it is made if it is not there")
    publish.add_argument("--channel", default="stable", type=_channel, help="who is to get it; default: stable")
    add_key(publish)
    publish.add_argument(
        "--trust",
        action="append",
        default=[],
        metavar="KEY",
        help="a public key that signed what is in DIR now, or its file",
    )
    publish.add_argument("--expires", type=in_days, metavar="DAYS", help="no device takes it later than that")
    publish.add_argument("--least", type=version, default=1, metavar="N", help="for a folder that was lost")
    publish.set_defaults(run=_publish)


def _channel(text: str) -> str:
    from appliance.provisioning.publication import is_channel

    if not is_channel(text):
        raise argparse.ArgumentTypeError("must be of the characters a-z 0-9 . _ -, the first a letter or a digit")
    return text


def _ask(given: argparse.Namespace, request: Mapping[str, object]) -> Mapping[str, Any] | None:
    """What provision answers; None, and told: it does not."""
    from appliance.app.places import SYSTEM
    from appliance.health.status import ask

    try:
        said = ask((given.runtime or SYSTEM) / "provision.status", request)
    except OSError:
        print("kontor provision does not run here, or may not be asked by this user.", file=sys.stderr)
        return None
    if "error" in said:
        print(one_line(str(said["error"])), file=sys.stderr)
        return None
    return said


def _status(given: argparse.Namespace) -> int:
    """Tell; 75 when nobody answers."""
    said = _ask(given, {"do": "status"})
    if said is None:
        return Exit.TRY_AGAIN
    _tell(given, said.get("update", {}))
    return Exit.OK


def _apply(given: argparse.Namespace) -> int:
    """Have it made, and tell how far it is; 75 when nobody answers, 1 when it was not taken."""
    source = given.source
    if source and "://" not in source:
        source = str(Path(source).resolve())
    update = _ask(given, {"do": "update", "source": source})
    if update is None:
        return Exit.TRY_AGAIN
    last = ""
    while update.get("asked") and update.get("state") != "ready":
        line = " ".join(_lines(update)[:1])
        if line != last and not given.json:
            print(one_line(line), flush=True)
        last = line
        time.sleep(_LOOK)
        said = _ask(given, {"do": "status"})
        if said is None:
            return Exit.TRY_AGAIN
        update = said.get("update", {})
    _tell(given, update)
    return Exit.OK if update.get("state") in ("ready", "up_to_date") else 1


def _rollback(given: argparse.Namespace) -> int:
    """Have it done by systemd, which knows who may; 75 when there is nothing to go back to, 69 when it refuses."""
    said = _ask(given, {"do": "status"})
    if said is None:
        return Exit.TRY_AGAIN
    if not said.get("update", {}).get("back"):
        print("There is no other version to go back to.", file=sys.stderr)
        return Exit.TRY_AGAIN
    if subprocess.run(["systemctl", "start", _ROLLBACK], check=False).returncode:
        return Exit.UNAVAILABLE
    print("The machine starts anew with the version before.")
    return Exit.OK


def _tell(given: argparse.Namespace, update: Mapping[str, Any]) -> None:
    print(json.dumps(dict(update), indent=2) if given.json else "\n".join(map(one_line, _lines(update))))


def _lines(update: Mapping[str, Any]) -> list[str]:
    from appliance.app.status_words import update as words

    return words(update) or ["No updates are looked after here."]


def _work(given: argparse.Namespace) -> int:
    from appliance.app.update_service import act
    from appliance.health.journal import quiet_libraries
    from appliance.provisioning.files import root_folder

    quiet_libraries()
    return act(given.verb, root_folder())


def _publish(given: argparse.Namespace) -> int:
    """Publish; 78 when devices would refuse it or the key cannot be used, 73 when it cannot be written."""
    from appliance.core.documents import NotTaken
    from appliance.provisioning.signing import KeyRefused
    from appliance.update.publish import publish

    try:
        key = load_key(given)
        trusted = tuple(map(public_key, given.trust))
        pointer = publish(
            given.manifest, given.folder, given.channel, key, trusted=trusted, expires=given.expires, least=given.least
        )
    except KeyRefused as refused:
        print(f"kontor update: {refused}.", file=sys.stderr)
        return Exit.CONFIGURATION
    except NotTaken as fault:
        print(f"kontor update: {fault} Nothing was published.", file=sys.stderr)
        return Exit.CONFIGURATION
    except OSError as error:
        print(f"kontor update: {error.filename}: {error.strerror}. Nothing was published.", file=sys.stderr)
        return Exit.CANNOT_CREATE
    print(f"{given.channel}: {given.manifest.name}, signed as version {pointer.version}, in {given.folder}.")
    return Exit.OK
