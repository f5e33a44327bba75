"""Settings as they would be with what the boot file and the signed documents say now: put together and checked, not yet taken."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from appliance.provisioning.files import of_machine
from appliance.provisioning.publication import Published
from appliance.provisioning.sets import Layer, digest_of, layer_of
from appliance.provisioning.whole import resolve_whole
from appliance.settings import Problem, Settings, SettingsError, Source

SECRETS = frozenset({"provisioning", "network"})
"""The sections whose secrets provisioning may look into."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A set of settings that may be taken."""

    layers: tuple[Layer, ...]
    settings: Settings | None
    problems: tuple[Problem, ...] = ()
    """What is wrong with it; then it has no settings."""

    @property
    def digest(self) -> str:
        """By what it is known; empty: nothing at all was written, so that the machine's own settings hold."""
        return digest_of(self.layers)

    @property
    def why(self) -> str:
        """What is wrong, for people."""
        return "\n".join(map(str, self.problems))


def compose(
    root: Path,
    layers: Sequence[Layer],
    documents: Mapping[str, Published],
    check: Callable[[Settings], Sequence[Problem]],
    problems: Sequence[Problem] = (),
) -> Candidate:
    """Put together what the machine says, ``layers``, and the documents. Reads files: call it off the loop.

    :param documents: those that this device follows, by scope.
    :param check: what the settings alone do not tell, as :meth:`appliance.provisioning.network.Network.check`.
    :param problems: of the layers, which were found before.
    """
    machine = list(of_machine(root))
    base = _try(machine, layers)
    found = tuple(layers)
    # Whoever takes the address away at the device ends what came from it. A wrong base ends nothing.
    if isinstance(base, SettingsError) or base.provisioning.url:
        found += tuple(sorted(map(layer_of, documents.values()), key=lambda layer: layer.file))
    settings = _try(machine, found)
    if isinstance(settings, SettingsError):
        return Candidate(found, None, (*problems, *settings.problems))
    wrong = (*problems, *check(settings))
    return Candidate(found, None, wrong) if wrong else Candidate(found, settings)


def _try(machine: Sequence[Source], layers: Sequence[Layer]) -> Settings | SettingsError:
    scopes = {layer.name: layer.document.scope for layer in layers if layer.document is not None}
    try:
        return resolve_whole([*machine, *(layer.source for layer in layers)], scopes, sorted(SECRETS)).settings
    except SettingsError as error:
        return error
