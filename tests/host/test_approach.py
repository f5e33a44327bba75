"""Whom a request comes from, whether it was encrypted on its whole way, and whom a proxy may name."""

from types import SimpleNamespace
from typing import Any

import pytest
from aiohttp.test_utils import make_mocked_request
from hypothesis import given
from hypothesis import strategies as st

from appliance.core.protocol import Claims
from appliance.host.approach import Approach, approach_of
from appliance.host.config import Proxy, Turn
from appliance.host.relay import ice_servers

PROXY = Proxy(("192.0.2.0/24", "127.0.0.1", "fd00::/8"), "X-Forwarded-User")
CLAIMS = Claims("studio", "ada", "Ada", "admin", "person", 2**33, "k1")


def approach(
    peer: Any, *, tls: bool = False, proxy: Proxy = PROXY, to: str = "192.0.2.250", **headers: str | list[str]
) -> Approach:
    """The way of a request from ``peer``; underscores in the names of ``headers`` are dashes."""
    ends = {"peername": peer, "sockname": (to, 8080) if peer else ""}
    transport = SimpleNamespace(get_extra_info=lambda name, default=None: ends.get(name, default))
    pairs = [
        (name.replace("_", "-"), v)
        for name, text in headers.items()
        for v in ([text] if isinstance(text, str) else text)
    ]
    request = make_mocked_request("GET", "/", headers=None, transport=transport)
    request = request.clone(headers=pairs)
    return approach_of(request, proxy, tls=tls)


@pytest.mark.parametrize(
    ("peer", "tls", "address", "secure"),
    [
        ("198.51.100.7", False, "198.51.100.7", False),
        ("198.51.100.7", True, "198.51.100.7", True),
        ("127.0.0.9", True, "127.0.0.9", True),
        ("::ffff:198.51.100.7", False, "198.51.100.7", False),
        ("fe80::1%eth0", True, "fe80::1", True),
    ],
)
def test_what_comes_straight_to_us_is_what_it_looks_like(peer: str, tls: bool, address: str, secure: bool) -> None:
    forged = approach((peer, 5), tls=tls, proxy=Proxy(), X_Forwarded_For="203.0.113.1", X_Forwarded_Proto="https")
    assert (forged.address, forged.secure, forged.name) == (address, secure, None)


@pytest.mark.parametrize("here", ["127.0.0.9", "::1", "192.0.2.250"])
def test_behind_a_proxy_on_this_machine_that_is_not_trusted_nobody_counts_as_on_this_machine(here: str) -> None:
    assert approach((here, 5), proxy=Proxy()) == Approach(here, secure=True, local=True)
    assert approach((here, 5), proxy=Proxy(), X_Forwarded_For="203.0.113.1") == Approach(here, secure=False)


@pytest.mark.parametrize("tls", [False, True])
def test_whoever_is_gone_already_is_not_taken_for_a_front_of_ours(tls: bool) -> None:
    headers = {"X-Forwarded-For": "192.0.2.1", "X-Forwarded-Proto": "https", "X-Forwarded-User": "Ada"}
    gone = make_mocked_request("GET", "/", headers=headers)
    gone.protocol.transport = None
    assert gone.transport is None
    assert approach_of(gone, PROXY, tls=tls) == Approach("", secure=False)


def test_whom_a_trusted_proxy_heard_is_believed_and_nothing_before_that() -> None:
    found = approach(("192.0.2.1", 5), X_Forwarded_For="127.0.0.1, 198.51.100.7", X_Forwarded_Proto="https")
    assert found == Approach("198.51.100.7", secure=True)
    open_way = approach(("192.0.2.1", 5), tls=True, X_Forwarded_For="198.51.100.7", X_Forwarded_Proto="http")
    assert open_way == Approach("198.51.100.7", secure=False)
    silent = approach(("192.0.2.1", 5), tls=True, X_Forwarded_For="198.51.100.7")
    assert not silent.secure


def test_a_chain_of_trusted_proxies_is_followed_to_its_beginning() -> None:
    chain = ["203.0.113.9, 198.51.100.7", "192.0.2.8:4711, [fd00::8]:1"]
    assert approach(("192.0.2.1", 5), X_Forwarded_For=chain).address == "198.51.100.7"
    inside = approach(("192.0.2.1", 5), X_Forwarded_For="192.0.2.8")
    assert inside.address == "192.0.2.8"
    junk = approach(("192.0.2.1", 5), X_Forwarded_For="203.0.113.9, unknown, 192.0.2.8")
    assert junk.address == "192.0.2.8"


def test_one_open_hop_makes_the_way_open() -> None:
    assert not approach(("192.0.2.1", 5), X_Forwarded_For="198.51.100.7", X_Forwarded_Proto="https, http").secure
    assert approach(("192.0.2.1", 5), X_Forwarded_For="198.51.100.7", X_Forwarded_Proto=["https", "wss"]).secure


@pytest.mark.parametrize(
    ("names", "name"), [("Ada", "Ada"), (["Ada", "Bo"], None), ("", None), ("\u202eeve", None), ("n" * 65, None)]
)
def test_a_trusted_proxy_names_people(names: str | list[str], name: str | None) -> None:
    assert approach(("192.0.2.1", 5), X_Forwarded_User=names).name == name


def test_nobody_else_names_people() -> None:
    assert approach(("198.51.100.7", 5), X_Forwarded_User="Ada").name is None
    assert approach(("192.0.2.1", 5), proxy=Proxy(("192.0.2.1",)), X_Forwarded_User="Ada").name is None


def test_a_front_of_ours_tells_who_connected_to_it() -> None:
    direct = approach("", X_Forwarded_For="192.0.2.9, 198.51.100.7", X_Forwarded_Proto="https", X_Forwarded_User="Eve")
    assert direct == Approach("198.51.100.7", secure=True)
    behind = approach("", X_Forwarded_For="198.51.100.7, 192.0.2.1", X_Forwarded_Proto="https", X_Forwarded_User="Ada")
    assert behind == Approach("198.51.100.7", secure=True, name="Ada")
    assert approach("", X_Forwarded_For="127.0.0.1", X_Forwarded_Proto="http").secure
    assert approach("") == Approach("", secure=False)


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\n\0"), max_size=200), st.booleans())
def test_no_header_breaks_it(text: str, proto: bool) -> None:
    header: dict[str, Any] = {"X_Forwarded_Proto" if proto else "X_Forwarded_For": text}
    found = approach(("192.0.2.1", 5), tls=False, **header)
    assert found.address


def test_this_machine_is_known_by_loopback_and_by_its_own_address() -> None:
    assert approach(("127.0.0.1", 5), proxy=Proxy()).local
    assert approach(("198.51.100.7", 5), to="198.51.100.7").local
    assert not approach(("198.51.100.7", 5)).local
    assert approach("", X_Forwarded_For="198.51.100.7", Kontor_Reached="198.51.100.7").local
    assert not approach(("127.0.0.1", 5), proxy=Proxy(), X_Forwarded_For="198.51.100.7").local, (
        "a proxy nobody told us of"
    )
    assert not approach(("192.0.2.1", 5), X_Forwarded_For="198.51.100.7", Kontor_Reached="198.51.100.7").local


def test_over_an_open_network_everybody_is_a_listener() -> None:
    assert Approach("198.51.100.7", secure=True).limited(CLAIMS) is CLAIMS
    open_way = Approach("198.51.100.7", secure=False)
    assert open_way.limited(CLAIMS).role == "listener"
    assert (open_way.listen_only, Approach("::1", secure=True).listen_only) == ("no_https", None)


def test_credentials_of_the_relay_are_what_coturn_expects() -> None:
    servers = ice_servers(Turn(("turn:a:1", "turns:a:2"), b"north", 3600), "ada", 1_700_000_000.9)
    # printf 1700003600:ada | openssl dgst -sha1 -hmac north -binary | base64
    assert servers == [
        {"urls": ["turn:a:1", "turns:a:2"], "username": "1700003600:ada", "credential": "xnSlQG4JwD6eDlwPBFdbTt6sTJk="}
    ]
    assert ice_servers(None, "ada", 0) == []
