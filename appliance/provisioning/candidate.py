"""Settings as they would be with what the boot file and the signed documents say now: put together and checked, not yet taken."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from appliance.provisioning.files import of_machine
from appliance.provisioning.publication import Published
from appliance.provisioning.sets import Layer, digest_of, layer_of
from appliance.provisioning.whole import resolve_whole
from appliance.settings import Problem, Resolved, Settings, SettingsError, Source

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
    if isinstance(base, SettingsError) or base.settings.provisioning.url:
        found += tuple(sorted(map(layer_of, documents.values()), key=lambda layer: layer.file))
    resolved = _try(machine, found)
    if isinstance(resolved, SettingsError):
        return Candidate(found, None, (*problems, *resolved.problems))
    wrong = (*problems, *(_placed(each, resolved) for each in check(resolved.settings)))
    return Candidate(found, None, wrong) if wrong else Candidate(found, resolved.settings)


def _placed(problem: Problem, resolved: Resolved) -> Problem:
    """With file and line of its key, which whoever looks at the settings alone does not know."""
    origin = resolved.origins.get(problem.key)
    return replace(problem, file=origin.file, line=origin.line) if origin else problem


def _try(machine: Sequence[Source], layers: Sequence[Layer]) -> Resolved | SettingsError:
    scopes = {layer.name: layer.document.scope for layer in layers if layer.document is not None}
    try:
        return resolve_whole([*machine, *(layer.source for layer in layers)], scopes, sorted(SECRETS))
    except SettingsError as error:
        return error
