"""What an update is, whether this machine takes it, and which of its blocks have to come from afar. Pure decisions.

A *bundle* is published as three files: a signed manifest; an index, which has the hash of every block of both partitions of
a slot, one after the other; and the blocks, each different one once, in the order in which the index names them first.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from appliance.core.boot_slots import Name
from appliance.core.documents import NotTaken, Why

BLOCK = 4096
"""Bytes of a block, as erofs and dm-verity have them."""
HASH = 16
"""Bytes of a block's hash: BLAKE2b (RFC 7693) with a digest of that length."""
PARTS = ("boot", "root")
"""The partitions of a slot, in the order of the index."""
SCOPE = "images/"
"""Of a channel: how the scope of its pointer begins."""
MOST_ATTEMPTS = 2
"""Times that one update is tried by itself: a network that was away in just those minutes is no fault of it."""
_GAP = 4
"""Blocks that are fetched for nothing rather than asking once more: a question costs about as much."""
_MOST = 512
"""Blocks of one request: 2 MiB."""


class State(StrEnum):
    """How the machine stands to updates."""

    NO_IMAGE = "no_image"
    """It has no slots: its packages are updated otherwise."""
    STARTING = "starting"
    """It has not proved itself yet since its start."""
    UP_TO_DATE = "up_to_date"
    WORKING = "working"
    PAUSED = "paused"
    """Somebody talks."""
    READY = "ready"
    """The next start takes the other slot."""
    ON_TRIAL = "on_trial"
    REFUSED = "refused"
    """The last bundle was not taken."""
    LEFT = "left"
    """The last update was tried and left again."""
    FAILED = "failed"
    """It could not be had, or not be written; it is tried again."""


@dataclass(frozen=True, slots=True)
class Part:
    """What goes into one partition."""

    size: int
    """Bytes, whole blocks."""
    sha256: str
    """Of all of it, in hexadecimal digits."""

    @property
    def blocks(self) -> int:
        """How many."""
        return self.size // BLOCK


@dataclass(frozen=True, slots=True)
class Bundle:
    """What a manifest says."""

    version: str
    """For people."""
    built: int
    """Unix time of the commit it was built from: an update never lowers it."""
    boards: tuple[str, ...]
    """For which boards, by the first of their names in the device tree (``compatible``)."""
    index: str
    """The name of the file with the hashes, in the folder of the manifest."""
    index_sha256: str
    blocks: str
    """The name of the file with the blocks."""
    blocks_size: int
    """Its bytes."""
    parts: Mapping[str, Part]
    """By :data:`PARTS`."""

    @property
    def count(self) -> int:
        """Blocks of both partitions together."""
        return sum(part.blocks for part in self.parts.values())


@dataclass(frozen=True, slots=True)
class Here:
    """The machine that an update is for."""

    slot: Name
    """The running one."""
    version: str
    built: int
    boards: tuple[str, ...]
    """By which names its device tree knows the board, the exact one first."""


def judge_bundle(bundle: Bundle, here: Here, room: Mapping[str, int]) -> bool:
    """Whether there is anything to do for ``bundle``: False when it is what runs.

    :param room: bytes of the partitions of the other slot, by :data:`PARTS`.
    :raises NotTaken: it is not for this machine, or must not be.
    """
    if not set(bundle.boards) & set(here.boards):
        board = here.boards[0] if here.boards else "one that does not tell its name"
        raise NotTaken(Why.OTHER_BOARD, f"Version {bundle.version} is not for this board ({board}).")
    if bundle.built < here.built:
        raise NotTaken(
            Why.OLDER, f"Version {bundle.version} is older than {here.version}, which runs: an update never goes back."
        )
    for name, part in bundle.parts.items():
        if part.size > room[name]:
            raise NotTaken(
                Why.TOO_LARGE,
                f"Version {bundle.version} has {part.size} bytes for {name}, and the slot has room for {room[name]}.",
            )
    return bundle.built > here.built


def judge_index(bundle: Bundle, index: bytes) -> Mapping[bytes, int]:
    """Where each block stands in the file of blocks, as its number there, by its hash.

    :param index: genuine bytes: their SHA-256 was compared.
    :raises NotTaken: index, blocks and partitions do not fit each other.
    """
    if len(index) != HASH * bundle.count:
        raise NotTaken(Why.DAMAGED, f"The index of version {bundle.version} does not have a hash for every block.")
    places = {each: number for number, each in enumerate(dict.fromkeys(hashes(index)))}
    if bundle.blocks_size != BLOCK * len(places):
        raise NotTaken(Why.DAMAGED, f"The blocks of version {bundle.version} are not those of its index.")
    return places


def hashes(index: bytes) -> Iterable[bytes]:
    """The hashes in an index, :data:`HASH` bytes each."""
    return (index[at : at + HASH] for at in range(0, len(index), HASH))


def runs(wanted: Sequence[int]) -> list[range]:
    """Ranges of blocks to ask for, so that all of ``wanted`` come.

    :param wanted: numbers of blocks, each once, growing.
    """
    found: list[range] = []
    for number in wanted:
        if found and number - found[-1].stop <= _GAP and number - found[-1].start < _MOST:
            found[-1] = range(found[-1].start, number + 1)
        else:
            found.append(range(number, number + 1))
    return found


class Silence:
    """How long nobody has talked. ``now`` is in seconds that only grow."""

    def __init__(self, now: float) -> None:
        self._since = now

    def look(self, talks: bool, now: float) -> float:
        """Seconds of silence up to now; 0: somebody talks."""
        if talks:
            self._since = now
        return now - self._since
