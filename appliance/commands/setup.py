"""``kontor setup``: three questions, and the device is in its room."""

import argparse
import os
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from appliance.commands import Subparsers
from appliance.core.exits import Exit

if TYPE_CHECKING:
    from appliance.app.doctor_findings import Finding
    from appliance.app.setup import Answers, Draft, Services
    from appliance.app.setup_talk import Given, Person
    from appliance.audio.inventory import Card
    from appliance.settings import Settings

_IN_THE_ROOM = 30.0
"""Seconds that a started device is waited for."""
_LET_IN = 900.0
"""Seconds that somebody at a terminal waits for a person who lets the device in."""
_NO_PANEL = """\
It has no panel, so it hears the room and nobody hears it: unmuting takes a hand. The least panel is a switch between the
pins 1 and 11 of a Raspberry Pi's header, which is on while the microphone is: sudo kontor setup --switch latching"""


def register(commands: Subparsers) -> None:
    """Add the command."""
    parser = commands.add_parser("setup", help="set this device up: asks for room, name and sound card")
    parser.add_argument("--room", metavar="ADDRESS", help='its address or a link; "" for none yet')
    parser.add_argument("--name", help="what the others in the room read")
    parser.add_argument("--card", help='"auto" for the best, "none", a card of kontor devices, or a name of ALSA\'s')
    parser.add_argument(
        "--switch",
        choices=("latching", "momentary"),
        help="a mute switch or button is wired to the header (docs/panel.md)",
    )
    parser.add_argument("--ca-file", type=Path, metavar="FILE", help="the server's own authority, PEM")
    parser.add_argument("--unchecked", action="store_true", help="do not ask the server whether the room is there")
    parser.add_argument("--no-test", action="store_true", help="do not listen to the sound card")
    parser.add_argument("--no-start", action="store_true", help="write the settings alone")
    parser.add_argument("--config", type=Path, metavar="FILE", help="the file to write, not /etc/kontor/kontor.toml")
    parser.set_defaults(run=run)


class _Stop(Exception):
    """One sentence, and what the command ends with."""

    def __init__(self, sentence: object, code: Exit) -> None:
        super().__init__(sentence)
        self.code = code


class Terminal:
    """Somebody at a terminal (:class:`appliance.app.setup_talk.Person`)."""

    def tell(self, text: str) -> None:
        """Lines to read."""
        print(text, flush=True)

    def answer(self, question: str) -> str:
        """One line."""
        from appliance.app.setup_talk import Gone

        print(f"   {question}", end="", flush=True)
        line = sys.stdin.readline()
        if not line:
            raise Gone
        return line.strip()


def run(given: argparse.Namespace) -> int:
    """Ask, write, test, start.

    Ends with 64 when a question is left and nobody to ask, with 69 when something does not work yet, with 73 when nothing
    can be written, with 75 when somebody broke it off, with 78 when settings that are there are wrong.
    """
    from appliance.health.journal import quiet_libraries
    from appliance.settings.edit import NotHere

    quiet_libraries()
    try:
        return _run(given, Terminal())
    except NotHere as error:
        print(f"kontor setup: {error}", file=sys.stderr)
        return Exit.CONFIGURATION
    except _Stop as stop:
        print(stop, file=sys.stderr)
        return stop.code


def _run(given: argparse.Namespace, person: "Person") -> int:
    path = given.config or _machine_file()
    draft = _draft(path)
    answers = _answers(given, person, draft)
    panel = {"panel.kind": "gpio", "panel.mute": given.switch} if given.switch else {}
    config = ["--config", str(path.absolute())] if given.config else []
    settings = _write(draft, answers, panel, config, person)
    if settings.panel.kind == "none":
        person.tell(_NO_PANEL)
    services = _services(given)
    good = True
    if not given.no_test and settings.audio.backend == "alsa":
        good = _test(settings, config, services)
    if given.no_start or services is None:
        person.tell(_by_hand(given, config))
        if _asks(answers):
            person.tell(_how_it_is_let_in(settings, config))
        return Exit.OK if good else Exit.UNAVAILABLE
    joined = _start(services, settings, person)
    if not joined and _asks(answers):
        person.tell(_how_it_is_let_in(settings, config))
        joined = sys.stdin.isatty() and _let_in(settings, person)
    good = good and joined
    return Exit.OK if good else Exit.UNAVAILABLE


def _machine_file() -> Path:
    from appliance.provisioning.files import MACHINE, root_folder

    return root_folder() / MACHINE


# ---- asking


def _draft(path: Path) -> "Draft":
    from appliance.app.setup import Draft
    from appliance.settings import SettingsError

    folder = next(each for each in path.absolute().parents if each.is_dir())
    if not os.access(folder, os.W_OK) or (path.exists() and not os.access(path, os.R_OK)):
        raise _Stop(f"{path} cannot be written by this user. Try: sudo kontor setup", Exit.CANNOT_CREATE)
    try:
        return Draft(path)
    except SettingsError as error:
        raise _Stop(f"{error}\nMend that first, or move the file away.", Exit.CONFIGURATION) from error
    except (OSError, ValueError) as error:
        raise _Stop(f"{path} cannot be read: {error}", Exit.CONFIGURATION) from error


def _answers(given: argparse.Namespace, person: "Person", draft: "Draft") -> "Answers":
    from appliance.app.setup_talk import Around, Given, Gone, ask

    said = Given(given.room, given.name, given.card, _authority(given.ca_file))
    missing = [f"--{what}" for what in ("room", "name", "card") if getattr(said, what) is None]
    if not missing:
        return _unasked(said, draft, checked=not given.unchecked)
    if not sys.stdin.isatty():
        raise _Stop(f"kontor setup: without a terminal it needs {', '.join(missing)}", Exit.USAGE)
    person.tell("Three questions. Enter takes what stands in brackets; Ctrl-C ends it, and nothing is changed.\n")
    try:
        return ask(person, said, draft, Around(_cards, _rooms))
    except (Gone, KeyboardInterrupt):
        raise _Stop("\nNothing was changed.", Exit.TRY_AGAIN) from None


def _authority(path: Path | None) -> str:
    try:
        return path.read_text() if path else ""
    except (OSError, ValueError) as error:
        raise _Stop(f"kontor setup: --ca-file {path}: {error}", Exit.USAGE) from error


def _unasked(said: "Given", draft: "Draft", *, checked: bool) -> "Answers":
    """The same from the command line alone."""
    import asyncio

    from appliance.app.setup import Answers
    from appliance.app.setup_room import NOWHERE, look
    from appliance.app.setup_talk import way_for

    try:
        way = way_for(said.room or "", draft, said.authority)
    except ValueError as error:
        raise _Stop(f"kontor setup: --room: {error}", Exit.USAGE) from error
    refused = draft.refusal({"device.name": said.name})
    if refused:
        raise _Stop(f"kontor setup: --name {refused}", Exit.USAGE)
    if checked and way != NOWHERE and not asyncio.run(look(way, _note)):
        raise _Stop("Nothing was changed. With --unchecked the address is taken as it is.", Exit.UNAVAILABLE)
    return Answers(way, said.name or "", said.card or "")


def _note(finding: "Finding") -> None:
    print(" -> ".join(filter(None, (finding.says, finding.way_out))), flush=True)


def _cards() -> "Sequence[Card]":
    from appliance.commands.devices import _cards as cards

    return cards()[0]


def _rooms() -> "Sequence[tuple[str, str]]":
    """Title and address of the rooms that are announced nearby."""
    import asyncio

    from appliance.provisioning.nearby import look

    try:
        found = asyncio.run(look())
    except ImportError:  # the library for mDNS is on devices alone
        return ()
    return [(each.nearby.title, f"{each.url}/{each.nearby.room}") for each in found]


# ---- doing


def _write(
    draft: "Draft", answers: "Answers", more: Mapping[str, object], config: Sequence[str], person: "Person"
) -> "Settings":
    """Write the files with the answers and ``more``; the settings in force then."""
    from appliance.app.setup import OLD, keep_files, overridden, values_of
    from appliance.commands.part import load_settings
    from appliance.provisioning.files import sources
    from appliance.settings import SettingsError

    path, before = draft.path, draft.settings
    try:
        values = values_of(answers, _cards(), before) | keep_files(path, answers.way, before) | dict(more)
        kept = draft.write(values)
    except OSError as error:
        raise _Stop(f"{path} was not written: {error}", Exit.CANNOT_CREATE) from error
    except SettingsError as error:
        raise _Stop(error, Exit.CONFIGURATION) from error
    person.tell(f"\nWritten: {path}" + (f"; the one before is {path.name}{OLD}" if kept else ""))
    found = sources(path if config else None)
    settings = load_settings(path if config else None, ())
    if settings is None:
        raise _Stop("Mend that, and run kontor setup again.", Exit.CONFIGURATION)
    try:
        others = overridden(found, path, values)
    except SettingsError as error:
        raise _Stop(error, Exit.CONFIGURATION) from error
    if others:
        person.tell(f"Another file has the last word on: {', '.join(others)}")
    return settings


def _services(given: argparse.Namespace) -> "Services | None":
    from appliance.app.setup import Services

    services = Services()
    return services if not given.config and services.are_here() else None


def _test(settings: "Settings", config: Sequence[str], services: "Services | None") -> bool:
    from appliance.app.setup import try_sound

    if services is not None:
        services.stop()
    return try_sound(settings, config)


def _by_hand(given: argparse.Namespace, config: Sequence[str]) -> str:
    if given.no_start:
        return "Nothing was started."
    return " ".join(["systemd does not look after Kontor here. Start it with: kontor run", *config])


def _start(services: "Services", settings: "Settings", person: "Person") -> bool:
    from appliance.app.one_box import has_room

    if not services.start():
        person.tell("It could not be started: journalctl -u 'kontor-*' tells why.")
        return False
    if not has_room(settings):
        person.tell("It runs, and needs a room: kontor setup again, or its own file on the boot partition.")
        return True
    person.tell("It runs. Waiting until it is in the room …")
    state = _joined(settings.device.runtime_dir, _IN_THE_ROOM)
    person.tell(state or "It is in the room.")
    return not state


def _asks(answers: "Answers") -> bool:
    """Whether it comes by its own key, which somebody has to let in once."""
    return bool(answers.way.url) and not answers.way.token


def _let_in(settings: "Settings", person: "Person") -> bool:
    """Wait until somebody has let it in, or whoever sits here has waited long enough."""
    person.tell("Waiting for that. Ctrl-C ends the waiting; the device goes on asking by itself.")
    try:
        state = _joined(settings.device.runtime_dir, _LET_IN, patient=True)
    except KeyboardInterrupt:
        state = "\nkontor status tells how it goes on."
    person.tell(state or "It is in the room.")
    return not state


def _joined(folder: Path, seconds: float, *, patient: bool = False) -> str:
    """Empty once it is in the room; else what keeps it out.

    :param patient: go on waiting when it is refused.
    """
    from appliance.health.status import ask

    end, why = time.monotonic() + seconds, "link does not answer"
    while time.monotonic() < end:
        try:
            link = ask(folder / "link.status", {"do": "status"}, 1.0)
            why = ", ".join(filter(None, (link["phase"], link["why"]))).replace("_", " ")
            if link["phase"] == "in_room":
                return ""
            if link["phase"] == "refused" and not patient:
                break
        except (OSError, ValueError, KeyError):
            pass
        time.sleep(0.5)
    return f"It is not in the room yet ({why}). kontor status tells how it goes on."


def _how_it_is_let_in(settings: "Settings", config: Sequence[str]) -> str:
    from appliance.app.setup import public_key
    from appliance.core.enrolment import fingerprint

    key = public_key(settings, config)
    if not key:
        return "Its key could not be had: kontor key tells it, for whoever runs the server."
    digits = fingerprint(key)
    return f"""
The device proves who it is by its own key, whose fingerprint is

   {digits}

Whoever looks after the room compares that and lets it in, once: on the room's page, or on the server with

   kontor host device admit {settings.device.identity} --key "{digits}"
"""
