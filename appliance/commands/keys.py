"""``kontor keys``: the pair of keys that settings from afar are signed with."""

import argparse
import getpass
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from appliance.commands import Subparsers
from appliance.core.exits import Exit
from appliance.settings.store import create

if TYPE_CHECKING:
    from appliance.provisioning.minisign import PublicKey
    from appliance.provisioning.signing import SecretKey

_DEFAULT = Path("kontor.key")


def register(commands: Subparsers) -> None:
    """Add the command."""
    parser = commands.add_parser("keys", help="make the keys that settings for many devices are signed with")
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    new = actions.add_parser("new", help="make a pair: a secret key to sign with, a public one for the devices")
    new.add_argument("file", type=Path, nargs="?", default=_DEFAULT, metavar="FILE", help="default: kontor.key")
    new.add_argument("--open", action="store_true", help="without a password, for a machine that signs by itself")
    add_password(new)
    show = actions.add_parser("show", help="print the public key that belongs to a secret one")
    add_key(show)
    parser.set_defaults(run=run)


def add_key(parser: argparse.ArgumentParser) -> None:
    """The options that name the secret key."""
    parser.add_argument(
        "--key", type=Path, default=_DEFAULT, metavar="FILE", help="the secret key; default: kontor.key"
    )
    add_password(parser)


def add_password(parser: argparse.ArgumentParser) -> None:
    """The option that names a file with the password; without it a terminal is asked."""
    parser.add_argument("--password-file", type=Path, metavar="FILE", help="a file with its password")


def run(given: argparse.Namespace) -> int:
    """Do it; 73 when there is a file of that name already, 78 when a key cannot be used."""
    from appliance.provisioning.signing import KeyRefused

    try:
        return _new(given) if given.action == "new" else _show(given)
    except KeyRefused as refused:
        print(f"kontor keys: {refused}.", file=sys.stderr)
        return Exit.CONFIGURATION


def load_key(given: argparse.Namespace) -> "SecretKey":
    """The secret key of ``--key``; its password is asked for when it has one.

    :raises KeyRefused: it cannot be used; the text names the file, and ends without a full stop.
    """
    from appliance.provisioning.signing import LARGEST_KEY_FILE, KeyRefused, SecretKey

    try:
        with given.key.open("rb") as file:
            content = file.read(LARGEST_KEY_FILE)
    except OSError as error:
        hint = ". Make one with: kontor keys new" if isinstance(error, FileNotFoundError) else ""
        raise KeyRefused(f"{given.key} cannot be read: {error.strerror}{hint}") from None
    try:
        return SecretKey.parse(content, lambda: _password(given, f"Password of {given.key}: "))
    except KeyRefused as refused:
        raise KeyRefused(f"{given.key} {refused}") from None


def public_key(text: str) -> "PublicKey":
    """A public key, or the file that holds one.

    :raises KeyRefused: it is neither; the text ends without a full stop.
    """
    from appliance.provisioning.minisign import PublicKey
    from appliance.provisioning.signing import KeyRefused

    there = False
    try:
        there = Path(text).is_file()
        return PublicKey.parse(Path(text).read_text(encoding="utf-8") if there else text)
    except (OSError, ValueError) as error:
        raise KeyRefused(f"{text}: {error}{'' if there else '; nor is there such a file'}") from None


def _show(given: argparse.Namespace) -> int:
    print(load_key(given).public)
    return Exit.OK


def _new(given: argparse.Namespace) -> int:
    from appliance.provisioning.signing import KeyRefused, SecretKey, public_file

    password = "" if given.open else _new_password(given)
    if not given.open and not password:
        raise KeyRefused("a password may not be empty; --open makes a key without one")
    key, public = SecretKey.make(), given.file.with_name(f"{given.file.name}.pub")
    made: list[Path] = []
    path = given.file
    try:
        for path, content, mode in ((given.file, key.dump(password), 0o600), (public, public_file(key.public), 0o644)):
            # Never over an old key: the devices that trust it could not be reached any more.
            create(path, content, mode)
            made.append(path)
    except OSError as error:
        for each in made:
            each.unlink(missing_ok=True)
        hint = " An old key is never written over: name a new file." if isinstance(error, FileExistsError) else ""
        print(f"kontor keys: {path} cannot be made: {error.strerror}.{hint}", file=sys.stderr)
        return Exit.CANNOT_CREATE
    print(f"{given.file} signs: keep it, and a copy of it, where no device and no web server is.", file=sys.stderr)
    print(f"{public} is for everybody. On the devices, in kontor.toml:", file=sys.stderr)
    print(f'[provisioning]\nurl = "https://…"\nkeys = ["{key.public}"]')
    return Exit.OK


def _new_password(given: argparse.Namespace) -> str:
    from appliance.provisioning.signing import KeyRefused

    password = _password(given, f"A password for {given.file}: ")
    if given.password_file is None and getpass.getpass("Once more: ") != password:
        raise KeyRefused("the two passwords differ; nothing was made")
    return password


def _password(given: argparse.Namespace, question: str) -> str:
    from appliance.provisioning.signing import KeyRefused

    if given.password_file is not None:
        try:
            return str(given.password_file.read_text(encoding="utf-8")).strip("\r\n")
        except (OSError, UnicodeDecodeError) as error:
            raise KeyRefused(f"{given.password_file} cannot be read: {error}") from None
    if not sys.stdin.isatty():
        raise KeyRefused("a password is needed, and there is no terminal to ask for it: use --password-file")
    return getpass.getpass(question)
