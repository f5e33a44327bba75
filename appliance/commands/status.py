"""``kontor status``: how the device on this machine is, for people and for programs."""

import argparse
import json
import sys
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from appliance.commands import Subparsers
from appliance.commands.part import add_config, load_settings
from appliance.core.exits import Exit
from appliance.core.text import one_line

_PARTS = ("sound", "link", "provision")
_COLUMN, _WIDTH = 14, 96
_LAMP_WORDS = {"off": "off", "steady": "on", "slow": "pulsing", "fast": "blinking"}


def register(commands: Subparsers) -> None:
    """Add the command."""
    parser = commands.add_parser("status", help="tell how the device on this machine is")
    parser.add_argument("--json", action="store_true", help="for programs")
    parser.add_argument(
        "--privacy", action="store_true", help="what leaves this machine, to whom, and what is kept on it"
    )
    add_config(parser)
    parser.add_argument("--runtime", type=Path, metavar="FOLDER", help="the device whose sockets are in this folder")
    parser.set_defaults(run=run)


def run(given: argparse.Namespace) -> int:
    """Ask and print; 75 when nothing is running, 78 when the settings cannot be used."""
    from appliance.app.places import runtime_folders

    if given.privacy:
        return _privacy(given)
    folders = [given.runtime] if given.runtime else runtime_folders()
    if given.config and not given.runtime:
        settings = load_settings(given.config, ())
        if settings is None:
            return Exit.CONFIGURATION
        folders = [settings.device.runtime_dir]
    found: dict[str, Any] = next(filter(None, map(read, folders)), {})
    bridges = [] if given.config or given.runtime else read_bridges()
    if found or bridges:
        if given.json:
            print(json.dumps(found | ({"bridges": bridges} if bridges else {}), indent=2))
        else:
            print(printed([*(describe(found) if found else ()), *_describe_bridges(bridges)]))
        return 0
    print("No device is running here. Start one with: kontor run, or: kontor demo", file=sys.stderr)
    return Exit.TRY_AGAIN


def _privacy(given: argparse.Namespace) -> int:
    from appliance.app.privacy import privacy

    settings = load_settings(given.config, ())
    if settings is None:
        return Exit.CONFIGURATION
    told = privacy(settings, read(given.runtime or settings.device.runtime_dir))
    if given.json:
        print(json.dumps(dict(told), indent=2, ensure_ascii=False))
        return 0
    for name, text in told:
        first, *more = textwrap.wrap(text, _WIDTH)
        print("\n".join([f"{name:<{_COLUMN}}{first}", *(f"{'':<{_COLUMN}}{line}" for line in more)]))
    return 0


def read(folder: Path) -> dict[str, Any]:
    """What the parts in this runtime folder say; a part that does not answer is missing."""
    from appliance.health.status import ask

    found: dict[str, Any] = {}
    for part in _PARTS:
        try:
            found[part] = dict(ask(folder / f"{part}.status", {"do": "status"}))
        except OSError:
            continue
    return found


def read_bridges() -> list[dict[str, Any]]:
    """What the bridges on this machine say, that this user may ask."""
    from appliance.app.bridge import STATUS, bridge_folders
    from appliance.health.status import ask

    found = []
    for folder in bridge_folders():
        try:
            found.append(dict(ask(folder / STATUS, {"do": "status"})))
        except OSError:
            continue
    return [each for each in found if each.get("part") == "bridge"]


def _describe_bridges(bridges: Sequence[Mapping[str, Any]]) -> list[str]:
    from appliance.app import bridge_words

    return [line for each in bridges for line in bridge_words.bridge(each)]


def printed(lines: Sequence[str]) -> str:
    """What root's terminal is given: servers, networks nearby and link have their say in it, and must not move its cursor."""
    return "\n".join(one_line(each) for line in lines for each in line.split("\n"))


def describe(found: Mapping[str, Any]) -> list[str]:
    """The lines that people read."""
    sound, link = found.get("sound"), found.get("link")
    lines = [
        *(_describe_sound(sound) if sound else ["microphone   no answer: sound is not running, so nobody is heard"])
    ]
    lines += _describe_link(link) if link else ["room         no answer: link is not running"]
    if "provision" in found:
        from appliance.app import status_words
        from appliance.health.machine import machine

        lines += [*status_words.provision(found["provision"]), *status_words.machine(machine(Path("/")))]
    return lines


def _describe_sound(sound: Mapping[str, Any]) -> list[str]:
    lamps = " · ".join(f"{name.upper()} {_LAMP_WORDS[sign]}" for name, sign in sound["lamps"].items())
    gate = "open" if sound["gate"] == "open" else f"closed by: {', '.join(sound['reasons'])}"
    level = f", {sound['microphone']:.0f} dB" if sound["microphone"] is not None else ""
    return [
        f"microphone   {gate}{level}",
        f"loudspeaker  {sound['loudspeaker']:.0f} dB, volume {sound['volume']:+d} dB, {sound['under_runs']} blocks missed",
        *_describe_front_end(sound.get("front_end")),
        *_describe_door(sound["door"], sound["quiet"]),
        f"lamps        {lamps}",
        *([f"             limited: {sound['panel_problem']}"] if sound.get("panel_problem") else []),
        f"proof        {_proof(sound['proof'])}",
    ]


def _describe_door(door: str, quiet: Mapping[str, Any] | None) -> list[str]:
    if quiet is None:
        return [f"door         {door}"]
    until = f" until {quiet['until_words']}" if quiet["until_words"] else ""
    hours = f", quiet hours{until}{', opens soon' if quiet['opens_soon'] else ''}" if quiet["holds"] else ""
    lines = [f"door         {door}{hours}"]
    unknown = "             the time is not known yet: quiet hours can begin and not end"
    return lines if quiet["clock_trusted"] else [*lines, unknown]


def _describe_front_end(front_end: Mapping[str, Any] | None) -> list[str]:
    if front_end is None:
        return []
    delay = f", {front_end['delay_ms']:.0f} ms behind the card" if front_end["delay_ms"] is not None else ""
    lines = [f"front end    {front_end['array']}: {', '.join(front_end['chain'])}{delay}"]
    return [*lines, f"             limited: {front_end['degraded']}"] if front_end["degraded"] else lines


def _describe_link(link: Mapping[str, Any]) -> list[str]:
    phase = link["phase"].replace("_", " ")
    why = f" ({link['why']})" if link["why"] else ""
    speaking = ", ".join(link["speaking"]) or "nobody"
    return [
        f"room         {phase}{why}, {link['engine']}: {link['room']}, {link['members']} here",
        f"speaking     {speaking}",
        *(f"             limited: {limit}" for limit in link.get("limits", ())),
        *([f"key          {link['key']}"] if link.get("key") else []),
        f"proof        {_proof(link['proof'])}",
    ]


def _proof(proof: Mapping[str, Any]) -> str:
    if proof["violations"]:
        return f"VIOLATED ({proof['why']}): closed until a hand at the device acts"
    ago = proof["checked_ago"]
    checked = "not checked yet" if ago is None else f"checked {ago:.0f} s ago"
    return f"{proof['engine']}: no block left while muted, {checked}"
