"""Whether a signed settings document may be followed: its scope, its version, its expiry.

Bytes, signatures and the network are the business of appliance/provisioning/; here it is only decided. A document is
known by its *pointer*, which is signed by itself and names scope, version, expiry and the file of the document.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

HIGHEST_VERSION = 2**31 - 1

ALL = "all"
GROUPS = "groups/"
DEVICES = "devices/"
KINDS = ("all", "group", "device")
"""Of scopes, the weakest first: what a later one says holds."""


def kind_of(scope: str) -> str:
    """Of which of :data:`KINDS` a scope is."""
    return "all" if scope == ALL else "group" if scope.startswith(GROUPS) else "device"


def scopes_of(group: str, device: str) -> tuple[str, ...]:
    """The scopes that a device follows, the weakest first: for all, of its group (if it has one), its own."""
    return (ALL, *([GROUPS + group] if group else []), DEVICES + device)


class Why(StrEnum):
    """Why a document was not taken, in a word for programs and for telling one fault from another."""

    # on the way
    UNREACHABLE = "unreachable"
    CERTIFICATE = "certificate"
    STATUS = "status"
    REDIRECT = "redirect"
    SLOW = "slow"
    TOO_LONG = "too_long"
    CUT_OFF = "cut_off"
    MISSING = "missing"
    # what came
    NOT_SIGNED = "not_signed"
    FOREIGN_KEY = "foreign_key"
    FORGED = "forged"
    NOT_TEXT = "not_text"
    # what it says
    OTHER_SCOPE = "other_scope"
    EXPIRED = "expired"
    OLDER = "older"
    REWRITTEN = "rewritten"
    # what it is, of an update
    OTHER_BOARD = "other_board"
    TOO_LARGE = "too_large"
    DAMAGED = "damaged"


ON_THE_WAY = frozenset({Why.UNREACHABLE, Why.CERTIFICATE, Why.STATUS, Why.REDIRECT, Why.SLOW})
"""Faults of the server or of the way to it, whichever document was asked for."""


class NotTaken(Exception):
    """A document is not taken; the text is one whole sentence for people."""

    def __init__(self, why: Why, text: str) -> None:
        super().__init__(text)
        self.why = why


@dataclass(frozen=True, slots=True)
class Pointer:
    """What the signed comment of a pointer file says."""

    scope: str
    """``all``, ``groups/NAME`` or ``devices/ID``."""
    version: int
    """1 to :data:`HIGHEST_VERSION`; a newer document of the same scope has a higher one."""
    file: str
    """The name of the document, in the folder of the pointer."""
    expires: float | None = None
    """Unix time in seconds from which it is not taken any more; None: never."""


@dataclass(frozen=True, slots=True)
class Floor:
    """The newest document of a scope that was ever seen and was genuine: nothing older is taken again."""

    version: int
    digest: str
    """SHA-256 of its bytes, in hexadecimal digits."""
    expires: float | None = None


class Verdict(StrEnum):
    """What a pointer that may be followed leads to."""

    NEWER = "newer"
    SAME = "same"


def judge_pointer(pointer: Pointer, scope: str, floor: Floor | None, now: float) -> Verdict:
    """Whether a genuine ``pointer``, found where that of ``scope`` belongs, may be followed.

    :param now: Unix time in seconds.
    :raises NotTaken: it may not.
    """
    if pointer.scope != scope:
        raise NotTaken(Why.OTHER_SCOPE, f"It was signed for {pointer.scope}, and lies where {scope} belongs.")
    if floor is not None and pointer.version < floor.version:
        raise NotTaken(
            Why.OLDER,
            f"It is version {pointer.version}, and version {floor.version} was here already: an older one is not taken.",
        )
    same = floor is not None and pointer.version == floor.version
    if floor is not None and same and pointer.expires != floor.expires:
        raise NotTaken(
            Why.REWRITTEN, f"Version {pointer.version} was here already, with another expiry: raise the version."
        )
    if not same and expired(pointer.expires, now):
        raise NotTaken(Why.EXPIRED, f"Version {pointer.version} has expired: sign it anew, with a higher version.")
    return Verdict.SAME if same else Verdict.NEWER


def judge_content(pointer: Pointer, digest: str, floor: Floor | None) -> Floor:
    """The floor that a genuine document leaves behind.

    :param digest: SHA-256 of the document that the pointer's signature is right for, in hexadecimal digits.
    :raises NotTaken: its version was seen with other bytes.
    """
    if floor is not None and pointer.version == floor.version and digest != floor.digest:
        raise NotTaken(
            Why.REWRITTEN, f"Version {pointer.version} was here already, with other content: raise the version."
        )
    return Floor(pointer.version, digest, pointer.expires)


def expired(expires: float | None, now: float) -> bool:
    """Whether something that expires then (Unix time; None: never) has."""
    return expires is not None and now >= expires


@dataclass(frozen=True, slots=True)
class Fault:
    """One scope's document could not be had, or was not taken."""

    scope: str
    why: Why
    text: str
    """One sentence or more, for people."""


@dataclass(frozen=True, slots=True)
class Told:
    """What is worth an event: a fault that is new, or that one is over."""

    fault: Fault | None
    """The new one; None: ``over`` is."""
    over: Fault | None = None
    times: int = 0
    """How many looks met the one that is over."""


class Faults:
    """Makes one event of a fault that is met again and again, and one of its end.

    What fails on the way to the server is one fault, however many documents were asked for.
    """

    def __init__(self) -> None:
        self._open: dict[str, Fault] = {}
        self._times: dict[tuple[str, Why], int] = {}

    @property
    def open(self) -> Mapping[str, Fault]:
        """The faults that hold, by scope."""
        return self._open

    def look(self, faults: Mapping[str, Fault], looked_at: Sequence[str]) -> list[Told]:
        """What is to be told after a look at the documents of these scopes.

        :param faults: what was met, by scope.
        :param looked_at: all scopes that were asked for; of the others nothing is known any more.
        """
        before = {_kind(fault): fault for fault in self._open.values()}
        self._open = {scope: faults[scope] for scope in looked_at if scope in faults}
        # The first of a kind speaks for it.
        after = {_kind(fault): fault for fault in reversed(self._open.values())}
        told = [Told(fault) for kind, fault in reversed(after.items()) if kind not in before]
        told += [Told(None, fault, self._times[kind]) for kind, fault in before.items() if kind not in after]
        self._times = {kind: self._times.get(kind, 0) + 1 for kind in after}
        return told


def _kind(fault: Fault) -> tuple[str, Why]:
    """What makes two faults the same one. Not their texts: they may hold a number that is another each time."""
    return ("" if fault.why in ON_THE_WAY else fault.scope), fault.why
