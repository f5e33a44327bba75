"""What a device tells of itself to the admins of its room: ``details`` of a site's report (docs/site-report.md).

All of it may be missing, and what is not known here is left out: a newer device says more, an older one less. What is there is
of its type and within its bounds, on both sides: :func:`read_details` refuses, :func:`fitting` leaves out. All of it together is
small enough for a presence message.
"""

import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NoReturn

from appliance.core.arrays import MOST_MICROPHONES
from appliance.core.lamps import LinkPhase
from appliance.core.wire import Fields, ProtocolError, array, choice, flag, inner, number

LAST_SECOND = 2**32 - 1
"""Unix time that a site may speak of, in seconds: until 2106."""
MOST_REASONS = 16
MOST_COUNT = 2**53 - 1
"""The highest whole number that JavaScript keeps."""
_A_DAY = 86_400
_A_MINUTE_MS = 60_000
_DIGITS = 3
"""Of a fraction: millimetres of a microphone's place, thousandths of a percent."""

_REASON = re.compile(r"[a-z][a-z -]{0,23}")
_WORD = re.compile(r"[A-Za-z0-9._-]{1,32}")

_BUNDLE_WORD = re.compile(r"[A-Za-z0-9_-]{22}")

_PHASES = tuple(phase.name.lower() for phase in LinkPhase)

Reader = Callable[[Fields, str], object]
"""Reads one field.

:raises ProtocolError: it is not of its type.
"""


def is_bundle_word(value: object) -> bool:
    """Whether this can be the word by which one support bundle is handed in and fetched: 16 bytes in base64url."""
    return isinstance(value, str) and _BUNDLE_WORD.fullmatch(value) is not None


def _refuse(key: str, allowed: str) -> NoReturn:
    raise ProtocolError(f'The field "{key}" has to be {allowed}.')


def _whole(low: int, high: int) -> Reader:
    return lambda fields, key: number(fields, key, low, high)


def _is_fraction(value: object, low: float, high: float) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and low <= value <= high


def _fraction(low: float, high: float) -> Reader:
    def read(fields: Fields, key: str) -> object:
        value: Any = fields.get(key)
        return round(value, _DIGITS) if _is_fraction(value, low, high) else _refuse(key, f"from {low} to {high}")

    return read


def _word(fields: Fields, key: str) -> object:
    value = fields.get(key)
    return value if isinstance(value, str) and _WORD.fullmatch(value) else _refuse(key, "a word of letters and digits")


def _held(details: Fields, key: str) -> object:
    """Of each reason for a closed gate when it last held: from, and to; None: it holds."""
    held = inner(details, key)
    if len(held) > MOST_REASONS or not all(map(_REASON.fullmatch, held)):
        _refuse(key, "an object of reasons")
    return {reason: _span(held, reason) for reason in held}


def _span(held: Fields, reason: str) -> list[int | None]:
    span = held[reason]
    if not isinstance(span, list) or len(span) != 2:
        _refuse(reason, "from when and until when")
    ends: dict[str, Any] = dict(zip(("from", "to"), span, strict=True))
    began = number(ends, "from", 0, LAST_SECOND)
    return [began, None if ends["to"] is None else number(ends, "to", began, LAST_SECOND)]


def _array(details: Fields, key: str) -> object:
    """Where the microphones stand, x and y in metres from their centre (core/arrays.py says which way x points)."""
    places = array(inner(details, key), "mics", MOST_MICROPHONES)
    if not all(isinstance(place, list) and len(place) == 2 and all(map(_is_near, place)) for place in places):
        _refuse("mics", "places of microphones")
    return {"mics": [[round(x, _DIGITS), round(y, _DIGITS)] for x, y in places]}


def _is_near(metres: object) -> bool:
    return _is_fraction(metres, -1, 1)


def _part(readers: Mapping[str, Reader]) -> Reader:
    """An object of fields that may all be missing."""

    def read(details: Fields, key: str) -> object:
        return _known(inner(details, key), readers)

    return read


def _known(fields: Fields, readers: Mapping[str, Reader]) -> dict[str, Any]:
    return {key: read(fields, key) for key, read in readers.items() if fields.get(key) is not None}


_COUNT, _UNIX = _whole(0, MOST_COUNT), _whole(0, LAST_SECOND)

_DETAILS: Mapping[str, Reader] = MappingProxyType(
    {
        "held": _held,
        "proof": _part({"violations": _COUNT, "checked": _COUNT, "since": _UNIX, "engine": _word}),
        "config": _part(
            {
                "version": _COUNT,
                "digest": _word,
                "signed_by": _word,
                "applied": _UNIX,
                "back_s": _whole(0, _A_DAY),
            }
        ),
        "health": _part(
            {
                "round_trip_ms": _whole(0, _A_MINUTE_MS),
                "loss_percent": _fraction(0, 100),
                "playout_ms": _whole(0, _A_MINUTE_MS),
                "dropouts_day": _whole(0, _A_DAY),
                "processor_percent": _whole(0, 10_000),
                "temperature_c": _whole(-100, 200),
            }
        ),
        "link": _part({"phase": lambda fields, key: choice(fields, key, _PHASES), "since": _UNIX}),
        "array": _array,
        "direction_error": _whole(0, 180),
        "bundle": flag,
    }
)


_PARTS = ("held", "proof", "config", "health", "link")
"""Those that are objects of values which stand alone."""


def read_details(details: Fields, *, gate_open: bool) -> dict[str, Any]:
    """Check what a site tells of itself, and keep what is known.

    :param gate_open: of a closed gate nothing is passed on that goes with a direction (UX.md, rule 9).
    :raises ProtocolError: a field is not of its type.
    """
    found = _known(details, _DETAILS)
    if not gate_open:
        found.pop("direction_error", None)
    return found


_TIMES = (("proof", "since"), ("config", "applied"), ("link", "since"))


def by_the_host(details: Fields, ahead: int) -> dict[str, Any]:
    """``details`` in the host's time, which is the one that pages go by.

    :param details: as :func:`fitting` gives them.
    :param ahead: seconds that our clock is before the host's.
    """
    told = dict(details)
    for part, field in _TIMES:
        if field in told.get(part, {}):
            told[part] = {**told[part], field: _earlier(told[part][field], ahead)}
    if "held" in told:
        told["held"] = {
            reason: [None if at is None else _earlier(at, ahead) for at in span]
            for reason, span in told["held"].items()
        }
    return told


def _earlier(second: int, seconds: int) -> int:
    return min(LAST_SECOND, max(0, second - seconds))


def fitting(details: Fields) -> dict[str, Any]:
    """As much of ``details`` as :func:`read_details` takes: each value that it would refuse is left out, and empty parts are."""
    tried = {key: _one_by_one(key, value) if key in _PARTS else value for key, value in details.items()}
    found = {key: _taken(key, tried.get(key)) for key in _DETAILS}
    return {key: value for key, value in found.items() if value not in (None, {})}


def _one_by_one(key: str, part: object) -> dict[str, Any]:
    fields = part if isinstance(part, dict) else {}
    taken = [_taken(key, {name: value}) or {} for name, value in fields.items()]
    return {name: value for each in taken for name, value in each.items()}


def _taken(key: str, value: object) -> Any:
    """As it is passed on; None: it is not."""
    try:
        return None if value is None else _DETAILS[key]({key: value}, key)
    except ProtocolError:
        return None
