"""Reading JSON from somebody who is not trusted: bounded, typed, one kind of error."""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from enum import IntEnum
from typing import Any, NoReturn, TypeAlias, TypeVar

Fields: TypeAlias = Mapping[str, Any]

T = TypeVar("T", bound=str)

MOST_NAME = 64
"""Characters of a name that people read."""

_IDENTITY = re.compile(r"[a-z0-9._-]{1,64}")


class CloseCode(IntEnum):
    """Why the presence socket is closed (RFC 6455, 7.4.2: 4000 to 4999 are ours; the last digits are those of HTTP)."""

    GOING_AWAY = 1001
    INTERNAL = 1011
    TRY_AGAIN = 1013
    JUNK = 4400
    BAD_TOKEN = 4401
    FOREIGN_TOKEN = 4403
    UNKNOWN_ROOM = 4404
    NO_HELLO = 4408
    REPLACED = 4409
    REMOVED = 4410
    TOO_BIG = 4413


class ProtocolError(ValueError):
    """A message that is not accepted: one sentence, and the code that the socket is closed with."""

    def __init__(self, sentence: str, code: CloseCode = CloseCode.JUNK) -> None:
        super().__init__(sentence)
        self.code = code


def is_identity(value: object) -> bool:
    """Whether this can identify a member, a room or a key."""
    return isinstance(value, str) and _IDENTITY.fullmatch(value) is not None


def is_name(value: object, most: int = MOST_NAME) -> bool:
    """Whether people can read this on one line: 1 to ``most`` characters, no controls, no change of direction."""
    return isinstance(value, str) and 1 <= len(value) <= most and value.isprintable() and not value.isspace()


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(name)


# json.loads would make one for each message.
_DECODER = json.JSONDecoder(parse_constant=_refuse_constant)


def read_object(text: str | bytes, most: int) -> dict[str, Any]:
    """The JSON object in ``text``, which is at most ``most`` bytes of UTF-8.

    :raises ProtocolError: it is too big, not UTF-8, not JSON (RFC 8259, so no NaN), or not an object.
    """
    data = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
    if len(data) > most:
        raise ProtocolError(f"The message is larger than {most} bytes.", CloseCode.TOO_BIG)
    try:
        value = _DECODER.decode(data.decode())
    except (ValueError, RecursionError):  # RecursionError: thousands of brackets fit into a small message
        raise ProtocolError("The message is not JSON.") from None
    if not isinstance(value, dict):
        raise ProtocolError("The message is not a JSON object.")
    return value


def dump(message: Mapping[str, Any]) -> str:
    """A message as text: compact JSON."""
    return json.dumps(message, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def _refuse(key: str, allowed: str) -> NoReturn:
    raise ProtocolError(f'The field "{key}" has to be {allowed}.')


def flag(fields: Fields, key: str) -> bool:
    """A field that is true or false."""
    value = fields.get(key)
    return value if isinstance(value, bool) else _refuse(key, "true or false")


def number(fields: Fields, key: str, low: int, high: int) -> int:
    """A field that is a whole number from ``low`` to ``high``."""
    value = fields.get(key)
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        _refuse(key, f"a whole number from {low} to {high}")
    return value


def identity(fields: Fields, key: str) -> str:
    """A field that identifies a member or a room."""
    value = fields.get(key)
    return value if isinstance(value, str) and is_identity(value) else _refuse(key, "an identity")


def name(fields: Fields, key: str, most: int = MOST_NAME) -> str:
    """A field that people read."""
    value = fields.get(key)
    return (
        value if isinstance(value, str) and is_name(value, most) else _refuse(key, f"1 to {most} printable characters")
    )


def choice(fields: Fields, key: str, options: Sequence[T]) -> T:
    """A field that is one of ``options``."""
    value = fields.get(key)
    for option in options:
        if option == value:
            return option
    _refuse(key, "one of " + ", ".join(options))


def inner(fields: Fields, key: str) -> Fields:
    """A field that is an object."""
    value = fields.get(key)
    return value if isinstance(value, dict) else _refuse(key, "an object")


def array(fields: Fields, key: str, most: int) -> list[Any]:
    """A field that is a list of at most ``most`` values of any kind."""
    value = fields.get(key)
    return value if isinstance(value, list) and len(value) <= most else _refuse(key, f"a list of at most {most}")


def array_of(fields: Fields, key: str, most: int, good: Callable[[Any], bool]) -> tuple[Any, ...]:
    """A field that is a list of at most ``most`` values that are all ``good``."""
    values = tuple(array(fields, key, most))
    return values if all(map(good, values)) else _refuse(key, "a list of valid values")


def is_plain(value: object) -> bool:
    """Whether this is a short text, a truth or a number that JavaScript keeps: what may be passed on without being understood."""
    if isinstance(value, str):
        return is_name(value)
    return isinstance(value, bool | int | float) and abs(value) < 2**53
