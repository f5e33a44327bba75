"""``kontor config sign`` and ``verify``: one document for devices that follow from afar; ``kontor fleet publish`` does many."""

import argparse
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from appliance.commands import Subparsers
from appliance.commands.fleet import in_days, version
from appliance.commands.keys import add_key, load_key, public_key
from appliance.commands.part import add_config, load_settings
from appliance.core.exits import Exit
from appliance.settings import SettingsError

if TYPE_CHECKING:
    from appliance.core.documents import Pointer
    from appliance.provisioning.minisign import PublicKey


def register_sign(actions: Subparsers) -> None:
    """Add ``kontor config sign``."""
    parser = actions.add_parser("sign", help="sign one settings file for devices that follow it from afar")
    parser.add_argument("file", type=Path, metavar="FILE", help="the settings file")
    parser.add_argument(
        "--scope", required=True, metavar="SCOPE", help="who follows it: all, groups/NAME or devices/ID"
    )
    parser.add_argument(
        "--version",
        type=version,
        required=True,
        metavar="N",
        help="higher than any that was signed for this scope before",
    )
    parser.add_argument(
        "--expires", type=in_days, metavar="DAYS", help="no device takes it later than so many days from now"
    )
    parser.add_argument(
        "--to", type=Path, default=Path(), metavar="DIR", help="where the web server's folder is; default: here"
    )
    add_key(parser)
    parser.set_defaults(run=_sign)


def register_verify(actions: Subparsers) -> None:
    """Add ``kontor config verify``."""
    parser = actions.add_parser("verify", help="tell whether a signed document is genuine, and what it says of itself")
    parser.add_argument("file", type=Path, metavar="FILE", help="its .minisig, with the document beside it")
    parser.add_argument(
        "--trust",
        action="append",
        default=[],
        metavar="KEY",
        help="a public key or its file; default: those of the settings",
    )
    add_config(parser)
    parser.set_defaults(run=_verify)


def _sign(given: argparse.Namespace) -> int:
    from appliance.core.documents import Pointer
    from appliance.provisioning.files import source
    from appliance.provisioning.fleet import Step, write
    from appliance.provisioning.publication import document_name, is_scope
    from appliance.provisioning.signing import KeyRefused
    from appliance.provisioning.whole import resolve_whole

    if not is_scope(given.scope):
        return _refuse("sign", f"--scope {given.scope} is neither all nor groups/NAME nor devices/ID", Exit.USAGE)
    document = source(given.file)
    try:
        resolve_whole([document], {document.name: given.scope})
        key = load_key(given)
        file = document_name(given.scope, given.version)
        pointer = Pointer(given.scope, given.version, file, given.expires)
        write([Step(pointer, document.content, 0, "new")], given.to, key)
    except SettingsError as error:
        print(f"{error}\nNothing was signed.", file=sys.stderr)
        return Exit.CONFIGURATION
    except KeyRefused as refused:
        return _refuse("sign", str(refused), Exit.CONFIGURATION)
    except OSError as error:
        return _refuse("sign", f"{error.filename} cannot be written: {error.strerror}", Exit.CANNOT_CREATE)
    print(f"{given.to / given.scope}.minisig leads to {file}.")
    return Exit.OK


def _verify(given: argparse.Namespace) -> int:
    from appliance.core.documents import NotTaken, expired
    from appliance.provisioning.publication import when
    from appliance.provisioning.signing import KeyRefused

    try:
        keys = tuple(map(public_key, given.trust)) if given.trust else _trusted(given.config)
        pointer, key = _genuine(given.file, keys)
    except KeyRefused as refused:
        return _refuse("verify", str(refused), Exit.CONFIGURATION)
    except NotTaken as fault:
        print(f"{given.file}: {fault}", file=sys.stderr)
        return Exit.CONFIGURATION
    except OSError as error:
        return _refuse("verify", f"{error.filename} cannot be read: {error.strerror}", Exit.CONFIGURATION)
    print(f"genuine      signed with the key {key.name}")
    print(f"for          {pointer.scope}, version {pointer.version}, in {pointer.file}")
    if pointer.expires is not None:
        gone = expired(pointer.expires, time.time())
        print(
            f"expire{'d' if gone else 's'}      {when(pointer.expires)}{': no device takes it any more' if gone else ''}"
        )
    return Exit.OK


def _trusted(config: Path | None) -> "tuple[PublicKey, ...]":
    from appliance.provisioning.minisign import PublicKey
    from appliance.provisioning.signing import KeyRefused

    settings = load_settings(config, ())
    if settings is None:
        raise KeyRefused("the settings are wrong, so that nobody is trusted by them; name a key with --trust")
    if not settings.provisioning.keys:
        raise KeyRefused("the settings name no provisioning.keys; name a key with --trust")
    return tuple(map(PublicKey.parse, settings.provisioning.keys))


def _genuine(path: Path, keys: "tuple[PublicKey, ...]") -> "tuple[Pointer, PublicKey]":
    from appliance.provisioning.minisign import LARGEST_SIGNATURE
    from appliance.provisioning.publication import read_pointer
    from appliance.settings.sources import LARGEST

    with path.open("rb") as file:
        pointer, signature, key = read_pointer(file.read(LARGEST_SIGNATURE + 1), keys)
    with (path.parent / pointer.file).open("rb") as file:
        signature.check_file(key, file.read(LARGEST + 1))
    return pointer, key


def _refuse(action: str, why: str, status: Exit) -> int:
    print(f"kontor config {action}: {why}.", file=sys.stderr)
    return status
