"""``kontor key``: the public key of this device, for the host's settings."""

import argparse
import base64
import sys

from appliance.commands import Subparsers
from appliance.commands.part import add_config, load_settings
from appliance.core.exits import Exit


def register(commands: Subparsers) -> None:
    """Add the command."""
    parser = commands.add_parser("key", help="print this device's public key, for [[host.devices]] of the server")
    add_config(parser)
    parser.set_defaults(run=run)


def run(given: argparse.Namespace) -> int:
    """Print the key; it is made when the device has none yet."""
    from appliance.app.places import state_of
    from appliance.app.process import NotAllowed, make_folders
    from appliance.rooms.device_key import DeviceKey

    settings = load_settings(given.config, ())
    if settings is None:
        return Exit.CONFIGURATION
    try:
        folder = state_of(settings, "link")
        make_folders(settings.device.state_dir, folder)
        key = DeviceKey.load_or_make(folder)
    except (NotAllowed, OSError, ValueError) as error:
        print(f"kontor key: {error}", file=sys.stderr)
        return Exit.CONFIGURATION
    print(base64.b64encode(key.public).decode())
    return Exit.OK
