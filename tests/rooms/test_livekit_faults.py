"""What LiveKit's errors mean to a person, by what the real server and library were seen to say."""

import logging

import pytest

from appliance.core.reconnect import retryable
from appliance.rooms.livekit_faults import keep_tokens_out_of_logs, of_ending, of_joining
from appliance.rooms.livekit_tokens import issue

TOKEN = issue("office", b"x" * 32, {"roomJoin": True}, 1, identity="me")


@pytest.mark.parametrize(
    ("error", "kind", "says"),
    [
        (f"client error: 401 Unauthorized - invalid token: {TOKEN}, error: token is expired", "refused", "ended"),
        (f"401 Unauthorized - invalid token: {TOKEN}, error: token is not valid yet", "refused", "clocks"),
        (f"401 Unauthorized - invalid token: {TOKEN}, error: token signature is invalid", "refused", "this key"),
        ("client error: 401 Unauthorized - invalid API key: nobody", "refused", "this key"),
        ("client error: 401 Unauthorized - permissions denied", "refused", "this key"),
        ("client error: 404 Not Found - requested room does not exist", "gone", "no such room"),
        ("client error: 404 Not Found - 404 page not found", "server", "no LiveKit server at this address"),
        ("could not connect: room has reached max participants limit exceeded", "full", "full"),
        ("engine: transport connection error: IO error: Connection refused (os error 111)", "network", "not answer"),
        ("signal failure: timeout: validate request timed-out", "network", "not answer"),
        ("IO error: failed to lookup address information: Name or service not known", "network", "not answer"),
        ("TLS error: invalid peer certificate: UnknownIssuer", "untrusted", "not trusted"),
        ("TLS error: received corrupt message of type InvalidContentType", "server", "no TLS"),
        ("engine: signal failure: handshake error: 500 Internal Server Error", "full", "may be full"),
        ("server error: 503 Service Unavailable", "server", "trouble of its own"),
        ("unsupported protocol version 99", "server", "another version"),
        ("", "server", "not known why"),
        ("wss://401.example.org/rtc: something else", "server", "not known why"),
    ],
)
def test_an_error_of_joining_becomes_one_sentence_with_what_to_do(error: str, kind: str, says: str) -> None:
    lost = of_joining(error)
    assert lost.fault.kind == kind
    assert says in str(lost)
    assert str(lost).endswith(".")
    assert not any(part in str(lost) for part in TOKEN.split("."))


@pytest.mark.parametrize(
    ("reason", "comes_back", "for_good"),
    [
        (0, True, False),
        (3, True, False),
        (10, True, False),
        (2, False, True),
        (4, False, True),
        (5, False, False),
        (99, True, False),
    ],
)
def test_who_was_replaced_or_sent_out_does_not_come_back_and_whoever_lost_the_server_does(
    reason: int, comes_back: bool, for_good: bool
) -> None:
    lost = of_ending(reason)
    assert retryable(lost.fault) is comes_back
    assert lost.for_good is for_good
    assert str(lost).endswith(".")


def test_the_librarys_log_is_off_and_holds_no_token_when_somebody_wants_it(caplog: pytest.LogCaptureFixture) -> None:
    keep_tokens_out_of_logs()
    keep_tokens_out_of_logs()
    logger = logging.getLogger("livekit")
    logger.error("before %s", TOKEN)
    assert not caplog.records
    with caplog.at_level(logging.DEBUG, logger="livekit"):
        logger.error("invalid token: %s", TOKEN)
        logger.warning("{%s}", "no argument is lost")
        logger.error("it broke", exc_info=ValueError(TOKEN))
    assert "invalid token: (hidden)" in caplog.text
    assert "{no argument is lost}" in caplog.text
    assert "it broke (ValueError: (hidden))" in caplog.text
    assert not any(part in caplog.text for part in TOKEN.split("."))
