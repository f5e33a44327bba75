"""Junk of every kind, and what it does to the others: nothing."""

import asyncio
import contextlib
import random
import secrets
import socket
from itertools import pairwise
from pathlib import Path

import aiohttp
import pytest

from appliance.host.config import Limits, Rate
from tests.host.dtls_client import Client, context, identity
from tests.host.harness import House, house, token
from tests.host.member import Member, Presence, inside
from tests.host.sound import FRAME_SAMPLES, decoded, hum, share_of, tone
from tests.host.steady import LONGEST, Machine
from tests.support import until


class Mutator:
    """Changes bytes the way a fuzzer does, the same each time."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)

    def __call__(self, data: bytes) -> bytes:
        changed = bytearray(data)
        for _ in range(self.random.randint(1, 4)):
            self._change(changed)
        return bytes(changed)

    def _change(self, data: bytearray) -> None:
        at = self.random.randrange(len(data)) if data else 0
        match self.random.randrange(6):
            case 0 if data:
                data[at] ^= 1 << self.random.randrange(8)
            case 1:
                del data[at : at + self.random.randint(1, 20)]
            case 2:
                data[at:at] = self.random.randbytes(self.random.randint(1, 8))
            case 3:
                data[at:at] = data[at : at + self.random.randint(1, 60)]
            case 4:
                del data[at:]
            case _:
                data[at : at + 4] = self.random.choice(
                    [b"\xff\xff\xff\xff", b"0", b"-1", b"99999999999", b"\r\n", b'"']
                )


async def throw_offers(home: House, count: int, mutate: Mutator) -> set[int]:
    """POST mutated offers; gives the statuses."""
    statuses = set()
    async with Member(home, "mallory") as mallory:
        offer = mallory.offer().encode()
        headers = {"Authorization": f"Bearer {mallory.token}", "Content-Type": "application/sdp"}
        for _ in range(count):
            async with home.http.post(home.url(), data=mutate(offer), headers=headers) as response:
                text = await response.text()
                statuses.add(response.status)
                assert response.status == 201 or text.count("\n") == 1, text
    return statuses


FRAMES = [
    b'{"type":"muted","muted":false}',
    b'{"type":"hand","up":true}',
    b'{"type":"mute","member":"anna"}',
    b'{"type":"ask_unmute","member":"ben"}',
    b'{"type":"door","member":"anna","door":"closed"}',
    b'{"type":"report","site":{"gate":"open","reasons":[],"door":"open","lamps":{},"loudspeaker":-3}}',
]


async def throw_frames(home: House, count: int, mutate: Mutator) -> set[int | None]:
    """Send mutated messages and hellos; gives the close codes."""
    codes = set()
    thrown = 0
    while thrown < count:
        hello = f'{{"type":"hello","v":1,"token":"{token("mallory")}"}}'.encode()
        if mutate.random.random() < 0.2:
            hello = mutate(hello)
            thrown += 1
        async with Presence(house=home) as presence:
            await say(presence, hello)
            while presence.code is None and thrown < count:
                await say(presence, mutate(mutate.random.choice(FRAMES)))
                thrown += 1
                await asyncio.sleep(0)
            if thrown < count:
                await until(lambda presence=presence: presence.code is not None)  # type: ignore[misc]
                codes.add(presence.code)
    return codes


async def say(presence: Presence, frame: bytes) -> None:
    with contextlib.suppress(ConnectionError, aiohttp.ClientError):
        try:
            await presence.socket.send_str(frame.decode())
        except UnicodeDecodeError:
            await presence.socket.send_bytes(frame)


async def throw_datagrams(home: House, count: int, mutate: Mutator) -> None:
    """Send mutated checks, handshakes and packets, from a joined member's address and from nowhere."""
    async with inside(home, "mallory2") as ((mallory, _),), Member(home, "mallory3") as unready:
        await unready.join()
        unready.check()
        await until(lambda: unready.checks_answered)
        recorded: list[bytes] = []
        send, mallory.send_raw = mallory.send_raw, recorded.append  # type: ignore[method-assign,assignment]
        mallory.check()
        mallory.report()
        mallory.dtls.connection.send(b"application data")
        samples = [*recorded, *Client(context(identity())).exchange(), *mallory.dtls.outgoing()]
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as nowhere:
            for number in range(count):
                data = mutate(mutate.random.choice([*samples, mallory.packet(secrets.token_bytes(60), 3)]))
                match number % 4:
                    case 0 | 1:
                        send(data)
                    case 2:
                        unready.send_raw(data)
                    case _:
                        nowhere.sendto(data, mallory.to)
                if number % 20 == 0:
                    await asyncio.sleep(0.005)


@pytest.mark.timeout(120)
async def test_a_tone_flows_on_while_a_third_throws_ten_thousand_mutated_inputs(tmp_path: Path) -> None:
    rate = Rate(1e6, 1e6)
    generous = Limits(joins=rate, messages=rate, address_joins=rate, address_sockets=rate, address_wrong=rate)
    async with (
        house(tmp_path, limits=generous) as home,
        inside(home, "anna", "ben") as ((anna, annas), (ben, bens)),
    ):
        stop, machine = asyncio.Event(), Machine()
        humming = [
            asyncio.create_task(hum(anna, tone(440, 1), stop)),
            asyncio.create_task(hum(ben, tone(880, 1), stop)),
        ]
        statuses, codes, _ = await asyncio.gather(
            throw_offers(home, 1500, Mutator(1)),
            throw_frames(home, 1500, Mutator(2)),
            throw_datagrams(home, 7000, Mutator(3)),
        )
        stop.set()
        sent = [await task for task in humming]
        await asyncio.sleep(0.1)
        await machine.end()
        assert {201, 400} <= statuses <= {201, 400, 422}
        assert codes <= {4400, 4401, 4403, 4413}
        for member, other, hertz, count in ((anna, ben, 880, sent[1]), (ben, anna, 440, sent[0])):
            stream = [packet for packet in member.heard if packet.level == 18]
            assert machine.still or len(stream) >= count - 1, f"{other.name} sent {count}"
            assert all((b.seq - a.seq) & 0xFFFF == 1 for a, b in pairwise(stream))
            pairs = [(a, b) for a, b in pairwise(stream) if not machine.stood(a, b)]
            assert all((b.timestamp - a.timestamp) & 0xFFFFFFFF == FRAME_SAMPLES for a, b in pairs)
            assert max(b.at - a.at for a, b in pairs) < LONGEST
            assert member.refused == 0
            sound = decoded(stream)[FRAME_SAMPLES * 10 :]
            assert share_of(sound, hertz) > 0.99
            assert share_of(sound, 1320 - hertz) < 1e-4, f"{member.name} hears itself"
        assert annas.code is None
        assert bens.code is None
        assert home.count("host_bad_requests") > 1000
        assert home.count("host_datagrams_junk") > 500
        assert home.count("host_stun_refused") > 100
        assert home.count("host_srtp_refused") > 100
        assert home.count("host_presence_junk") > 100
        surprises = [event for event in home.events if "error" in event.fields]
        assert not surprises, surprises[:3]
