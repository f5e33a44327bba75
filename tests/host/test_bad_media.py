"""Whatever a member or a stranger sends to the media port: it has a counter of its own, and a tone between two others goes on."""

import asyncio
import secrets
import socket
import struct
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from appliance.core.slots import MOST_LOST
from appliance.core.units import RATE
from appliance.host import dtls, srtp
from appliance.host.hearing import MOST_MEASURED
from appliance.media import red
from appliance.media.opus import Encoder
from tests.host.frames import SILENCE, loud
from tests.host.harness import house
from tests.host.member import FRAME, OPUS, RED, Member, inside
from tests.host.steady import Room, tone_between
from tests.support import until

LOUD = 30
"""-dBov of mallory where it matters; the tone is louder."""


async def paced(datagrams: Iterator[bytes], member: Member, per_second: float = 1000.0) -> int:
    """Send ``datagrams`` so often; gives how many."""
    loop = asyncio.get_running_loop()
    begin, sent = loop.time(), 0
    for datagram in datagrams:
        member.send_raw(datagram)
        sent += 1
        await asyncio.sleep(max(0.0, begin + sent / per_second - loop.time()))
    return sent


def noise(level: float) -> list[bytes]:
    """Opus packets of white noise of ``level`` dBov."""
    samples = np.random.default_rng(4).normal(0, 32_768 * 10 ** (level / 20), RATE).astype(np.int16)
    with Encoder(frame_ms=20) as encoder:
        return [encoder.encode(frame) for frame in samples.reshape(-1, 960)]


# ---- too much


async def test_a_member_that_sends_a_thousand_packets_a_second(tmp_path: Path) -> None:
    async with house(tmp_path) as home, tone_between(home) as room:
        packets = (room.mallory.packet(loud(LOUD), LOUD, samples=48) for _ in range(2000))
        await paced(packets, room.mallory)
        await room.counts("host_packets_flood", least=1000)
        assert len([packet for packet in room.ben.heard if packet.level == LOUD]) < 800


async def test_a_member_that_sends_a_thousand_reports_a_second(tmp_path: Path) -> None:
    async with house(tmp_path) as home, tone_between(home) as room:
        for number in range(1000):
            room.mallory.report()
            if number % 10 == 0:
                await asyncio.sleep(0.01)
        await room.counts("host_packets_flood", least=300)


@pytest.mark.parametrize(("addresses", "counters"), [(1, ("flooded", "refused")), (50, ("refused",))])
async def test_checks_of_strangers_without_end(tmp_path: Path, addresses: int, counters: tuple[str, ...]) -> None:
    async with house(tmp_path) as home, tone_between(home) as room:
        senders = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(addresses)]
        for number in range(2000):
            senders[number % addresses].sendto(check_of_nobody(number), room.mallory.to)
            if number % 20 == 0:
                await asyncio.sleep(0.01)
        for sender in senders:
            sender.close()
        await room.counts(*(f"host_stun_{name}" for name in counters), least=100)


def check_of_nobody(number: int) -> bytes:
    """A check that names a fragment which nobody has."""
    name = f"{secrets.token_hex(8)}:none".encode()
    attributes = struct.pack("!HH", 6, len(name)) + name + bytes(-len(name) % 4) + struct.pack("!HH", 8, 20) + bytes(20)
    return struct.pack("!HHI12s", 1, len(attributes), 0x2112A442, number.to_bytes(12, "big")) + attributes


async def test_checks_of_a_member_without_end(tmp_path: Path) -> None:
    async with house(tmp_path) as home, tone_between(home) as room:
        for number in range(1500):
            room.mallory.check()
            if number % 20 == 0:
                await asyncio.sleep(0.01)
        await room.counts("host_stun_flooded", least=500)


async def test_dtls_without_end(tmp_path: Path) -> None:
    record = b"\x17\xfe\xfd\x00\x01" + bytes(6) + (1000).to_bytes(2, "big") + bytes(1000)
    async with house(tmp_path) as home, tone_between(home) as room:
        await paced((record for _ in range(1000)), room.mallory)
        await room.counts("host_dtls_flooded", least=500)


# ---- levels that are not true, or not there


@pytest.mark.parametrize("payloads", [[SILENCE], noise(-80)], ids=["silence", "noise"])
async def test_a_member_that_claims_level_0_all_the_time(tmp_path: Path, payloads: list[bytes]) -> None:
    async with house(tmp_path) as home, tone_between(home) as room:
        for number in range(100):
            room.mallory.say(payloads[number % len(payloads)], 0)
            await asyncio.sleep(FRAME)
        counted = room.counted()
        # Silence is known by its size; whatever else it sends from then on is decoded.
        assert set(counted) - {"host_levels_measured"} == {"host_claims_belied"}, counted
        assert counted["host_claims_belied"] == 1
        assert "mallory" not in room.bens.of("slots")[-1]["slots"]
        assert (room.bens.level("mallory") or 0) < -70


async def test_a_publisher_without_levels_is_measured(tmp_path: Path) -> None:
    async with house(tmp_path) as home, tone_between(home) as room:
        await room.mallory.talk(1.0, LOUD, claim=None)
        await room.counts("host_levels_measured", least=40)
        shown = [m["levels"]["mallory"] for m in room.bens.of("levels") if "mallory" in m["levels"]]
        assert max(shown) == pytest.approx(-LOUD, abs=3)


async def test_more_publishers_without_levels_than_are_measured(tmp_path: Path) -> None:
    names = [f"m{n}" for n in range(MOST_MEASURED + 2)]
    async with house(tmp_path) as home, tone_between(home) as room, inside(home, *names) as members:
        await asyncio.gather(*(member.talk(0.6, LOUD, claim=None) for member, _ in members))
        await room.counts("host_levels_measured", "host_levels_unmeasured", least=20)


# ---- numbers that jump


async def test_a_sequence_that_jumps(tmp_path: Path) -> None:
    async with house(tmp_path) as home, tone_between(home) as room:
        await room.mallory.talk(0.2, LOUD)
        for _ in range(10):
            room.mallory.send_raw(room.mallory.packet(loud(LOUD), LOUD, frames=MOST_LOST + 1))
            await asyncio.sleep(FRAME)
        await room.counts("host_sequence_jumps", least=10)
        heard = [packet for packet in room.ben.heard if packet.level == LOUD]
        assert all((b.seq - a.seq) & 0xFFFF == 1 for a, b in pairwise(heard))


@pytest.mark.parametrize("seconds", [-3600, -2, 2, 3600])
async def test_timestamps_that_jump(tmp_path: Path, seconds: int) -> None:
    async with house(tmp_path) as home, tone_between(home) as room:
        await room.mallory.talk(0.2, LOUD)
        for _ in range(5):
            room.mallory.send_raw(room.mallory.packet(loud(LOUD), LOUD, samples=seconds * RATE))
            await asyncio.sleep(FRAME)
        await room.counts("host_timestamp_jumps", least=5)
        heard = [packet for packet in room.ben.heard if packet.level == LOUD]
        steps = [(b.timestamp - a.timestamp) & 0xFFFFFFFF for a, b in pairwise(heard)]
        assert max(steps) < RATE, "what its listeners get does not jump"


async def test_a_sequence_that_jumps_over_half_of_all_numbers(tmp_path: Path) -> None:
    async with house(tmp_path) as home, tone_between(home) as room:
        room.mallory.seq = 1000
        await room.mallory.talk(0.2, LOUD)
        room.mallory.seq = 41_000
        await room.mallory.talk(0.4, LOUD, b"far away")
        await room.counts("host_sequence_jumps")
        assert len(room.ben.heard_of("far away")) > 15, "it is not taken for late until all numbers are used up"


async def test_a_sequence_that_jumps_where_its_key_stream_is_not(tmp_path: Path) -> None:
    async with house(tmp_path) as home, tone_between(home) as room:
        room.mallory.seq = 40_000
        await room.mallory.talk(0.2, LOUD)
        keys = room.mallory.dtls.keys
        assert keys is not None
        room.mallory._outbound = srtp.Outbound(keys.profile, keys.outbound)  # it would refuse to go back
        room.mallory.seq = 1000
        await room.mallory.talk(0.4, LOUD)
        await room.counts("host_srtp_refused")


# ---- junk


async def test_packets_that_are_forged_or_come_twice(tmp_path: Path) -> None:
    async with house(tmp_path) as home, tone_between(home) as room:
        packet = room.mallory.packet(loud(LOUD), LOUD)
        for _ in range(10):
            room.mallory.send_raw(packet)
            room.mallory.send_raw(packet[:-1] + bytes([packet[-1] ^ 1]))
        await room.counts("host_srtp_refused", least=19)


async def test_redundancy_that_is_junk(tmp_path: Path) -> None:
    payloads = [
        red.build(0, loud(LOUD), [(960, loud(LOUD))]),
        red.build(OPUS, b"", [(960, loud(LOUD))])[:40],
        b"\xef",
        bytes([OPUS]),
        b"\xff" * 60,
        b"",
    ]
    async with house(tmp_path) as home, tone_between(home) as room:
        for payload in payloads * 5:
            room.mallory.say(payload, LOUD, RED)
        await room.counts("host_redundancy_junk", least=5 * len(payloads))


async def test_payloads_that_were_not_agreed_on(tmp_path: Path) -> None:
    async with house(tmp_path) as home, tone_between(home) as room:
        for payload, kind in ((b"another codec", 0), (b"", OPUS), (bytes(1290), OPUS)):
            room.mallory.say(payload, LOUD, kind)
        await room.counts("host_payloads_refused", least=3)


@pytest.mark.parametrize(
    "packet",
    [bytes([0x80, 201]) + bytes(7), b"\x80\xc9\xff\xff" + bytes(40)],
    ids=["cut", "longer than it is"],
)
async def test_reports_that_are_junk(tmp_path: Path, packet: bytes) -> None:
    async with house(tmp_path) as home, tone_between(home) as room:
        for _ in range(20):
            room.mallory.send_rtcp(packet)
        await room.counts("host_reports_junk", least=20)


async def test_datagrams_that_are_too_large(tmp_path: Path) -> None:
    async with house(tmp_path) as home, tone_between(home) as room:
        for size in (2048, 9000, 60_000):
            for first in (0, 22, 128, 255):
                room.mallory.send_raw(bytes([first]) + bytes(size - 1))
        await room.counts("host_datagrams_oversize", least=12)


async def test_datagrams_that_are_nothing(tmp_path: Path) -> None:
    async with house(tmp_path) as home, tone_between(home) as room:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as nowhere:
            for first in (16, 22, 64, 128, 200, 255):
                nowhere.sendto(bytes([first]) * 50, room.mallory.to)
            nowhere.sendto(b"", room.mallory.to)
        await room.counts("host_datagrams_junk", least=7)


# ---- handshakes


async def unready(room: Room, member: Member) -> None:
    """Joined and checked: what comes next is its handshake."""
    await member.join()
    member.check()
    await until(lambda: member.checks_answered)


async def test_a_handshake_of_fragments_without_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dtls, "_MOST_DATAGRAMS", 20)  # or the bound on datagrams of one member comes first
    body = bytes([11]) + (90_000).to_bytes(3, "big") + b"\x00\x01" + bytes(3) + (100).to_bytes(3, "big") + bytes(100)
    record = b"\x16\xfe\xfd\x00\x00" + bytes(6) + len(body).to_bytes(2, "big") + body
    async with house(tmp_path) as home, tone_between(home) as room, Member(home, "eve") as eve:
        await unready(room, eve)
        await paced((record for _ in range(84)), eve)
        await room.counts("host_dtls_endless", least=4)
        await until(lambda: room.bens.member("eve") is None)


async def test_a_handshake_of_junk(tmp_path: Path) -> None:
    async with house(tmp_path) as home, tone_between(home) as room, Member(home, "eve") as eve:
        await unready(room, eve)
        await paced((b"\x16\xfe\xfd" + bytes(8) + b"\x00\x05hello" for _ in range(4)), eve)
        await room.counts("host_dtls_failures", least=4)
        await until(lambda: room.bens.member("eve") is None)
