"""The whole settings of a device with signed documents among them, and what no document may say.

A device and whoever publishes for it ask the same function, so that what would be refused there is not published here.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from appliance.core.documents import DEVICES, GROUPS
from appliance.settings import Problem, Resolved, SettingsError, Source, resolve
from appliance.settings.problems import shown
from appliance.settings.sources import Document, read

_MACHINE = (("device", "state_dir"), ("device", "runtime_dir"), ("panel", "first"), ("update", "keys"))
"""Whoever may sign settings can do much, but opens no microphone: so it is not theirs to say whose programs run."""


def resolve_whole(sources: Sequence[Source], scopes: Mapping[str, str], secrets: Sequence[str] | None = ()) -> Resolved:
    """The settings that follow from ``sources``, as :func:`appliance.settings.resolve`, if every document keeps to its scope.

    :param scopes: which sources are documents, and of which scope: by the name of the source.
    :param secrets: see :func:`appliance.settings.load`; none of them by default.
    :raises SettingsError: with everything that is wrong.
    """
    problems = [each for source in sources if source.name in scopes for each in misplaced(source, scopes[source.name])]
    try:
        resolved = resolve(sources, secrets)
        if not problems:
            return resolved
    except SettingsError as error:
        problems += error.problems
    order = {source.name: number for number, source in enumerate(sources)}
    raise SettingsError(sorted(problems, key=lambda each: (order.get(each.file, -1), each.line or 0)))


def misplaced(source: Source, scope: str) -> list[Problem]:
    """What a document of ``scope`` may not say, although it is a setting: it would take away by what the device is known."""
    document = read(source)
    return [] if isinstance(document, Problem) else list(_misplaced(document, scope))


def _misplaced(document: Document, scope: str) -> Iterator[Problem]:
    device, fetched = _table(document, "device"), _table(document, "provisioning")
    for section, name in _MACHINE:
        if name in _table(document, section):
            yield _problem(document, section, name, "stands in the device's own files, never in one that is published")
    if fetched.get("url") == "":
        hint = "Whoever followed it would never be told anything again; take the address away at the device itself."
        yield _problem(document, "provisioning", "url", "must be an address in a document that is published", hint)
    if scope.startswith(DEVICES):
        own = scope.removeprefix(DEVICES)
        if "id" in device and device["id"] != own:
            yield _problem(document, "device", "id", f'must be "{own}", for that device follows this document')
        elif "name" in device and "id" not in device:
            hint = f'Write id = "{own}" beside it, or the device would be known by another id from then on.'
            yield _problem(document, "device", "name", f"needs device.id beside it in {scope}.toml", hint)
    else:
        for name in ("id", "name"):
            if name in device:
                yield _problem(document, "device", name, "belongs in the document of one device: devices/ID.toml")
    if scope.startswith(GROUPS) and "group" in fetched:
        yield _problem(document, "provisioning", "group", "belongs in all.toml or in the document of one device")


def _table(document: Document, name: str) -> Mapping[str, Any]:
    table = document.table.get(name)
    return table if isinstance(table, dict) else {}


def _problem(document: Document, section: str, name: str, allowed: str, hint: str = "") -> Problem:
    line = document.line((section, name))
    return Problem(document.name, line, f"{section}.{name}", shown(_table(document, section)[name]), allowed, hint)
