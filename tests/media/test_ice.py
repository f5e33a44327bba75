"""The device's ICE against an ICE-lite host that is played on loopback: races of ways, moves, silence, and what is forged."""

import asyncio
import contextlib
import socket
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from aioice import stun as wire

from appliance.host import stun
from appliance.media import ice
from appliance.media.ice import Agent, Remote
from appliance.media.ways import Address, Direct, OnMedia, OnOther, Way, own_address
from tests.support import until

UFRAG, PASSWORD = "host", "p" * 22


class Lite:
    """An ICE-lite host: it answers checks, and remembers where they came from."""

    def __init__(self) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setblocking(False)
        self.socket.bind(("127.0.0.1", 0))
        self.checks: list[tuple[Address, bool]] = []
        self.answers: Callable[[Address], bool] = lambda _: True
        self.forge: Callable[[bytes], bytes] = lambda answer: answer
        asyncio.get_running_loop().add_reader(self.socket, self._read)

    @property
    def place(self) -> Address:
        host, port = self.socket.getsockname()
        return host, port

    @property
    def nominated(self) -> list[Address]:
        """Where it was told to send, in the order of the checks, each change once."""
        told = [address for address, nominated in self.checks if nominated]
        return [address for index, address in enumerate(told) if index == 0 or told[index - 1] != address]

    def _read(self) -> None:
        data, address = self.socket.recvfrom(2048)
        check = stun.parse(data)
        assert check is not None
        assert check.local == UFRAG
        assert check.is_signed_with(PASSWORD.encode())
        self.checks.append((address, check.nominated))
        if self.answers(address):
            self.socket.sendto(self.forge(stun.answer(check, address, PASSWORD.encode())), address)

    def close(self) -> None:
        asyncio.get_running_loop().remove_reader(self.socket)
        self.socket.close()


class Device:
    """The agent, and what it told."""

    def __init__(self) -> None:
        self.ways: list[Way] = []
        self.counts: Counter[str] = Counter()
        self.media: list[bytes] = []
        self.agent = Agent(
            lambda data: self.media.append(bytes(data)), self.ways.append, lambda name: self.counts.update([name])
        )


class Elsewhere(Direct):
    """A way that looks like a relay, and is none: it is slower, and closing it is noticed."""

    relayed = True

    def __init__(self, place: Address, on_media: OnMedia, on_other: OnOther) -> None:
        super().__init__(place, on_media, on_other)
        self.own = "192.0.2.99"
        self.ended = False
        self._end = self.close
        self.close = self._close_it

    def _close_it(self) -> None:
        self.ended = True
        self._end()


class Relays:
    """Opens such ways."""

    def __init__(self, seconds: float = 0.0, error: OSError | None = None) -> None:
        self.seconds, self.error = seconds, error
        self.opened: list[Elsewhere] = []
        self.asked = 0

    async def __call__(self, place: Address, on_media: OnMedia, on_other: OnOther) -> Way:
        self.asked += 1
        await asyncio.sleep(self.seconds)
        if self.error is not None:
            raise self.error
        self.opened.append(Elsewhere(place, on_media, on_other))
        return self.opened[-1]


@asynccontextmanager
async def lites(count: int = 1) -> AsyncIterator[tuple[Device, list[Lite]]]:
    hosts, device = [Lite() for _ in range(count)], Device()
    try:
        yield device, hosts
    finally:
        await device.agent.close()
        for host in hosts:
            host.close()


def remote(*hosts: Lite) -> Remote:
    return Remote(UFRAG, PASSWORD, tuple(host.place for host in hosts))


def from_own(way: Way) -> Address:
    assert isinstance(way, Direct)
    assert way._socket._socket is not None
    host, port = way._socket._socket.getsockname()
    return host, port


def left(device: Device) -> None:
    """The way that is used leaves from an address that this machine has no more."""
    assert isinstance(device.agent.way, Direct)
    device.agent.way.own = "192.0.2.1"


async def test_one_check_is_enough() -> None:
    async with lites() as (device, (host,)):
        await device.agent.connect(remote(host))
        assert len(host.checks) == 1
        assert host.nominated == [from_own(device.ways[0])]
        assert device.agent.way is device.ways[0]
        assert not device.counts


async def test_a_check_that_is_lost_is_sent_again() -> None:
    async with lites() as (device, (host,)):
        host.answers = lambda _: len(host.checks) > 2
        await asyncio.wait_for(device.agent.connect(remote(host)), 2)
        assert len(host.checks) >= 3


async def test_of_several_places_one_is_nominated() -> None:
    async with lites(3) as (device, hosts):
        hosts[0].answers = lambda _: False
        await asyncio.wait_for(device.agent.connect(remote(*hosts)), 2)
        nominated = [bool(host.nominated) for host in hosts]
        assert nominated.count(True) == 1
        assert not nominated[0]
        assert len(device.agent._tries) == 1, "the others are closed"


async def test_no_way_at_all_is_told_at_once() -> None:
    async with lites() as (device, _):
        with pytest.raises(ConnectionError):
            await device.agent.connect(Remote(UFRAG, PASSWORD, ()))
        with pytest.raises(ConnectionError):
            await device.agent._send(b"")


# ---- relays


async def test_a_good_network_never_asks_the_relay() -> None:
    relays = Relays()
    async with lites() as (device, (host,)):
        await device.agent.connect(remote(host), relays, "when_needed")
        assert relays.asked == 0


async def test_the_relay_is_taken_when_nothing_else_answers() -> None:
    relays = Relays()
    async with lites() as (device, (host,)):
        host.answers = lambda address: bool(relays.opened) and address == from_own(relays.opened[0])
        await asyncio.wait_for(device.agent.connect(remote(host), relays, "when_needed"), 3)
        assert device.agent.way is relays.opened[0]
        assert relays.asked == 1
        assert not relays.opened[0].ended


async def test_a_direct_way_that_answers_late_is_taken_all_the_same() -> None:
    relays = Relays()
    async with lites() as (device, (host,)):
        host.answers = lambda address: bool(relays.opened)
        await asyncio.wait_for(device.agent.connect(remote(host), relays, "when_needed"), 3)
        assert not device.ways[0].relayed
        assert relays.opened[0].ended


async def test_always_and_never() -> None:
    relays = Relays()
    async with lites() as (device, (host,)):
        await device.agent.connect(remote(host), relays, "always")
        assert [way.relayed for way in device.ways] == [True]
    async with lites() as (device, (host,)):
        host.answers = lambda _: False
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(device.agent.connect(remote(host), relays, "never"), 0.6)
        assert relays.asked == 1


async def test_a_relay_that_refuses_is_asked_again_later_and_direct_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ice, "_RELAY_AGAIN", 0.3)
    relays = Relays(error=ConnectionError("quota"))
    async with lites() as (device, (host,)):
        host.answers = lambda _: relays.asked >= 2
        await asyncio.wait_for(device.agent.connect(remote(host), relays, "when_needed"), 3)
        assert not device.ways[0].relayed


# ---- staying


async def test_another_address_moves_the_host() -> None:
    async with lites() as (device, (host,)):
        await device.agent.connect(remote(host))
        before = from_own(device.ways[0])
        left(device)
        device.agent.tend(0.0)
        await until(lambda: len(device.ways) == 2)
        after = from_own(device.ways[1])
        assert after != before
        assert host.nominated == [before, after]
        device.agent.tend(0.0)
        assert len(device.agent._tries) == 1


async def test_the_address_that_is_left_does_not_call_the_host_back() -> None:
    async with lites() as (device, (host,)):
        await device.agent.connect(remote(host))
        old = from_own(device.ways[0])
        host.answers = lambda address: address == old
        left(device)
        for _ in range(4):
            device.agent.tend(0.0)
            await asyncio.sleep(0.02)
        assert len(device.agent._tries) == 2, "one new way, however often it is looked at"
        new = next(address for address, _ in host.checks if address != old)
        assert host.nominated == [old, new]
        host.answers = lambda _: True
        device.agent.tend(0.0)
        await until(lambda: len(device.ways) == 2)


async def test_no_network_is_no_reason_to_change(monkeypatch: pytest.MonkeyPatch) -> None:
    async with lites() as (device, (host,)):
        await device.agent.connect(remote(host))
        monkeypatch.setattr(ice, "own_address", lambda *_: None)
        device.agent.tend(10.0)
        assert len(device.agent._tries) == 1


async def test_all_quiet_means_few_checks_and_silence_means_many() -> None:
    async with lites() as (device, (host,)):
        await device.agent.connect(remote(host))
        for _ in range(5):
            device.agent.tend(0.1)
        await asyncio.sleep(0.05)
        assert len(host.checks) == 1
        host.answers = lambda _: False
        for _ in range(5):
            device.agent.tend(1.0)
        await until(lambda: len(host.checks) == 6)
        assert device.agent.doubt > 0
        host.answers = lambda _: True
        device.agent.tend(1.0)
        await until(lambda: device.agent.doubt == 0)


async def test_in_silence_the_relay_is_tried_beside_the_way_of_before() -> None:
    relays = Relays()
    async with lites() as (device, (host,)):
        await device.agent.connect(remote(host), relays, "when_needed")
        direct = from_own(device.ways[0])
        host.answers = lambda address: address != direct
        for _ in range(8):
            device.agent.tend(2.0)
            await asyncio.sleep(0.1)
        assert device.agent.way is relays.opened[0]
        assert relays.asked == 1


async def test_when_the_way_of_before_answers_the_relay_is_let_go() -> None:
    relays = Relays()
    async with lites() as (device, (host,)):
        await device.agent.connect(remote(host), relays, "when_needed")
        host.answers = lambda _: False
        device.agent.tend(2.0)
        await until(lambda: relays.opened)
        host.answers = lambda address: address == from_own(device.ways[0])
        device.agent.tend(2.0)
        await until(lambda: relays.opened[0].ended)
        assert len(device.ways) == 1
        await until(lambda: not device.agent._closing, what="nothing is kept of it")


# ---- what comes


async def test_forged_and_odd_answers_count_and_prove_nothing() -> None:
    async with lites() as (device, (host,)):

        def other_key(answer: bytes) -> bytes:
            message = wire.parse_message(answer)
            message.add_message_integrity(b"another password")
            return bytes(message)

        host.forge = other_key
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(device.agent.connect(remote(host)), 0.3)
        assert device.counts["packets_junk"] >= 2
        assert device.agent.way is None


async def test_an_answer_counts_once_and_a_refusal_never() -> None:
    kept: list[bytes] = []
    async with lites() as (device, (host,)):

        def keep(answer: bytes) -> bytes:
            kept.append(answer)
            return answer

        host.forge = keep
        await device.agent.connect(remote(host))
        own = from_own(device.ways[0])
        refusal = wire.Message(wire.Method.BINDING, wire.Class.ERROR, wire.parse_message(kept[0]).transaction_id)
        for data in (kept[0], bytes(refusal), b"\x00\x01\x00", b"\x01\x01" + bytes(200), b"\x40\x00\x00\x00", b"\x00"):
            host.socket.sendto(data, own)
        await until(lambda: device.counts["packets_junk"] == 6)


async def test_checks_of_a_full_agent_are_answered_and_those_of_strangers_are_not() -> None:
    async with lites() as (device, (host,)):
        await device.agent.connect(remote(host))
        asyncio.get_running_loop().remove_reader(host.socket)
        own = from_own(device.ways[0])
        for name, password in (
            (f"{device.agent.local_username}:host", device.agent.local_password),
            (f"{device.agent.local_username}:host", "q" * 22),
            ("other:host", device.agent.local_password),
        ):
            request = wire.Message(wire.Method.BINDING, wire.Class.REQUEST)
            request.attributes["USERNAME"] = name
            request.add_message_integrity(password.encode())
            host.socket.sendto(bytes(request), own)
        await until(lambda: device.counts["packets_junk"] == 2)
        answer = wire.parse_message(host.socket.recv(2048))
        assert answer.message_class is wire.Class.RESPONSE
        assert answer.check_message_integrity(device.agent.local_password.encode())
        with pytest.raises(BlockingIOError):
            host.socket.recv(2048)


async def test_the_first_word_of_dtls_is_said_again_until_something_is_answered() -> None:
    """Janus hears nothing of DTLS before its own checks are done; OpenSSL would say it again after a second."""
    async with lites() as (device, (host,)):
        await device.agent.connect(remote(host))
        asyncio.get_running_loop().remove_reader(host.socket)
        await device.agent._send(b"\x16hello")
        heard: list[bytes] = []

        def more() -> bool:
            with contextlib.suppress(BlockingIOError):
                while data := host.socket.recv(2048):
                    heard.extend([data] if data[0] == 0x16 else [])
            return len(heard) >= 4

        await until(more)
        host.socket.sendto(b"\x16answer", from_own(device.ways[0]))
        assert await device.agent._recv() == b"\x16answer"
        more()
        said = len(heard)
        await device.agent._send(b"\x16next")
        await asyncio.sleep(0.2)
        more()
    assert set(heard[:said]) == {b"\x16hello"}
    assert heard[said:] == [b"\x16next"]


async def test_a_flood_of_handshakes_waits_in_a_bounded_queue() -> None:
    async with lites() as (device, (host,)):
        await device.agent.connect(remote(host))
        for _ in range(100):
            host.socket.sendto(b"\x16" + bytes(50), from_own(device.ways[0]))
        await until(lambda: device.counts["packets_junk"] >= 68)
        assert device.agent._queue.qsize() == 32
        assert len(await device.agent._recv()) == 51
        for _ in range(31):
            await device.agent._recv()
        await device.agent.close()
        with pytest.raises(ConnectionError):
            await device.agent._recv()


def test_a_system_that_makes_no_such_socket_has_no_address_there(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> socket.socket:
        raise OSError(97, "Address family not supported by protocol")

    assert own_address("127.0.0.1", 9) == "127.0.0.1"
    monkeypatch.setattr(socket, "socket", refused)
    assert own_address("2001:db8::1", 9) is None
