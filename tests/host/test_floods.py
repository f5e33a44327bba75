"""What somebody sends without end on the media port: it costs the others nothing, and each kind has its own counter.

And members that wait for our DTLS: they are met with a hello as soon as a check has come, and with nothing before.
"""

import asyncio
import secrets
import socket
import struct
import time
from pathlib import Path

import pytest

from appliance.core.events import EventName
from appliance.host import dtls
from appliance.host.config import Times
from tests.host.dtls_client import identity
from tests.host.harness import House, house
from tests.host.member import Member, Presence, inside, open_mic
from tests.support import until


async def tone_between(home: House, *, meanwhile: "asyncio.Task[int]", to: Member, by: Member) -> int:
    """``by`` talks for as long as ``meanwhile`` goes on; gives how many of its packets did not arrive at ``to``."""
    sent = 0
    while not meanwhile.done():
        sent += await by.talk(0.2)
    assert meanwhile.result() > 500, "that was no flood"
    await until(lambda: len(to.heard) >= sent * 0.9, 5, "the talk does not arrive")
    assert home.count("host_timeouts") == 0
    return sent - len(to.heard)


def checks_of_nobody(number: int) -> bytes:
    """A check that names a fragment which nobody has, as a stranger would guess it."""
    name = f"{secrets.token_hex(8)}:none".encode()
    attributes = struct.pack("!HH", 6, len(name)) + name + bytes(-len(name) % 4) + struct.pack("!HH", 8, 20) + bytes(20)
    return struct.pack("!HHI12s", 1, len(attributes), 0x2112A442, number.to_bytes(12, "big")) + attributes


async def throw(home: House, sockets: int, seconds: float) -> int:
    """Send checks that name nobody, from so many addresses; gives how many."""
    thrown, to = 0, ("127.0.0.1", home.host.udp_port)
    senders = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(sockets)]
    end = time.monotonic() + seconds
    try:
        while time.monotonic() < end:
            for _ in range(20):
                senders[thrown % sockets].sendto(checks_of_nobody(thrown), to)
                thrown += 1
            await asyncio.sleep(0.005)
    finally:
        for sender in senders:
            sender.close()
    return thrown


@pytest.mark.parametrize("sockets", [1, 50])
async def test_a_flood_of_checks_from_few_or_many_addresses(tmp_path: Path, sockets: int) -> None:
    async with house(tmp_path) as home, inside(home, "anna", "ben") as ((anna, _), (ben, _)):
        flood = asyncio.create_task(throw(home, sockets, 1.5))
        missing = await tone_between(home, meanwhile=flood, to=ben, by=anna)
        assert missing <= 2
        await until(lambda: home.count("host_stun_refused") > 100)
        assert (home.count("host_stun_flooded") > 100) == (sockets == 1)
        assert home.count("host_datagrams_junk") == 0


async def test_a_member_that_floods_with_valid_checks_harms_nobody_and_goes_on(tmp_path: Path) -> None:
    async def flood(mallory: Member) -> int:
        for number in range(1500):
            mallory.check()
            if number % 20 == 0:
                await asyncio.sleep(0.01)
        return 1500

    async with house(tmp_path) as home, inside(home, "anna", "ben", "mallory") as ((anna, _), (ben, _), (mallory, _)):
        missing = await tone_between(home, meanwhile=asyncio.create_task(flood(mallory)), to=ben, by=anna)
        assert missing <= 2
        assert home.count("host_stun_flooded") > 500
        await asyncio.sleep(0.3)
        mallory.say(b"still here")
        await until(lambda: ben.heard_of("still here"))


async def test_a_member_that_floods_with_dtls_is_cut_short(tmp_path: Path) -> None:
    record = b"\x17\xfe\xfd\x00\x01" + bytes(6) + (1000).to_bytes(2, "big") + bytes(1000)

    async def flood(mallory: Member) -> int:
        for number in range(1500):
            mallory.send_raw(record)
            if number % 20 == 0:
                await asyncio.sleep(0.01)
        return 1500

    async with house(tmp_path) as home, inside(home, "anna", "ben", "mallory") as ((anna, _), (ben, _), (mallory, _)):
        missing = await tone_between(home, meanwhile=asyncio.create_task(flood(mallory)), to=ben, by=anna)
        assert missing <= 2
        assert home.count("host_dtls_flooded") > 1000


async def test_a_handshake_in_fragments_without_end_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dtls, "_MOST_DATAGRAMS", 20)
    message = bytes([11]) + (90_000).to_bytes(3, "big") + b"\x00\x01" + bytes(3) + (100).to_bytes(3, "big") + bytes(100)
    record = b"\x16\xfe\xfd\x00\x00" + bytes(6) + len(message).to_bytes(2, "big") + message
    async with house(tmp_path) as home, Member(home, "mallory") as mallory:
        await mallory.join()
        mallory.check()
        await until(lambda: mallory.checks_answered)
        for _ in range(100):
            mallory.send_raw(record)
        await until(lambda: home.count("host_dtls_endless") == 4)
        await until(lambda: home.told(EventName.MEMBER_LEFT))
        assert home.told(EventName.MEMBER_LEFT)[0].fields["why"] == "handshake failed"


# ---- the host begins


@pytest.mark.parametrize("kind", ["ecdsa", "rsa"])
async def test_a_member_that_waits_is_met_and_heard(tmp_path: Path, kind: str) -> None:
    async with house(tmp_path) as home, inside(home, "ben") as ((ben, _),):
        async with Member(home, "anna", certificate=identity(kind)) as anna, anna.presence() as presence:
            anna.waits = True
            await anna.connect()
            assert anna.answer.setup == "active"
            await open_mic(anna, presence)
            anna.say(b"good morning")
            await until(lambda: ben.heard_of("good morning"))
            ben.say(b"welcome")
            await until(lambda: anna.heard_of("welcome"))
            await anna.leave()
            await until(lambda: anna.dtls.closed or not home.count("host_dtls_failures"))
        assert home.count("host_datagrams_junk") == 0


async def test_a_hello_that_is_lost_is_said_again(tmp_path: Path) -> None:
    async with house(tmp_path) as home, Member(home, "anna") as anna:
        anna.waits = True
        await anna.join()
        anna.check()  # it is not yet listening to DTLS: the first hello is lost
        await until(lambda: anna.checks_answered)
        await asyncio.sleep(0.1)
        await anna.connect()
        assert home.count("host_dtls_failures") == 0


async def test_nothing_is_said_to_an_address_that_no_check_came_from(tmp_path: Path) -> None:
    async with house(tmp_path) as home, Member(home, "anna") as anna:
        anna.waits = True
        await anna.join()
        anna.send_raw(b"\x16\xfe\xfd" + bytes(8) + b"\x00\x05hello")
        await until(lambda: home.count("host_datagrams_junk") == 1)
        peer = home.host._conferences["studio"]._sessions["anna"].peer
        assert peer.handshake is None


async def test_a_member_that_never_answers_the_hello_is_let_go(tmp_path: Path) -> None:
    async with house(tmp_path, times=Times(join=0.3)) as home, Member(home, "ben") as ben, Presence(ben) as seen:
        async with Member(home, "anna") as anna:
            anna.waits = True
            await anna.join()
            anna.check()
            await until(lambda: seen.of("left"))
        assert home.told(EventName.MEMBER_TIMED_OUT)[0].fields["why"] == "never connected"


async def test_junk_in_answer_to_the_hello_is_answered_by_another_hello(tmp_path: Path) -> None:
    async with house(tmp_path) as home, Member(home, "anna") as anna:
        anna.waits = True
        await anna.join()
        anna.check()
        await until(lambda: anna.checks_answered)
        anna.send_raw(b"\x16\xfe\xfd" + bytes(8) + b"\x00\x05hello")
        await until(lambda: home.count("host_dtls_failures") == 1)
        anna.send_raw(b"\x16\xfe\xfd" + bytes(8) + b"\x00\x05hello")
        await until(lambda: home.count("host_datagrams_junk") == 1)
        await anna.connect()
