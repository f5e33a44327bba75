"""``kontor doctor``: what is wrong, in words, each with the way out."""

import argparse
import contextlib
import json
import math
import sys
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from appliance.app.checklist import TIERS
from appliance.commands import Subparsers
from appliance.commands.part import add_config, load_settings
from appliance.core.exits import Exit
from appliance.settings.model import DeviceSettings

if TYPE_CHECKING:
    from appliance.app.doctor_findings import Finding
    from appliance.settings import Settings

_MARKS = {"good": "ok  ", "warning": "note", "bad": "BAD ", "skipped": "-   "}


def register(commands: Subparsers) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "doctor", help="find out what is wrong: the sound card and its room, the way to the server, the panel"
    )
    add_config(parser)
    parts = parser.add_mutually_exclusive_group()
    parts.add_argument(
        "--sound", action="store_true", help="look at the sound card alone: it plays a chirp and listens"
    )
    parts.add_argument(
        "--network",
        action="store_true",
        help="look at the way to the server alone: name, clock, https, UDP, relay, proxy",
    )
    parts.add_argument(
        "--panel", action="store_true", help="walk through buttons and lamps, with somebody who presses and looks"
    )
    parts.add_argument(
        "--bundle",
        type=Path,
        nargs="?",
        const=Path(),
        metavar="FILE",
        help="collect into one archive what a helper needs: no secrets, no sound, no names",
    )
    parser.add_argument("--tier", choices=TIERS, default="a", help="with --panel: which hardware it is (default: a)")
    parser.add_argument(
        "--link", metavar="LINK", help="look by this link, from any machine; whoever is in by it is put out"
    )
    parser.add_argument("--ca-file", type=Path, metavar="FILE", help="with --link: the authority of the server, PEM")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw echo path and spectra into this PNG")
    parser.add_argument("--json", action="store_true", help="for programs")
    parser.set_defaults(run=run)


@dataclass
class _Report:
    """What is told. For programs it is told at the end."""

    as_json: bool
    findings: list["Finding"] = field(default_factory=list)
    width: int = 8
    """Of the names of the checks."""
    figures: dict[str, Any] = field(default_factory=dict)
    """What was measured, by part."""

    def heading(self, text: str) -> None:
        if not self.as_json:
            print(text, flush=True)

    def note(self, finding: "Finding") -> None:
        self.findings.append(finding)
        if self.as_json:
            return
        print(f"  {_MARKS[finding.state]}  {finding.check:<{self.width}} {finding.says}", flush=True)
        if finding.way_out:
            print(f"{'':<{self.width + 9}}-> {finding.way_out}", flush=True)

    def end(self) -> int:
        bad = any(finding.state == "bad" for finding in self.findings)
        if self.as_json:
            told = {"good": not bad, "findings": [asdict(finding) for finding in self.findings]}
            print(json.dumps(told | self.figures, indent=2))
        return Exit.UNAVAILABLE if bad else Exit.OK


def run(given: argparse.Namespace) -> int:
    """Look; 0 when nothing is wrong, 69 when something is, 78 when the settings do not say where to look."""
    from appliance.app.process import NotAllowed
    from appliance.health.journal import quiet_libraries

    network_alone = given.network or bool(given.link)
    misuse = ""
    if given.link and (given.sound or given.panel):
        misuse = "--link is about the way to a server: leave out --sound and --panel"
    elif given.plot and (network_alone or given.panel):
        misuse = "--plot is about the sound card: leave out --network, --link and --panel"
    if misuse:
        print(f"kontor doctor: {misuse}", file=sys.stderr)
        return Exit.USAGE
    quiet_libraries()
    if given.bundle is not None:
        return _bundle(given)
    report = _Report(given.json)
    settings = None if given.link else load_settings(given.config, ())
    if settings is None and not given.link:
        return Exit.CONFIGURATION
    try:
        if settings is not None and given.panel:
            _panel(given, settings, report)
            return report.end()
        if settings is not None and not network_alone:
            _sound(given, settings, report)
        if not given.sound:
            _network(given, settings, report)
    except NotAllowed as error:
        print(f"kontor doctor: {error}", file=sys.stderr)
        return Exit.CONFIGURATION
    return report.end()


def _bundle(given: argparse.Namespace) -> int:
    from appliance.app import bundle
    from appliance.commands.status import read
    from appliance.provisioning.files import sources
    from appliance.settings import SettingsError, resolve
    from appliance.settings.describe import as_toml

    path = given.bundle if given.bundle.name else Path(f"kontor-{time.strftime('%Y%m%d-%H%M%S')}.tar.gz")
    try:
        resolved = resolve(sources(given.config), ())
        device, settings = resolved.settings.device, as_toml(resolved)
    except SettingsError as error:
        device, settings = DeviceSettings(), "".join(f"# {line}\n" for line in str(error).splitlines())
    folders = [device.state_dir, Path("/etc/kontor"), device.runtime_dir]
    try:
        bundle.write(path, bundle.collect(settings, read(device.runtime_dir), folders))
    except OSError as error:
        print(f"kontor doctor: {path} cannot be made: {error.strerror}", file=sys.stderr)
        return Exit.CANNOT_CREATE
    print(f"{path} holds what a helper needs, without secrets, sound and names. Look through it before you send it on.")
    return Exit.OK


def _network(given: argparse.Namespace, settings: "Settings | None", report: _Report) -> None:
    import asyncio

    from appliance.app.doctor import by_link, by_settings, examine
    from appliance.app.doctor_findings import Finding
    from appliance.app.process import NotAllowed

    if settings is None:
        target = by_link(given.link, given.ca_file)
    else:
        try:
            target = by_settings(settings)
        except NotAllowed as error:
            if given.network:
                raise
            report.note(Finding("server", "skipped", f"{str(error)[:1].upper()}{str(error)[1:]}."))
            return
    report.heading(f"The way to {target.url}, room {target.room}:")
    try:
        asyncio.run(examine(target, report.note))
    except OSError as error:  # the authority's file
        raise NotAllowed(f"{'--ca-file' if given.link else '[room] ca_file'}: {error}") from error


def _panel(given: argparse.Namespace, settings: "Settings", report: _Report) -> None:
    from appliance.app.checklist import installed
    from appliance.app.doctor_panel import examine

    report.width = max(len(step.id) for step in installed())
    report.heading("The panel, step by step:")
    # What a person is told goes where no program reads.
    person = Terminal(sys.stderr if given.json else sys.stdout) if sys.stdin.isatty() else None
    report.figures["panel"] = dict(examine(settings, given.tier, person, report.note))


class Terminal:
    """Somebody at a terminal (:class:`appliance.app.doctor_panel.Person`)."""

    def __init__(self, out: TextIO) -> None:
        self._out = out

    def tell(self, text: str) -> None:
        """A line to read."""
        print(f"  >     {text}", file=self._out, flush=True)

    def yes(self, question: str) -> bool:
        """Until it is yes or no."""
        while True:
            answer = self._answer(f"{question} [y/n]").lower()
            if answer in {"y", "yes", "n", "no"}:
                return answer.startswith("y")

    def number(self, question: str) -> float:
        """Until it is one; a comma will do."""
        while True:
            with contextlib.suppress(ValueError):
                number = float(self._answer(question).replace(",", "."))
                if math.isfinite(number):
                    return number

    def _answer(self, question: str) -> str:
        from appliance.app.doctor_panel import Gone

        print(f"  ?     {question} ", end="", file=self._out, flush=True)
        line = sys.stdin.readline()
        if not line:
            raise Gone
        return line.strip()


def _sound(given: argparse.Namespace, settings: "Settings", report: _Report) -> None:
    import asyncio

    from appliance.app.doctor_plot import plot, ready
    from appliance.app.doctor_sound import Examination
    from appliance.app.process import NotAllowed
    from appliance.core.events import Severity
    from appliance.health.journal import Journal

    if given.plot:
        ready()
    report.heading("The sound card, and the room that it hears (it plays a chirp three times):")
    examination = Examination(settings, Journal("doctor", sys.stderr, Severity.ERROR))
    asyncio.run(examination.run(report.note))
    heard = examination.heard
    if heard is None:
        return
    report.figures["sound"] = examination.figures()
    if given.plot:
        try:
            plot(heard, examination.array.microphones, given.plot)
        except (OSError, ValueError) as error:
            raise NotAllowed(f"--plot {given.plot}: {error}") from error
        report.heading(f"  Echo path and spectra: {given.plot}")
