"""``kontor config``: is it right, what is in force, what was changed, what could be set."""

import argparse
import base64
import json
import secrets
import sys
import tempfile
from pathlib import Path

from appliance.commands import Subparsers
from appliance.commands.config_card import as_card
from appliance.commands.config_pull import register_pull
from appliance.commands.config_signed import register_sign, register_verify
from appliance.commands.part import add_config
from appliance.core.exits import Exit
from appliance.provisioning.files import source, sources
from appliance.settings import Origin, PanelKind, Problem, Resolved, SettingsError, load, resolve
from appliance.settings.checks_signs import same_by_chance
from appliance.settings.describe import as_dict, as_toml, differences
from appliance.settings.json_schema import json_schema
from appliance.settings.store import create

_KEY_BYTES = 32


def register(commands: Subparsers) -> None:
    """Add the command."""
    parser = commands.add_parser("config", help="check, show and explain the settings")
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    for name, about in (
        ("check", "tell everything that is wrong with the settings, at once"),
        ("show", "print the settings in force, and where each was written"),
        ("diff", "print only what differs from the defaults, or between two files"),
    ):
        action = actions.add_parser(name, help=about)
        add_config(action)
        action.add_argument("--json", action="store_true", help="for programs")
        if name == "check":
            action.add_argument("named", type=Path, nargs="?", metavar="FILE", help="the same as --config FILE")
        if name == "diff":
            action.add_argument(
                "files", type=Path, nargs="*", metavar="FILE", help="two files: what changes from one to the other"
            )
    actions.add_parser("schema", help="print the JSON Schema of a settings file")
    action = actions.add_parser("new-key", help="make a key for a room, in a new file that only its owner reads")
    action.add_argument("file", type=Path, metavar="FILE")
    parser.set_defaults(run=run)
    register_pull(actions)
    register_sign(actions)
    register_verify(actions)


def run(given: argparse.Namespace) -> int:
    """Do it; 78 when the settings cannot be used."""
    if given.action == "schema":
        return _schema()
    if given.action == "diff" and given.files:
        return _between(given)
    return _new_key(given.file) if given.action == "new-key" else _settings(given)


def _settings(given: argparse.Namespace) -> int:
    named = getattr(given, "named", None) or given.config
    # Whoever may read the settings need not be allowed to read the secrets.
    secrets_of = None if given.action == "check" else ()
    notes: list[str] = []
    try:
        if named and given.action == "check":
            with tempfile.TemporaryDirectory(prefix="kontor-") as folder:
                found, notes = as_card(named, Path(folder))
                resolved = resolve(found, secrets_of)
        else:
            found = sources(named)
            resolved = resolve(found, secrets_of)
        if given.action == "check":
            notes += _compare_with_machine(resolved)
    except OSError as error:
        print(f"kontor config check needs a folder for its own files: {error}", file=sys.stderr)
        return Exit.CANNOT_CREATE
    except SettingsError as error:
        if given.json:
            print(json.dumps({"ok": False, "problems": [problem.as_dict() for problem in error.problems]}, indent=2))
        else:
            print(error, file=sys.stderr)
        return Exit.CONFIGURATION
    changed = as_dict(resolved, only_changed=True)
    if given.action == "check":
        files = [source.name for source in found]
        warnings = [*same_by_chance(resolved.settings), *notes]
        report = {"ok": True, "problems": [], "warnings": warnings, "files": files}
        print(json.dumps(report, indent=2) if given.json else "\n".join([_all_right(files, len(changed)), *warnings]))
    elif given.json:
        print(json.dumps(changed if given.action == "diff" else as_dict(resolved), indent=2, ensure_ascii=False))
    elif given.action == "diff" and not changed:
        print("Nothing differs from the defaults.")
    else:
        print(as_toml(resolved, only_changed=given.action == "diff"), end="")
    return 0


def _between(given: argparse.Namespace) -> int:
    """Print what changes from one file to the other, and when each change would take effect."""
    if len(given.files) != 2:
        print("kontor config diff: name two files, or none.", file=sys.stderr)
        return Exit.USAGE
    try:
        old, new = (load([source(path)], ()) for path in given.files)
    except SettingsError as error:
        print(error, file=sys.stderr)
        return Exit.CONFIGURATION
    changes = differences(old, new)
    if given.json:
        print(json.dumps([change.as_dict() for change in changes], indent=2, ensure_ascii=False))
    else:
        print("\n".join(map(str, changes)) or "Both say the same.")
    return 0


def _compare_with_machine(resolved: Resolved) -> list[str]:
    """Refuse a panel that this machine cannot have; a sentence when it cannot be known here.

    :raises SettingsError: with everything that does not fit.
    """
    panel = resolved.settings.panel
    if panel.kind is not PanelKind.GPIO:
        return []
    from appliance.panel import probe

    if not probe.is_here(panel, probe.model()):
        return ["Chip and bus of the panel were not looked at: this machine is no board. Check again on the device."]
    problems = []
    for misfit in probe.misfits(panel):
        origin = resolved.origins.get(misfit.key, Origin("", None))
        value = json.dumps(getattr(panel, misfit.key.partition(".")[2]))
        problems.append(Problem(origin.file, origin.line, misfit.key, value, misfit.allowed, misfit.hint))
    if problems:
        raise SettingsError(problems)
    return []


def _all_right(files: list[str], changed: int) -> str:
    if not files:
        return (
            "There is no settings file, so everything has its default. The first one would be /etc/kontor/kontor.toml"
        )
    return f"The settings are right. {changed} differ from their defaults; read from: {', '.join(files)}"


def _schema() -> int:
    print(json.dumps(json_schema(), indent=2))
    return 0


def _new_key(path: Path) -> int:
    try:
        # Never over an old key: with it all links of its room would be void.
        create(path, base64.b64encode(secrets.token_bytes(_KEY_BYTES)) + b"\n")
    except FileExistsError:
        print(f"{path} is there already. Name a new file: an old key is never written over.", file=sys.stderr)
        return Exit.CANNOT_CREATE
    except OSError as error:
        print(f"{path} cannot be made: {error.strerror}.", file=sys.stderr)
        return Exit.CANNOT_CREATE
    print(f"{path} holds a new key. Give it to the user that kontor host runs as: chown USER {path}", file=sys.stderr)
    return 0
