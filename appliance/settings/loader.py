"""Puts the sources together: later ones win key by key, and everything that is wrong is found at once."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from appliance.settings.checks import CHECKS
from appliance.settings.model import Settings
from appliance.settings.problems import Problem, SettingsError
from appliance.settings.reader import Layer, Origin, Reader
from appliance.settings.sources import Source, read


@dataclass(frozen=True, slots=True)
class Resolved:
    """The settings, and where each of them comes from."""

    settings: Settings
    origins: Mapping[str, Origin]
    """By key, as in ``audio.frame_ms`` or ``host.rooms[1].id``; what is not here has its default."""


def load(sources: Sequence[Source], secrets: Collection[str] | None = None) -> Settings:
    """The settings that follow from ``sources``, the last of which has the last word.

    ``secrets`` names the sections whose secret files are looked into (``{"room"}`` for link, ``{"host"}`` for the
    host): each service can read its own alone. None means all of them.

    :raises SettingsError: with everything that is wrong, not just the first.
    """
    return resolve(sources, secrets).settings


def resolve(
    sources: Sequence[Source],
    secrets: Collection[str] | None = None,
    without: Collection[tuple[str, str]] = (),
) -> Resolved:
    """As :func:`load`, with the origin of every value.

    :param without: sections that count as not written: name of the source ("" for all of them) and of the section.
    :raises SettingsError: with everything that is wrong, not just the first.
    """
    reader = Reader()
    layers: list[Layer] = []
    for source in sources:
        document = read(source)
        if isinstance(document, Problem):
            reader.problems.append(document)
        else:
            left_out = {section for name, section in without if name in (source.name, "")}
            table = {name: value for name, value in document.table.items() if name not in left_out}
            layers.append(Layer(document, (), table))
    settings = Settings(**reader.values(Settings, "", layers))
    for check in CHECKS:
        for clash in check(settings):
            reader.clash(clash)
    reader.look_into_secrets(secrets)
    if reader.problems:
        order = {source.name: number for number, source in enumerate(sources)}
        raise SettingsError(sorted(reader.problems, key=lambda p: (order.get(p.file, -1), p.line or 0)))
    return Resolved(settings, MappingProxyType(reader.origins))
