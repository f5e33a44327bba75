"""Tokens and the device's challenge."""

import base64
import hashlib
import hmac
import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.core.protocol import (
    LEAST_KEY,
    MOST_TOKEN,
    Claims,
    ProtocolError,
    TokenError,
    challenge_text,
    issue,
    verify,
)

KEY = b"a key of the room, 32 bytes long"
KEYS = {"k1": KEY, "k2": bytes(32)}
CLAIMS = Claims("lobby", "ada", "Ada Lovelace", "speaker", "person", 2_000, "k1")

identities = st.text(alphabet="abcdefghijklmnopqrstuvwxyz0123456789._-", min_size=1, max_size=64)
names = st.text(min_size=1, max_size=64).filter(lambda text: text.isprintable() and not text.isspace())


def test_a_token_gives_its_claims_back() -> None:
    token = issue(CLAIMS, KEY)
    assert verify(token, KEYS, 1_999.9, "lobby") == CLAIMS
    assert len(token) < 300


@given(
    st.builds(
        Claims,
        room=identities,
        identity=identities,
        name=names,
        role=st.sampled_from(["listener", "speaker", "admin"]),
        kind=st.sampled_from(["person", "site"]),
        expires=st.integers(1, 2**53),
        key_id=st.sampled_from(["k1", "k2"]),
    )
)
def test_every_valid_claim_fits_into_a_token(claims: Claims) -> None:
    token = issue(claims, KEYS[claims.key_id])
    assert len(token) <= MOST_TOKEN
    assert verify(token, KEYS, claims.expires - 1, claims.room) == claims


def parts(token: str) -> tuple[dict[str, Any], str]:
    body, _, signature = token.partition(".")
    return json.loads(base64.urlsafe_b64decode(body + "==")), signature


def signed(fields: object) -> str:
    """A token over anything, with a signature that holds."""
    body = base64.urlsafe_b64encode(json.dumps(fields).encode()).rstrip(b"=").decode()
    return f"{body}.{signature_of(body)}"


def signature_of(body: str) -> str:
    digest = hmac.new(KEY, b"kontor-token-v1\0" + body.encode(), hashlib.sha256).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


@pytest.mark.parametrize(
    ("change", "now", "room", "code", "status", "close"),
    [
        ({}, 2_000, "lobby", "expired", 401, 4401),
        ({}, 1_000, "attic", "foreign_room", 403, 4403),
        ({"key_id": "k9"}, 1_000, "lobby", "unknown_key", 401, 4401),
        ({"key_id": "k2"}, 1_000, "lobby", "bad_signature", 401, 4401),
    ],
)
def test_tokens_that_open_nothing(
    change: dict[str, Any], now: float, room: str, code: str, status: int, close: int
) -> None:
    token = issue(replace(CLAIMS, **change), KEY)
    with pytest.raises(TokenError) as caught:
        verify(token, KEYS, now, room)
    error = caught.value
    assert (error.code, error.http_status, error.close_code) == (code, status, close)
    assert str(error).startswith("This link ")
    assert token not in str(error)


@pytest.mark.parametrize(
    "token",
    [
        "",
        ".",
        "a.",
        ".a",
        "a.b",
        "junk",
        "x" * (MOST_TOKEN + 1),
        issue(CLAIMS, KEY).partition(".")[0],
        issue(CLAIMS, KEY) + ".",
        issue(CLAIMS, KEY) + "=",
        issue(CLAIMS, KEY).replace(".", ".ä"),
        "ä" + issue(CLAIMS, KEY),
        "A" + issue(CLAIMS, KEY),  # no length that base64 has
        signed([1]),
        signed("text"),
        signed({}),
        *(
            signed({**parts(issue(CLAIMS, KEY))[0], **change})
            for change in (
                {"room": "Lobby"},
                {"identity": ""},
                {"identity": "a" * 65},
                {"name": "a\u202eb"},
                {"name": " "},
                {"name": "n" * 65},
                {"name": None},
                {"role": "owner"},
                {"role": ["admin"]},
                {"kind": "robot"},
                {"expires": "2000"},
                {"expires": True},
                {"expires": -1},
                {"expires": 1e3},
                {"expires": 2**53 + 1},
                {"key_id": 1},
            )
        ),
    ],
)
def test_what_is_no_token_is_malformed(token: str) -> None:
    with pytest.raises(TokenError) as caught:
        verify(token, KEYS, 1_000, "lobby")
    assert caught.value.code == "malformed"


@given(st.data())
def test_no_changed_character_gets_through(data: st.DataObject) -> None:
    token = issue(CLAIMS, KEY)
    at = data.draw(st.integers(0, len(token) - 1))
    char = data.draw(st.characters(max_codepoint=0x2FF).filter(lambda c: c != token[at]))
    with pytest.raises(TokenError):
        verify(token[:at] + char + token[at + 1 :], KEYS, 1_000, "lobby")


@given(st.text(max_size=1200))
def test_any_text_is_no_token(text: str) -> None:
    with pytest.raises(TokenError):
        verify(text, KEYS, 1_000, "lobby")


def test_a_key_of_another_room_does_not_sign_for_this_one() -> None:
    """Keys are looked up among those of the room only, whatever the token says."""
    token = issue(replace(CLAIMS, key_id="attic-key"), bytes(32))
    with pytest.raises(TokenError) as caught:
        verify(token, KEYS, 1_000, "lobby")
    assert caught.value.code == "unknown_key"


def test_what_would_not_be_accepted_is_not_issued() -> None:
    with pytest.raises(ValueError, match="name"):
        issue(replace(CLAIMS, name="a\nb"), KEY)
    with pytest.raises(ValueError, match="16 bytes"):
        issue(CLAIMS, bytes(LEAST_KEY - 1))


def test_the_challenge_of_a_device_cannot_be_taken_for_anything_else() -> None:
    nonce = "00ff" * 8
    assert challenge_text("lobby", nonce) == b"kontor-device-v1\0lobby\0" + nonce.encode()
    for room, bad in (("lobby", ""), ("lobby", "00" * 15), ("lobby", "00" * 65), ("lobby", "zz" * 16), ("a\0b", nonce)):
        with pytest.raises(ProtocolError):
            challenge_text(room, bad)
