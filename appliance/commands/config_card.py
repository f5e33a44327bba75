"""``kontor config check`` of a file for a card, in which secrets may stand in plain text: as its device will have it."""

from dataclasses import replace
from pathlib import Path

from appliance.provisioning.boot import MOVED, take
from appliance.provisioning.files import source
from appliance.settings import SettingsError, Source

_MOVED, _THERE = f'"{MOVED}"'.encode(), b'"of-the-device"'
"""In place of what a device has moved already: it is right there, and only there."""


def as_card(path: Path, folder: Path) -> tuple[list[Source], list[str]]:
    """The file with its secrets in files of their own, and a sentence on them; the file itself is left as it is.

    :param folder: an empty one, in which these files are made.
    :raises SettingsError: how a secret is written there is wrong.
    :raises OSError: ``folder`` cannot be written.
    """
    found = source(path)
    if found.unreadable:
        return [found], []
    copy = folder / "kontor.toml"
    copy.write_bytes(found.content.replace(_MOVED, _THERE))
    taken = take(copy, folder / "secrets")
    if taken.problems:
        raise SettingsError([replace(problem, file=found.name) for problem in taken.problems])
    note = "It holds secrets, which the device moves from its boot partition: as any other file it would be refused."
    plain = len(taken.moved) > found.content.count(_MOVED)
    return [replace(found, content=taken.layer.content)], [note] if plain else []
