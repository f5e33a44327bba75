"""DNS messages as far as they are read: answers, pointers, and whatever strangers send."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.core.mdns import LARGEST, BadMessage, Services, question, read_answer

NAME = b"\x06studio\x07_kontor\x04_tcp\x05local\x00"
TEXT = "studio._kontor._tcp.local."


def record(name: bytes, kind: int, content: bytes) -> bytes:
    return name + struct.pack("!HHIH", kind, 1, 10, len(content)) + content


def message(*records: bytes, questions: bytes = b"", asked: int = 0, flags: int = 0x8400) -> bytes:
    return struct.pack("!HHHHHH", 0, flags, asked, len(records), 0, 0) + questions + b"".join(records)


SRV = record(NAME, 33, struct.pack("!HHH", 0, 0, 8080) + NAME)


def test_a_question_is_one() -> None:
    asked = question("_kontor._tcp.local.")
    assert asked == b"\0\0\0\0\0\1\0\0\0\0\0\0\x07_kontor\x04_tcp\x05local\0\0\x0c\0\1"
    with pytest.raises(BadMessage, match="no answer"):
        read_answer(asked)


def test_records_are_read_wherever_their_names_stand() -> None:
    asked = NAME + b"\0\x0c\0\1"
    at_name = b"\xc0\x0c"
    text = record(at_name, 16, b"\x03v=1")
    other = record(b"\x05OTHER" + b"\xc0\x13", 33, struct.pack("!HHH", 0, 0, 1) + b"\0")
    found = read_answer(message(SRV, text, other, record(NAME, 1, b"\x7f\0\0\1"), questions=asked, asked=1))
    assert found == Services({TEXT: 8080, "other._kontor._tcp.local.": 1}, {TEXT: b"\x03v=1"})


def test_the_first_of_a_name_counts() -> None:
    again = record(NAME, 33, struct.pack("!HHH", 0, 0, 9) + b"\0")
    texts = (record(NAME, 16, b"\x01a"), record(NAME, 16, b"\x01b"))
    assert read_answer(message(SRV, again, *texts)) == Services({TEXT: 8080}, {TEXT: b"\x01a"})


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "too early"),
        (message(SRV)[:-1], "behind the message"),
        (message(record(NAME, 33, b"\0")), "too early"),
        (message(record(b"\xc0\x0c", 16, b"")), "points forward"),
        (message(record(b"\xc0\xff", 16, b"")), "points forward"),
        (message(record(b"\x40" + b"a" * 64 + b"\0", 16, b"")), "malformed"),
        (message(b"\x3fabc"), "malformed"),
        (message(record(b"\1a" * 129 + b"\0", 16, b"")), "malformed"),
        (message(b"\1a"), "malformed"),
        (message(b"\1a\0"), "too early"),
        (message(b""), "too early"),
        (message(SRV) + bytes(LARGEST), "too large"),
        (struct.pack("!HHHHHH", 0, 0x8400, 1, 200, 100, 0), "too large"),
    ],
)
def test_what_is_no_answer(data: bytes, why: str) -> None:
    with pytest.raises(BadMessage, match=why):
        read_answer(data)


@given(st.binary(max_size=300), st.integers(0, 3))
def test_anything_is_read_or_refused(tail: bytes, records: int) -> None:
    try:
        found = read_answer(struct.pack("!HHHHHH", 0, 0x8400, 0, records, 0, 0) + tail)
    except BadMessage:
        return
    assert len(found.ports) + len(found.texts) <= records
