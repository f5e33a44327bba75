"""``kontor record``: what the microphones of this device hear, every channel of it, into a WAV file for support."""

import argparse
import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from appliance.commands import Subparsers
from appliance.commands.part import add_config, load_settings
from appliance.core.exits import Exit

if TYPE_CHECKING:
    from appliance.settings import Settings

_ASK_EVERY = 0.2
_HEADER = 80
"""Bytes that a file without any sound may have."""
_SAYS = {
    "announced": "A recording is announced: the microphone is closed and SPEAK pulses for some seconds.",
    "recording": "Recording. A mute ends it.",
}


class _Stopped(Exception):
    """It ends here: an exit code and one sentence."""

    def __init__(self, code: Exit, says: str) -> None:
        super().__init__(says)
        self.code = code


def register(commands: Subparsers) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "record", help="record what the microphones hear, for support; refuses while the room is muted"
    )
    add_config(parser)
    parser.add_argument(
        "-o", "--output", type=Path, required=True, metavar="FILE", help="a WAV file that is not there yet"
    )
    parser.add_argument("--seconds", type=float, default=10.0, metavar="N", help="how long, at most 30 (10)")
    parser.add_argument(
        "--channels", default="all", metavar="LIST", help='which of the card\'s channels: "all", "1,2" (all)'
    )
    parser.add_argument("--runtime", type=Path, metavar="FOLDER", help="the device whose sockets are in this folder")
    parser.set_defaults(run=run)


def run(given: argparse.Namespace) -> int:
    """Record. 0 when all of it is there, 75 when the room is or was muted, 69 without a card, 73 without a file."""
    settings = load_settings(given.config, ())
    if settings is None:
        return Exit.CONFIGURATION
    try:
        channels = _record(given, settings)
    except _Stopped as stopped:
        print(f"kontor record: {stopped}", file=sys.stderr)
        return stopped.code
    except KeyboardInterrupt:
        print("kontor record: ended by hand", file=sys.stderr)
        return Exit.TRY_AGAIN
    print(f"{given.output}: {channels} channel{'s' if channels > 1 else ''}, 48 kHz, 24 bits.")
    return Exit.OK


def _record(given: argparse.Namespace, settings: "Settings") -> int:
    """How many channels there are in the file.

    :raises _Stopped: nothing was recorded, or not all.
    """
    from appliance.app.recording import LONGEST, Refused, channels_from, create

    try:
        channels = channels_from(given.channels)
    except Refused as refused:
        raise _Stopped(Exit.USAGE, f"--channels: {refused}") from refused
    if not 0 < given.seconds <= LONGEST:
        raise _Stopped(Exit.USAGE, f"--seconds: more than 0 and at most {LONGEST}")
    try:
        file = create(given.output)
    except OSError as error:
        raise _Stopped(Exit.CANNOT_CREATE, f"--output {given.output}: {error.strerror}") from error
    try:
        with file:
            socket = (given.runtime or Path(settings.device.runtime_dir)) / "sound.status"
            if _answers(socket):
                return _ask_for_it(socket, given, file)
            return _here(settings, channels, given.seconds, file)
    except OSError as error:  # the disk is full, say
        raise _Stopped(
            Exit.CANNOT_CREATE, f"{error.filename or f'--output {given.output}'}: {error.strerror or error}"
        ) from error
    finally:
        if given.output.exists() and given.output.stat().st_size <= _HEADER:
            given.output.unlink()


def _answers(socket: Path) -> bool:
    from appliance.health.status import ask

    try:
        return "gate" in ask(socket, {"do": "status"})
    except OSError:
        return False


def _ask_for_it(socket: Path, given: argparse.Namespace, file: BinaryIO) -> int:
    """Let the running sound record."""
    owner = socket.stat().st_uid
    if os.geteuid() not in {0, owner}:
        raise _Stopped(
            Exit.UNAVAILABLE, f"only the user of kontor sound gets its recording: sudo -u '#{owner}' kontor …"
        )
    state = _question(socket, {"do": "record", "seconds": given.seconds, "channels": given.channels})
    if "error" in state:
        raise _Stopped(Exit.TRY_AGAIN, str(state["error"]))
    told = ""
    while state.get("state") != "done":
        if state.get("state") != told:
            told = str(state.get("state"))
            print(_SAYS.get(told, told), flush=True)
        time.sleep(_ASK_EVERY)
        state = _question(socket, {"do": "recording"})
    if state["file"]:
        file.write(Path(str(state["file"])).read_bytes())
        _question(socket, {"do": "recording", "fetched": True})
    if state["why"]:
        raise _Stopped(Exit.TRY_AGAIN, str(state["why"]))
    return int(state["channels"])


def _question(socket: Path, request: Mapping[str, Any]) -> Mapping[str, Any]:
    from appliance.health.status import ask

    try:
        return ask(socket, request)
    except OSError as error:
        raise _Stopped(Exit.UNAVAILABLE, f"kontor sound does not answer any more: {error}") from error


def _here(settings: "Settings", channels: tuple[int, ...], seconds: float, file: BinaryIO) -> int:
    """Record in this process: nothing else has the card."""
    import asyncio

    from appliance.app.booth import Booth, Muted
    from appliance.app.panels import make_panel
    from appliance.app.process import NotAllowed
    from appliance.app.recording import Recorded, Refused, record_here
    from appliance.app.sound import make_card
    from appliance.core.events import Severity
    from appliance.health.journal import Journal

    def booth(recorded: Recorded) -> Booth:
        return Booth(
            settings, make_card(settings), make_panel(settings), Journal("record", sys.stderr, Severity.ERROR), recorded
        )

    try:
        why, count = asyncio.run(
            record_here(booth, channels, seconds, file, lambda state: print(_SAYS[state], flush=True))
        )
    except (Muted, Refused) as refused:
        raise _Stopped(Exit.TRY_AGAIN, str(refused)) from refused
    except NotAllowed as error:
        raise _Stopped(Exit.UNAVAILABLE, str(error)) from error
    if why:
        raise _Stopped(Exit.TRY_AGAIN, why)
    return count
