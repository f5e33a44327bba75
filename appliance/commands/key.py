"""``kontor key``: the public key of this device, for the host's settings."""

import argparse
import base64
import sys

from appliance.commands import Subparsers
from appliance.commands.part import add_config, load_settings
from appliance.core.enrolment import fingerprint
from appliance.core.exits import Exit


def register(commands: Subparsers) -> None:
    """Add the command."""
    parser = commands.add_parser("key", help="print this device's public key, for [[host.devices]] of the server")
    parser.add_argument(
        "--qr", action="store_true", help="show it as a QR code too, with its fingerprint and the device's id"
    )
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
    public = base64.b64encode(key.public).decode()
    print(public)
    if given.qr:
        _show(settings.device.identity, public, fingerprint(key.public))
    return Exit.OK


def _show(identity: str, public: str, shown: str) -> None:
    """For a phone: what an admin needs to make this device a member, and to compare with what the page shows."""
    import segno

    print(f"{identity}: {shown}")
    segno.make_qr(f"{identity}\n{shown}\n{public}").terminal(border=2, compact=True)
