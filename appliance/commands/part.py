"""What the commands that run a process share: settings from the files, one error text each, the exit code."""

import argparse
import sys
from collections.abc import Callable, Collection
from pathlib import Path
from typing import TYPE_CHECKING, Any

from appliance.core.events import Severity
from appliance.core.exits import Exit
from appliance.provisioning.files import Files, sources
from appliance.settings import Settings, SettingsError, load

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Coroutine

    from appliance.health.journal import Journal

    Main = Callable[[Settings, asyncio.Event, Journal, Files], Coroutine[Any, Any, None]]


def add_config(parser: argparse.ArgumentParser, *, inherited: bool = False) -> None:
    """The option that names the settings.

    :param inherited: the command above has it too: what is given there holds unless it is given here.
    """
    parser.add_argument(
        "--config",
        type=Path,
        default=argparse.SUPPRESS if inherited else None,
        metavar="FILE",
        help="take the settings from this file alone, not from /etc/kontor and the boot partition",
    )


def load_settings(config: Path | None, secrets: Collection[str]) -> Settings | None:
    """The settings; None when they are refused, which has been said on standard error then.

    :param secrets: the sections whose secrets this process may read; it does not look at the files of others.
    """
    try:
        return load(sources(config), secrets)
    except SettingsError as error:
        print(error, file=sys.stderr)
        return None


def run_part(
    name: str, config: Path | None, main: "Main", refusals: tuple[type[Exception], ...], secrets: Collection[str] = ()
) -> int:
    """Load the settings and run ``main`` as a process called ``name``. Returns its exit code.

    ``main`` gets the settings, and the files in which it may look for others when it is told to.

    :param secrets: the sections whose secrets this process reads.
    :param refusals: errors of ``main`` whose text says what to change in the settings: they end it with 78.
    """
    from appliance.app.process import run
    from appliance.health.journal import quiet_libraries

    quiet_libraries()
    files = Files(config, secrets)
    try:
        files.current = files.load()
    except SettingsError as error:
        print(error, file=sys.stderr)
        return Exit.CONFIGURATION
    settings = files.current.settings
    try:
        least = Severity[settings.log.level.name]
        return run(name, lambda stop, journal: main(settings, stop, journal, files), least)
    except refusals as error:
        print(f"kontor {name}: {error}", file=sys.stderr)
        return Exit.CONFIGURATION
