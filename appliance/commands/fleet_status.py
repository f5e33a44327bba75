"""``kontor fleet status``: which device follows which version, by what the devices tell the host that they are on."""

import argparse
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from appliance.commands import Subparsers
from appliance.commands.host_control import Hosts, show, with_host
from appliance.commands.part import add_config
from appliance.core.documents import ALL, DEVICES, GROUPS

_LAYERS = {"all": "all", "group": "group", "device": "its own"}


def register_status(actions: Subparsers) -> None:
    """Add ``kontor fleet status``."""
    parser = actions.add_parser("status", help="tell which device follows which version; on the machine of the host")
    parser.add_argument("folder", type=Path, nargs="?", metavar="DIR", help="the published folder, to compare with")
    parser.add_argument("--json", action="store_true", help="for programs")
    add_config(parser)
    parser.set_defaults(run=run)


def run(given: argparse.Namespace) -> int:
    """Ask the running host and print; 75 when it does not run."""
    published = versions(given.folder) if given.folder else {}

    def tell(hosts: Hosts) -> None:
        listed = (device for answer in hosts.ask_all("devices") for device in answer["devices"])
        devices = [device for device in listed if not device.get("revoked")]
        rows = [row_of(device, published) for device in devices]
        show(
            {"published": published, "devices": [asdict(row) for row in rows]},
            _lines(rows, given.folder),
            as_json=given.json,
        )

    return with_host(given.config, "kontor fleet status", tell)


@dataclass(frozen=True, slots=True)
class Row:
    """How one device stands."""

    id: str
    room: str
    here: bool
    """Whether it is in its room now."""
    versions: Mapping[str, int]
    """By layer (all, group, device), what it follows."""
    behind: Mapping[str, int]
    """By layer, what is published and it does not follow yet."""
    state: str
    """``kept``, ``trying``, ``reverted`` …; empty: it has said nothing."""
    why: str
    heard: float | None
    """Unix time of its last report."""

    @property
    def follows(self) -> bool:
        """Whether it has everything that is published for it, and has kept it."""
        return self.state == "kept" and not self.behind


def row_of(device: Mapping[str, Any], published: Mapping[str, int]) -> Row:
    """What a device of the host's list comes to.

    :param device: with ``id``, ``room``, ``here`` and ``report`` (None: there is none).
    :param published: the version of each scope.
    """
    report = device.get("report") or {}
    follows = {layer: report[layer] for layer in _LAYERS if isinstance(report.get(layer), int)}
    return Row(
        id=device["id"],
        room=device["room"],
        here=bool(device["here"]),
        versions=follows,
        behind=_behind(device["id"], report, follows, published) if report else {},
        state=str(report.get("config", "")),
        why=str(report.get("why", "")),
        heard=report.get("at"),
    )


def _behind(
    device: str, report: Mapping[str, Any], follows: Mapping[str, int], published: Mapping[str, int]
) -> dict[str, int]:
    wanted = {"all": published.get(ALL), "device": published.get(DEVICES + device)}
    if report.get("in_group"):
        wanted["group"] = published.get(f"{GROUPS}{report['in_group']}")
    return {
        layer: version for layer, version in wanted.items() if version is not None and follows.get(layer) != version
    }


def versions(folder: Path) -> dict[str, int]:
    """The version of each scope in a published folder. It is the admin's own folder, so that no signature is checked."""
    from appliance.core.documents import NotTaken
    from appliance.provisioning.minisign import LARGEST_SIGNATURE, Signature
    from appliance.provisioning.publication import POINTER, read_comment

    found: dict[str, int] = {}
    for path in sorted(folder.glob(f"**/*{POINTER}")):
        try:
            with path.open("rb") as file:
                pointer = read_comment(Signature.parse(file.read(LARGEST_SIGNATURE + 1)).comment)
        except (OSError, NotTaken):
            continue
        found[pointer.scope] = pointer.version
    return found


def _lines(rows: list[Row], folder: Path | None) -> list[str]:
    if not rows:
        return ["The host knows no device."]
    lines = [f"{row.id:24} {row.room:16} {_told(row)}" for row in rows]
    if folder is not None:
        lines.append(f"{sum(row.follows for row in rows)} of {len(rows)} follow what is published in {folder}.")
    return lines


def _told(row: Row) -> str:
    if row.heard is None:
        return "has not reported since the host began" if row.here else "not in the room, and has not reported"
    names = [f"{_LAYERS[layer]} {version}{_published(row, layer)}" for layer, version in row.versions.items()] + [
        f"not yet {_LAYERS[layer]} {version}" for layer, version in row.behind.items() if layer not in row.versions
    ]
    state = row.state or "follows no settings from afar"
    away = "" if row.here else f", not in the room; last heard {max(0, time.time() - row.heard) / 60:.0f} min ago"
    return f"{', '.join(names) or 'no documents'}: {state}{f' ({row.why})' if row.why else ''}{away}"


def _published(row: Row, layer: str) -> str:
    return f" (published: {row.behind[layer]})" if layer in row.behind else ""
