"""The host's own STUN against aioice's, and against junk."""

import pytest
from aioice import stun as reference
from hypothesis import given
from hypothesis import strategies as st

from appliance.host import stun

PASSWORD = b"a password of the host"


def request(*, nominated: bool = False, password: bytes = PASSWORD, username: str = "ours:theirs") -> bytes:
    message = reference.Message(reference.Method.BINDING, reference.Class.REQUEST)
    message.attributes.update({"USERNAME": username, "PRIORITY": 7, "ICE-CONTROLLING": 9})
    if nominated:
        message.attributes["USE-CANDIDATE"] = None
    message.add_message_integrity(password)
    return bytes(message)


@pytest.mark.parametrize("nominated", [False, True])
def test_a_check_of_another_implementation_is_read(nominated: bool) -> None:
    check = stun.parse(request(nominated=nominated))
    assert check is not None
    assert (check.local, check.nominated) == ("ours", nominated)
    assert check.is_signed_with(PASSWORD)
    assert not check.is_signed_with(b"another password")


def test_the_answer_is_understood_by_another_implementation() -> None:
    check = stun.parse(request())
    assert check is not None
    answer = reference.parse_message(stun.answer(check, ("192.0.2.7", 50123), PASSWORD))
    assert answer.message_class == reference.Class.RESPONSE
    assert answer.transaction_id == check.transaction
    assert answer.attributes["XOR-MAPPED-ADDRESS"] == ("192.0.2.7", 50123)
    assert answer.check_message_integrity(PASSWORD)
    assert "FINGERPRINT" in answer.attributes


def test_a_nomination_behind_the_signature_does_not_count() -> None:
    message = bytearray(request()[:-8])  # without the fingerprint
    message += b"\x00\x25\x00\x00"
    message[2:4] = (len(message) - 20).to_bytes(2, "big")
    check = stun.parse(bytes(message))
    assert check is not None
    assert not check.nominated


def test_a_request_without_signature_or_name_is_none() -> None:
    message = reference.Message(reference.Method.BINDING, reference.Class.REQUEST)
    assert stun.parse(bytes(message)) is None
    message.add_message_integrity(PASSWORD)
    assert stun.parse(bytes(message)) is None
    message.attributes["USERNAME"] = "ours:theirs"
    assert stun.parse(bytes(message)[:20] + b"") is None


def test_answers_and_indications_are_none() -> None:
    for kind in (reference.Class.RESPONSE, reference.Class.INDICATION, reference.Class.ERROR):
        message = reference.Message(reference.Method.BINDING, kind)
        message.attributes["USERNAME"] = "ours:theirs"
        message.add_message_integrity(PASSWORD)
        assert stun.parse(bytes(message)) is None


@given(st.data())
def test_a_changed_check_is_never_taken_for_signed(data: st.DataObject) -> None:
    original = request(nominated=True)
    at = data.draw(st.integers(0, len(original) - 9))  # the fingerprint behind it may be missing, but not wrong
    changed = bytearray(original)
    changed[at] ^= data.draw(st.integers(1, 255))
    check = stun.parse(bytes(changed))
    assert check is None or not check.is_signed_with(PASSWORD)


@given(st.binary(max_size=200))
def test_junk_never_raises(junk: bytes) -> None:
    stun.parse(junk)
    stun.parse(request()[:20] + junk)
