"""``kontor telegram login``: a session of a Telegram account, made on a laptop, for a device that is to be in its groups."""

import argparse
import asyncio
import contextlib
import os
import sys
import termios
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from appliance.commands import Subparsers
from appliance.core.exits import Exit

if TYPE_CHECKING:
    from appliance.rooms.telegram_login import Question

_OWNER_ONLY = 0o600
_LONGEST = 4096
"""Bytes of an answer: what a terminal takes for one line."""
_HASH = "The api_hash of https://my.telegram.org: "
_ASKED = {
    "phone": "Phone number of the account, with its country: ",
    "code": "The code that Telegram has sent: ",
    "password": "The account's second password (two-step verification): ",
}


def register(commands: Subparsers) -> None:
    """Add the command."""
    parser = commands.add_parser("telegram", help="the account with which a device is in a Telegram group")
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    login = actions.add_parser("login", help="make the account's session, on a laptop, with a code that Telegram sends")
    login.add_argument("--api-id", type=int, required=True, help="from https://my.telegram.org, as is the hash")
    login.add_argument(
        "--api-hash-file", type=Path, metavar="FILE", help="a file with the hash; default: it is asked for"
    )
    login.add_argument(
        "--output", type=Path, default=Path("telegram.session"), metavar="FILE", help="where the session goes"
    )
    login.set_defaults(run=run)


class _Ended(Exception):
    """One sentence, and what the command ends with."""

    def __init__(self, why: str, code: Exit) -> None:
        super().__init__(why)
        self.code = code


def run(given: argparse.Namespace) -> int:
    """Log in; 69 when Telegram is not reached, 73 when the file cannot be written, 75 to try later, 78 for wrong input.

    Ctrl-C ends it with 75 too, and nothing is made.
    """
    try:
        name = asyncio.run(_login(given))
    except KeyboardInterrupt:
        print("\nkontor telegram login: ended by hand, nothing was made.", file=sys.stderr)
        return Exit.TRY_AGAIN
    except _Ended as error:
        print(f"kontor telegram login: {error}", file=sys.stderr)
        return error.code
    print(f"Logged in as {name}. The session is in {given.output}: whoever has this file is that account.")
    print(
        "\nWrite into kontor.toml on the device's boot partition, with the hash and the line that is in the file:\n\n"
        '[room]\nengine = "telegram"\n\n'
        f'[telegram]\napi_id = {given.api_id}\napi_hash = "..."\nsession = "..."\ngroup = "@your_group"\n\n'
        "The device moves both to where only it reads them. Then delete the file here.\n"
        "To end the session: Telegram's own program, Settings, Devices."
    )
    return Exit.OK


async def _login(given: argparse.Namespace, start: str = "") -> str:
    try:
        from appliance.rooms.signalling import Lost
        from appliance.rooms.telegram_login import NotGiven, make_session
    except ImportError as error:
        raise _Ended("what it needs is not installed: install kontor[telegram].", Exit.UNAVAILABLE) from error
    secret = await _hash(given.api_hash_file)
    place = _new_file(given.output)
    try:
        session, name = await make_session(given.api_id, secret, _ask, start)
        os.write(place, session.encode() + b"\n")
        os.fsync(place)
    except NotGiven as error:
        raise _Ended(str(error), Exit.CONFIGURATION) from None
    except Lost as lost:
        raise _Ended(str(lost), _code(lost.fault.kind, waits=lost.fault.retry_after is not None)) from None
    except EOFError:
        raise _Ended("nothing was made.", Exit.USAGE) from None
    except OSError as error:
        raise _Ended(f"{given.output} cannot be written: {error.strerror}.", Exit.CANNOT_CREATE) from None
    finally:
        os.close(place)
        if not given.output.stat().st_size:
            given.output.unlink()
    return name


def _code(kind: str, *, waits: bool) -> Exit:
    if kind in ("network", "server"):
        return Exit.TRY_AGAIN if waits else Exit.UNAVAILABLE
    return Exit.CONFIGURATION


async def _hash(file: Path | None) -> str:
    try:
        text = _read(file) if file else await _line(_HASH, shown=False)
    except (OSError, ValueError) as error:
        raise _Ended(f"--api-hash-file cannot be read: {error}.", Exit.CONFIGURATION) from None
    except EOFError:
        raise _Ended("nothing was made.", Exit.USAGE) from None
    return text.strip()


def _read(file: Path) -> str:
    return file.read_text("ascii")


def _new_file(path: Path) -> int:
    """Made before anything is asked, so that no code is used up for nothing."""
    try:
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, _OWNER_ONLY)
    except FileExistsError:
        raise _Ended(f"{path} is there already: name another one with --output.", Exit.CANNOT_CREATE) from None
    except OSError as error:
        raise _Ended(f"{path} cannot be written: {error.strerror}.", Exit.CANNOT_CREATE) from None


async def _ask(question: "Question", why: str) -> str:
    """Ask at the terminal; a password is not shown."""
    if why:
        print(why)
    return await _line(_ASKED[question], shown=question != "password")


async def _line(prompt: str, *, shown: bool) -> str:
    """A line from standard input; Ctrl-C ends the waiting, and the terminal is as it was.

    Not by input() in a thread, which nobody could end before Enter is pressed.

    :raises EOFError: there is none.
    """
    if sys.stdin is None or sys.stdin.closed:
        raise EOFError
    print(prompt, end="", flush=True)
    place = sys.stdin.fileno()
    with contextlib.nullcontext() if shown else _unseen(place):
        try:
            line = await _read_line(place)
        finally:
            if not shown:
                print()
    if not line:
        raise EOFError
    return line.decode("utf-8", "replace").rstrip("\r\n")


async def _read_line(place: int) -> bytes:
    """Byte by byte: what follows the line is for the next question, and a pipe or a file has no ends of lines of its own."""
    line = b""
    while not line.endswith(b"\n") and len(line) < _LONGEST:
        await _readable(place)
        if not (byte := os.read(place, 1)):
            break
        line += byte
    return line


async def _readable(place: int) -> None:
    loop, there = asyncio.get_running_loop(), asyncio.Event()
    try:
        loop.add_reader(place, there.set)
    except PermissionError:
        return  # a file, which is always readable
    try:
        await there.wait()
    finally:
        loop.remove_reader(place)


@contextlib.contextmanager
def _unseen(place: int) -> Iterator[None]:
    """What is typed meanwhile is not shown; where there is no terminal nothing is."""
    try:
        before = termios.tcgetattr(place)
    except termios.error:
        yield
        return
    without = [*before]
    without[3] &= ~termios.ECHO
    try:
        termios.tcsetattr(place, termios.TCSAFLUSH, without)
        yield
    finally:
        termios.tcsetattr(place, termios.TCSAFLUSH, before)
