"""Wrong input that is nearly right: mutations of good examples that know how the example is built.

Everything comes from one seed, so that an input that broke something can be made again.
"""

import copy
import json
import random
from collections.abc import Callable, Sequence
from typing import Any

Mutation = Callable[[random.Random, bytes, Sequence[bytes]], bytes]
"""Makes another input of an example; the third argument are all examples, to take parts from."""

MOST_BYTES = 8192
"""No input grows beyond this, but by an example that is larger itself."""

_EDGES = (0, 1, 2, 3, 4, 15, 16, 63, 64, 127, 128, 191, 192, 200, 223, 224, 254, 255)
_WORDS = (
    b"\0",
    b"\xff" * 2,
    b"\0" * 4,
    b"\xff" * 4,
    b"\x7f\xff",
    b"\x80\0",
    b"\xbe\xde",
    b"\x80\xc9",
    b"\x21\x12\xa4\x42",
)


def binary(rng: random.Random, example: bytes, examples: Sequence[bytes]) -> bytes:
    """Bytes set, inserted, taken out, doubled, or taken from another example."""
    data = bytearray(example)
    for _ in range(rng.choice((1, 1, 1, 2, 3, 5, 9))):
        at = rng.randrange(len(data) + 1)
        size = rng.choice((1, 1, 2, 4, 8, 40, 200))
        match rng.randrange(9):
            case 0 if data:
                data[at % len(data)] ^= 1 << rng.randrange(8)
            case 1 if data:
                data[at % len(data)] = rng.choice(_EDGES)
            case 2:  # near the front, where headers are
                at = rng.randrange(min(24, len(data)) + 1)
                data[at : at + 1] = bytes((rng.randrange(256),))
            case 3:
                word = rng.choice(_WORDS)
                data[at : at + len(word)] = word
            case 4:
                del data[at : at + size]
            case 5:
                data[at:at] = rng.randbytes(size)
            case 6:
                data[at:at] = data[at : at + size]
            case 7:
                other = rng.choice(examples)
                begin = rng.randrange(len(other) + 1)
                data[at : at + size] = other[begin : begin + size]
            case _:
                del data[at:]
    return bytes(data[: max(MOST_BYTES, len(example))])


_VALUES = (
    *(
        "",
        " ",
        "-1",
        "0",
        "65536",
        "99999999999999999999999",
        "0x10",
        "1e9",
        "nan",
        "-0",
        "+1",
        "\u00b2",
        "\u0661",
        "ä",
    ),
    *(
        "\ud800",
        "\x00",
        "\x7f",
        "\u2028",
        "\u202e",
        "\U0001f600",
        "'",
        '"',
        "<",
        "%00",
        "%s",
        "{}",
        "../..",
        "*",
        "=",
        ";",
    ),
)


def _value(rng: random.Random, old: str) -> str:
    match rng.randrange(4):
        case 0:
            return old * rng.choice((0, 2, 40))
        case 1:
            return old[::-1]
        case 2:
            at = rng.randrange(len(old) + 1)
            return old[:at] + rng.choice(_VALUES) + old[at + rng.randrange(2) :]
        case _:
            return rng.choice(_VALUES)


def _line(rng: random.Random, line: str, others: Sequence[str]) -> str:
    match rng.randrange(5):
        case 0:  # what stands behind the first sign that ends a name
            for sign in rng.sample((":", "=", " ", ","), 4):
                head, found, tail = line.partition(sign)
                if found:
                    return head + found + _value(rng, tail)
            return _value(rng, line)
        case 1:  # one word
            words = line.split(" ")
            at = rng.randrange(len(words))
            words[at] = _value(rng, words[at])
            return " ".join(words)
        case 2:
            return line[: rng.randrange(len(line) + 1)]
        case 3:
            return rng.choice(others)
        case _:
            return _value(rng, line)


def lines(rng: random.Random, example: bytes, examples: Sequence[bytes]) -> bytes:
    """Lines taken out, doubled, exchanged, changed in a word or a value, or taken from another example."""
    if rng.random() < 0.1:
        return binary(rng, example, examples)
    rows = example.decode("utf-8", "surrogateescape").split("\n")
    others = rng.choice(examples).decode("utf-8", "surrogateescape").split("\n")
    for _ in range(rng.choice((1, 1, 1, 2, 4, 8))):
        at = rng.randrange(len(rows))
        match rng.randrange(6):
            case 0:
                rows.pop(at)
            case 1:
                rows.insert(at, rng.choice(rows))
            case 2:
                other = rng.randrange(len(rows))
                rows[at], rows[other] = rows[other], rows[at]
            case _:
                rows[at] = _line(rng, rows[at], others)
        rows = rows or [""]
    text = "\n".join(rows)
    # Half of a surrogate that was put in is sent as the bytes that it would be.
    return text.encode("utf-8", "surrogatepass")[: max(MOST_BYTES, len(example))]


_ODD: tuple[Any, ...] = (
    *(
        None,
        True,
        False,
        0,
        -1,
        1,
        127,
        128,
        -128,
        2**31,
        2**53,
        2**64,
        10**400,
        0.5,
        -0.0,
        1e308,
        float("nan"),
        float("inf"),
    ),
    *(
        "",
        "a",
        "A",
        "ä",
        "\x00",
        "\ud800",
        "\u202e",
        "x" * 65,
        "x" * 300,
        "0",
        "constructor",
        "__proto__",
        [],
        {},
        [[]],
        [None],
    ),
    *([0] * 500, {"id": 1}, {"type": "hello"}),
)


def _places(value: Any, found: list[tuple[Any, Any]]) -> list[tuple[Any, Any]]:
    """All places in ``value`` that hold something: (container, key)."""
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in pairs:
        found.append((value, key))
        _places(inner, found)
    return found


def _change(rng: random.Random, value: Any, other: Any) -> Any:
    places = _places(value, [])
    if not places:
        return copy.deepcopy(rng.choice(_ODD))
    container, key = rng.choice(places)
    match rng.randrange(6):
        case 0:
            container[key] = copy.deepcopy(rng.choice(_ODD))
        case 1 if isinstance(container, dict):
            del container[key]
        case 2 if isinstance(container, dict):
            container[rng.choice(("", key + "x", "__class__", "id", "type"))] = container[key]
        case 3:
            inner = container[key]
            container[key] = _value(rng, inner) if isinstance(inner, str) else [inner]
        case 4:
            there = _places(other, [])
            if there:
                source, name = rng.choice(there)
                container[key] = copy.deepcopy(source[name])
        case _:
            inner = container[key]
            if isinstance(inner, int | float) and abs(inner) < 1e300:
                container[key] = inner + rng.choice((-1, 1, 0.5, 128, -128, 1e9))
            elif isinstance(inner, list) and inner:
                container[key] = inner * rng.choice((0, 2, 40))
    return value


def document(rng: random.Random, example: bytes, examples: Sequence[bytes]) -> bytes:
    """JSON with values of other kinds and sizes, fields gone or renamed; now and then no JSON."""
    if rng.random() < 0.15:
        return (binary if rng.random() < 0.5 else lines)(rng, example, examples)
    if rng.random() < 0.02:
        deep = rng.choice((50, 2000))
        return b"[" * deep if rng.random() < 0.5 else b'{"a":' * deep + b"1" + b"}" * deep
    try:
        value, other = json.loads(example), json.loads(rng.choice(examples))
    except (ValueError, RecursionError):  # it has been changed before
        return binary(rng, example, examples)
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        value = _change(rng, value, other)
    return json.dumps(value, ensure_ascii=rng.random() < 0.3, separators=(",", ":")).encode("utf-8", "surrogatepass")[
        :MOST_BYTES
    ]


def join(records: Sequence[bytes]) -> bytes:
    """Several packets as one input: two bytes of length before each."""
    return b"".join(len(record).to_bytes(2, "big") + record for record in records)


def split(data: bytes) -> list[bytes]:
    """The packets in such an input; the last may be cut."""
    records, at = [], 0
    while at + 2 <= len(data):
        end = at + 2 + int.from_bytes(data[at : at + 2], "big")
        records.append(data[at + 2 : end])
        at = end
    return records


def records(rng: random.Random, example: bytes, examples: Sequence[bytes]) -> bytes:
    """Packets lost, doubled, out of order, and changed inside."""
    row, other = split(example) or [b""], split(rng.choice(examples))
    for _ in range(rng.choice((1, 2, 3, 6))):
        at = rng.randrange(len(row))
        match rng.randrange(7):
            case 0:
                del row[at : at + rng.choice((1, 1, 2, 5))]
            case 1:
                row.insert(rng.randrange(len(row) + 1), row[at])
            case 2:
                to = rng.randrange(len(row))
                row[at], row[to] = row[to], row[at]
            case 3:
                row.insert(at, rng.choice(other or [b""]))
            case _:
                row[at] = binary(rng, row[at], other or [b""])
        row = row or [b""]
    return join(row)[: max(MOST_BYTES, len(example))]
