"""Whether a signed settings document may be followed: its scope, its version, its expiry.

Bytes, signatures and the network are the business of appliance/provisioning/; here it is only decided. A document is
known by its *pointer*, which is signed by itself and names scope, version, expiry and the file of the document.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from appliance.core.events import Event, EventName

HIGHEST_VERSION = 2**31 - 1

ALL = "all"
GROUPS = "groups/"
DEVICES = "devices/"


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


class NotTaken(ValueError):
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


class Faults:
    """Makes one event of a fault that is met again and again, and one of its end."""

    def __init__(self) -> None:
        self._open: dict[str, tuple[Fault, int]] = {}

    @property
    def open(self) -> Mapping[str, Fault]:
        """The faults that hold, by scope."""
        return {scope: fault for scope, (fault, _times) in self._open.items()}

    def look(self, faults: Mapping[str, Fault], looked_at: Sequence[str], now: float) -> list[Event]:
        """What is to be told after a look at the documents of these scopes.

        :param faults: what was met, by scope.
        :param looked_at: all scopes that were asked for; of the others nothing is known any more.
        """
        told: list[Event] = []
        self._open = {scope: held for scope, held in self._open.items() if scope in looked_at}
        for scope in looked_at:
            fault, (before, times) = faults.get(scope), self._open.get(scope, (None, 0))
            if fault is not None:
                # By kind: a text may hold a number that is another each time.
                if before is None or before.why is not fault.why:
                    met = {"scope": scope, "why": fault.why.value, "text": fault.text}
                    told.append(Event(EventName.DOCUMENT_REFUSED, now, met))
                self._open[scope] = (fault, times + 1)
            elif before is not None:
                del self._open[scope]
                over = {"scope": scope, "was": before.why.value, "times": times}
                told.append(Event(EventName.DOCUMENT_FAULT_OVER, now, over))
        return told
