"""LiveKit's tokens: what they say, that the signature holds, and that nothing that is said tells one."""

import base64
import hashlib
import hmac
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.rooms.livekit_tokens import fixed_token, issue, own_tokens, redacted
from appliance.rooms.signalling import Lost

SECRET = b"a-secret-of-at-least-32-characters"
EXAMPLE = (
    "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIiwibmFtZSI6IkpvaG4gRG9lIiwiaWF0IjoxNTE2MjM5MDIyfQ"
    ".SflKxwRJSMeKKF2QT4fwpMeJf36POk6yJV_adQssw5c"
)
"""The example of jwt.io, signed with "your-256-bit-secret"."""


def read(part: str) -> Any:
    return json.loads(base64.urlsafe_b64decode(part + "=="))


def test_the_signature_is_that_of_everybody_elses_jwt() -> None:
    head, body, signature = EXAMPLE.split(".")
    mine = hmac.digest(b"your-256-bit-secret", f"{head}.{body}".encode(), hashlib.sha256)
    assert base64.urlsafe_b64encode(mine).rstrip(b"=").decode() == signature, "the example is what it says"
    token = issue("key", b"your-256-bit-secret", {}, 1_000)
    head, body, signature = token.split(".")
    assert read(head) == {"alg": "HS256", "typ": "JWT"}
    mine = hmac.digest(b"your-256-bit-secret", f"{head}.{body}".encode(), hashlib.sha256)
    assert base64.urlsafe_b64encode(mine).rstrip(b"=").decode() == signature


def test_a_devices_token_lets_it_speak_and_listen_in_its_room_and_nowhere_else() -> None:
    claims = read(own_tokens("office", SECRET, "Büro", "meeting-room", "Meeting room", lambda: 1_000.4)().split(".")[1])
    assert (claims["iss"], claims["sub"], claims["name"]) == ("office", "meeting-room", "Meeting room")
    assert claims["nbf"] < 1_000 < claims["exp"] <= 1_000 + 900, (
        "for the moment of joining, and a clock that is a little off"
    )
    grants = claims["video"]
    assert grants["room"] == "Büro"
    assert not {"roomAdmin", "roomCreate", "roomList", "roomRecord", "hidden", "recorder"} & grants.keys()
    assert grants["canPublishSources"] == ["microphone"]
    assert claims["attributes"] == {"kontor.kind": "site"}


def test_each_attempt_has_a_token_of_its_own_time() -> None:
    now = 1_000.0
    tokens = own_tokens("office", SECRET, "room", "me", "Me", lambda: now)
    first = read(tokens().split(".")[1])["exp"]
    now += 5_000
    assert read(tokens().split(".")[1])["exp"] == first + 5_000


def test_a_token_of_somebody_else_is_given_until_it_has_ended() -> None:
    now = 1_000.0
    text = issue("office", SECRET, {"roomJoin": True, "room": "x"}, 1_000, identity="me")
    tokens = fixed_token(f" {text}\n", lambda: now)
    assert tokens() == text
    now += 700
    with pytest.raises(Lost, match="has ended") as lost:
        tokens()
    assert lost.value.fault.kind == "refused"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "no token"),
        ("hunter2", "no token"),
        ("a.b.c", "no token"),
        ("eyJhbGciOiJIUzI1NiJ9.W10.x", "video or exp"),
        (EXAMPLE, "video or exp"),
        (issue("office", SECRET, {"roomAdmin": True}, 1_000), "roomJoin"),
    ],
)
def test_what_is_no_token_for_a_room_is_told_without_it(text: str, says: str) -> None:
    with pytest.raises(ValueError, match=says) as error:
        fixed_token(text)
    assert not text or text not in str(error.value)


@given(st.text(max_size=200))
def test_whatever_stands_in_the_file_gives_one_clear_error(text: str) -> None:
    with pytest.raises(ValueError, match="token"):
        fixed_token(text)


@pytest.mark.parametrize(
    "said",
    [
        "401 Unauthorized - invalid token: {}, error: token is expired",
        "wss://rooms.example.org/rtc?access_token={}&auto_subscribe=0",
        'token_refreshed {{ token: "{}" }}',
        "{}",
    ],
)
def test_no_text_keeps_a_token(said: str) -> None:
    for token in (EXAMPLE, issue("office", SECRET, {"roomJoin": True}, 1, identity="me")):
        text = redacted(said.format(token))
        assert not any(part in text for part in token.split("."))
        assert "(hidden)" in text


def test_a_token_of_another_form_is_hidden_where_an_address_has_it() -> None:
    assert redacted("ws://h/rtc?access_token=hunter2&x=1") == "ws://h/rtc?access_token=(hidden)&x=1"
