"""Who is bounded, and that keeping count costs no more than it is worth."""

import zlib
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from aiohttp.web import Server

from appliance.core.counters import Counters
from appliance.host.config import Limits, Rate
from appliance.host.limits import Gate, sender_of
from appliance.host.listener import Doors, Listener
from tests.host.harness import house, token


@pytest.mark.parametrize(
    ("address", "sender"),
    [
        ("198.51.100.7", "198.51.100.7"),
        ("::ffff:198.51.100.7", "198.51.100.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::9", "2001:db8:1:2::/64"),
        ("2001:db8:1:3::9", "2001:db8:1:3::/64"),
        ("fe80::1%eth0", "fe80::1%eth0"),
        ("::1", "::1"),
        ("", ""),
        ("no:address", "no:address"),
    ],
)
def test_a_sender_is_an_address_or_a_network_of_which_one_has_all(address: str, sender: str) -> None:
    assert sender_of(address) == sender


def test_another_address_of_the_same_network_gets_no_further_share() -> None:
    counters = Counters()
    gate = Gate(Limits(address_wrong=Rate(0.01, 2.0), sockets_per_address=1), counters)
    assert [gate.wrong_token(f"2001:db8::{n}", 1.0) for n in (1, 2, 3)] == [True, True, False]
    assert gate.wrong_token("2001:db8:0:1::1", 1.0)
    with gate.socket("2001:db8::1", 1.0) as first, gate.socket("2001:db8::2", 1.0) as second:
        assert (first, second) == (True, False)
    with gate.socket("2001:db8::2", 1.0) as again:
        assert again


class _Connection:
    """A connection of aiohttp's that counts how often it is looked at."""

    looks = 0

    def __init__(self, address: str) -> None:
        self.transport = self
        self._address = address

    def is_closing(self) -> bool:
        return False

    def get_extra_info(self, _name: str) -> tuple[str, int]:
        _Connection.looks += 1
        return self._address, 1


def crowded(addresses: list[str], most: int) -> Listener:
    main = SimpleNamespace(connections=[_Connection(address) for address in addresses])
    doors = Doors(cast(Server, main), None, lambda: None)
    return Listener(doors, Counters(), most, lambda address: address == "192.0.2.1")


async def test_a_storm_of_connections_does_not_look_at_all_that_stand_for_each_new_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(_Connection, "looks", 0)
    listener: Any = crowded([f"198.51.{n // 250}.{n % 250}" for n in range(6000)], 8192)
    assert not any(listener._is_full("203.0.113.1") for _ in range(200))
    assert _Connection.looks <= 12_000  # twice, should the machine be slow


async def test_one_network_holds_an_eighth_once_half_is_taken_and_a_proxy_as_much_as_there_is() -> None:
    listener: Any = crowded([f"198.51.100.{n}" for n in range(40)], 80)
    assert [listener._is_full(f"2001:db8::{n}") for n in range(12)] == [False] * 10 + [True] * 2
    assert [listener._is_full("192.0.2.1") for _ in range(32)] == [False] * 30 + [True] * 2


@pytest.mark.parametrize(("path", "kind"), [("/devices/challenge", "application/json"), (None, "application/sdp")])
async def test_compressed_bodies_are_refused_and_not_blown_up(tmp_path: Path, path: str | None, kind: str) -> None:
    """60 KiB became 62 MB, and held up all sound for 200 ms, before anybody asked who sends them."""
    headers = {"Content-Type": kind, "Content-Encoding": "deflate", "Authorization": f"Bearer {token('anna')}"}
    async with house(tmp_path) as home:
        for body in (zlib.compress(b'{"device": "room-7"}'), zlib.compress(bytes(8_000_000))):
            async with home.http.post(home.url(path) if path else home.url(), data=body, headers=headers) as answer:
                assert (answer.status, answer.headers["Accept-Encoding"]) == (415, "identity")
                assert await answer.text() == "The body must not be compressed.\n"


async def test_a_type_of_many_parameters_is_not_even_parsed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    parsed: list[str] = []
    monkeypatch.setattr("aiohttp.helpers.parse_content_type", parsed.append)
    async with house(tmp_path) as home:
        for kind in ("application/json;" + "a=b;" * 1900, "application/json; charset=" + "u" * 200):
            headers = {"Content-Type": kind}
            async with home.http.post(home.url("/devices/challenge"), data=b"{}", headers=headers) as answer:
                assert answer.status == 415
    assert not parsed
