"""``kontor host``: the server that holds rooms, and what its keeper asks of it."""

import argparse
from typing import TYPE_CHECKING

from appliance.commands import Subparsers
from appliance.commands.host_certificate import register_certificate
from appliance.commands.host_devices import register_device
from appliance.commands.host_keeper import (
    register_key,
    register_member,
    register_recording,
    register_state,
    register_title,
)
from appliance.commands.host_link import register_link
from appliance.commands.part import add_config, run_part
from appliance.provisioning.files import Files
from appliance.settings import Settings

if TYPE_CHECKING:
    import asyncio

    from appliance.health.journal import Journal

_ACTIONS = (
    register_link,
    register_key,
    register_member,
    register_title,
    register_recording,
    register_device,
    register_state,
    register_certificate,
)


def register(commands: Subparsers) -> None:
    """Add the command. Without an action it runs the server."""
    parser = commands.add_parser("host", help="hold rooms: the server that devices and browsers join")
    add_config(parser)
    parser.add_argument("--shard", type=int, help=argparse.SUPPRESS)  # kontor host itself starts these
    actions = parser.add_subparsers(dest="action", metavar="ACTION")
    for register_action in _ACTIONS:
        register_action(actions)
    parser.set_defaults(run=run, serves=run)


def run(given: argparse.Namespace) -> int:
    """Run it until SIGTERM."""
    from appliance.app import host, host_shards
    from appliance.app.process import NotAllowed
    from appliance.app.reload import answering

    options = ["--config", str(given.config.absolute())] if given.config else []

    async def main(settings: Settings, stop: "asyncio.Event", journal: "Journal", files: Files) -> None:
        if given.shard is not None:  # the process that started it ends it when settings change
            await host.main(settings, stop, journal, host_shards.shard_config(settings, given.shard))
            return
        async with answering("host", files, journal, stop.set):
            if host_shards.count(settings) > 1:
                await host_shards.main(options, settings, stop, journal)
            else:
                await host.main(settings, stop, journal)

    return run_part("host", given.config, main, (NotAllowed,), {"host"})
