"""Whether new settings are kept or taken back: decided from what the parts of the device say while they are on trial.

Reading, switching and asking is the business of appliance/app/rollout.py and trial.py; here it is only decided.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum, StrEnum

STEADY = 2.0
"""Seconds for which everything has to be as wanted before settings are kept."""
REFUSED_FOR = 10.0
"""Seconds after which a room that refuses the device is believed: it will not take it in while we wait."""
MOST_ATTEMPTS = 3
"""How often settings are tried whose trial was cut off (by a power cut, mostly) before they count as refused."""

_HEARD = ("audio.", "door.", "network.", "panel.", "provisioning.", "room.", "device.")
"""Sections of which a wrong value can take a room away, or let it be heard otherwise than whoever sits there expects."""
_HARMLESS = ("provisioning.poll_s", "provisioning.confirm_s", "device.ssh_keys")


class State(StrEnum):
    """How the device stands to its settings."""

    DEFAULTS = "defaults"
    """Nothing was accepted yet: only what the machine itself says holds."""
    KEPT = "kept"
    TRYING = "trying"
    REVERTED = "reverted"
    """The last ones were tried and taken back."""
    REFUSED = "refused"
    """The last ones were wrong, and not tried."""


@dataclass(frozen=True, slots=True)
class Change:
    """What new settings need besides being taken."""

    gate: bool
    """The microphone is closed while they are on trial."""
    network: bool
    fetch: bool
    """Settings must come from the new place, too, or the device could never be told better."""


def change_of(keys: Iterable[str]) -> Change:
    """What follows from the keys whose values change (``room.url``, ``network.wifi[1].ssid``)."""
    changed = [key for key in keys if key not in _HARMLESS]
    network = any(key.startswith("network.") for key in changed)
    provisioning = any(key.startswith("provisioning.") for key in changed)
    return Change(any(key.startswith(_HEARD) for key in changed), network, network or provisioning)


class Verdict(Enum):
    """What to do with settings on trial."""

    WAIT = "wait"
    KEEP = "keep"
    REVERT = "revert"


@dataclass(frozen=True, slots=True)
class Seen:
    """What the parts said at one look."""

    digests: Mapping[str, str]
    """The digest of the settings that each part runs with; a part that does not answer is missing."""
    phase: str = ""
    """Link's: ``in_room``, ``refused`` …; empty: it does not answer."""
    why: str = ""
    """Why it is not in the room, as link says it."""
    blocks: tuple[int, int] | None = None
    """Sound's process and the blocks that it has played since its start; None: it does not answer."""
    fetched: bool = False
    """A genuine pointer came from where settings are fetched, since the trial began."""
    errors: tuple[str, ...] = ()
    """What parts say why they cannot take the settings."""


@dataclass(slots=True)
class Trial:
    """One trial, fed with looks. ``parts`` are those that answered before it, so that they must answer after."""

    digest: str
    parts: frozenset[str]
    was_in_room: bool
    needs_fetch: bool
    began: float
    patience: float
    """Seconds until it has to be confirmed."""
    why: str = ""
    """What is missing still, or why it was taken back: the end of a sentence."""
    _blocks: tuple[int, int] | None = None
    _met: float | None = None
    _refused: float | None = None

    def look(self, seen: Seen, now: float) -> Verdict:
        """Judge by one more look. ``now`` is of the clock that ``began`` is of, in seconds."""
        if seen.errors:
            self.why = "; ".join(seen.errors)
            return Verdict.REVERT
        missing = self._what_is_missing(seen)
        if not missing:
            self._met = now if self._met is None else self._met
            return Verdict.KEEP if now - self._met >= STEADY else Verdict.WAIT
        self._met = None
        self.why = "; ".join(missing)
        refused = seen.phase == "refused" and self.was_in_room
        self._refused = (now if self._refused is None else self._refused) if refused else None
        if self._refused is not None and now - self._refused >= REFUSED_FOR:
            return Verdict.REVERT
        return Verdict.REVERT if now - self.began >= self.patience else Verdict.WAIT

    def _what_is_missing(self, seen: Seen) -> list[str]:
        advanced = self._advances(seen.blocks)
        behind = sorted(part for part in self.parts if seen.digests.get(part) != self.digest)
        missing = [f"{part} does not run with it" for part in behind]
        if self.was_in_room and seen.phase != "in_room":
            missing.append(f"the room was lost{f' ({seen.why})' if seen.why else ''}")
        if "sound" in self.parts and not advanced:
            missing.append("no sound is played")
        if self.needs_fetch and not seen.fetched:
            missing.append("no settings can be fetched with it")
        return missing

    def _advances(self, blocks: tuple[int, int] | None) -> bool:
        before, self._blocks = self._blocks, blocks
        return before is not None and blocks is not None and blocks[0] == before[0] and blocks[1] > before[1]


def waits_for_room(phase: str) -> bool:
    """Whether link is only on its way: nobody can tell yet whether the device was in its room before."""
    return phase in {"", "connecting", "reconnecting"}
