"""What a host's Link headers say of relays."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.media.relay import RelayServer
from appliance.rooms.relays import MOST_RELAYS, relays_of

LOGIN = '; rel="ice-server"; username="17:amber"; credential="c2VjcmV0+/="; credential-type="password"'


def relay(host: str = "relay.test", port: int = 3478, **more: object) -> RelayServer:
    return RelayServer(host, port, username="17:amber", credential="c2VjcmV0+/=", **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("turn:relay.test", relay()),
        ("turn:relay.test:80?transport=tcp", relay(port=80, transport="tcp")),
        ("turn:192.0.2.7:3479?transport=udp", relay("192.0.2.7", 3479)),
        ("turn:[2001:db8::7]:3479", relay("2001:db8::7", 3479)),
        ("turns:relay.test", relay(port=5349, transport="tcp", tls=True)),
        ("turns:relay.test:443?transport=tcp", relay(port=443, transport="tcp", tls=True)),
    ],
)
def test_a_relay_is_understood(url: str, expected: RelayServer) -> None:
    assert relays_of([f"<{url}>{LOGIN}"]) == (expected,)


@pytest.mark.parametrize(
    "url",
    [
        "stun:relay.test",
        "turns:relay.test?transport=udp",
        "turn:relay.test:0",
        "turn:relay.test:99999",
        "turn:",
        "http://x",
        "turn:a b",
        "turn:relay.test?transport=sctp",
        "turn:relay.test:port",
    ],
)
def test_what_we_cannot_use_is_left_out(url: str) -> None:
    assert relays_of([f"<{url}>{LOGIN}", f"<turn:relay.test>{LOGIN}"]) == (relay(),)


def test_several_in_one_header_or_in_several() -> None:
    first, second = f"<turn:relay.test>{LOGIN}", f"<turn:relay.test?transport=tcp>{LOGIN}"
    both = (relay(), relay(transport="tcp"))
    assert relays_of([first, second]) == relays_of([f"{first}, {second}"]) == both
    assert relays_of([f'<https://x.test>; rel="next", {first}', second, first]) == both, "others, and twice the same"


def test_values_are_quoted_or_not_and_quotes_are_taken_out() -> None:
    odd = r'<turn:relay.test> ; REL = ice-server;username="a \"b\" \\ c" ;credential=plain'
    (found,) = relays_of([odd])
    assert (found.username, found.credential) == ('a "b" \\ c', "plain")


def test_a_credential_is_not_shown() -> None:
    assert "c2VjcmV0" not in repr(relays_of([f"<turn:relay.test>{LOGIN}"]))


def test_a_host_cannot_send_us_to_a_thousand() -> None:
    assert len(relays_of([f"<turn:relay{n}.test>{LOGIN}" for n in range(1000)])) == MOST_RELAYS


@given(st.lists(st.text(max_size=300) | st.text(alphabet='<>;="\\, turns:abc', max_size=300), max_size=5))
def test_nothing_is_too_odd(headers: list[str]) -> None:
    for found in relays_of(headers):
        assert 0 < found.port < 65_536
        assert found.host


def test_a_header_made_to_take_long_takes_no_time() -> None:
    assert relays_of(["<turn:a>" + '; a="' * 100_000, "<" * 100_000, '<turn:a>; rel="' + "\\" * 100_000]) == ()
