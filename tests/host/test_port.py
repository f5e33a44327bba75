"""The media port itself: addresses, handshakes that fail, errors that are contained."""

import asyncio
import ctypes
import errno
from pathlib import Path

import pytest

from appliance.core.events import EventName
from appliance.host import fan_out, port
from appliance.host.dtls import Handshake, Keys
from appliance.host.session import Session
from appliance.host.srtp import Datagram
from tests.host.frames import loud, tagged
from tests.host.harness import house
from tests.host.member import Member, inside
from tests.support import until


async def test_an_address_of_somebody_gone_may_be_used_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(port, "_STALE", 0.05)
    async with house(tmp_path) as home, Member(home, "anna") as anna:
        await anna.connect()
        await asyncio.sleep(0.1)
        async with Member(home, "carl") as carl:  # behind the same address translation, with the same port
            await carl.join()
            anna.host_ufrag, anna.host_pwd, anna.checks_answered = carl.host_ufrag, carl.host_pwd, 0
            anna.check()
            await until(lambda: anna.checks_answered == 1)
            assert home.count("host_stun_refused") == 0


async def test_a_peer_has_a_few_addresses_and_the_one_in_use_is_kept(tmp_path: Path) -> None:
    async with house(tmp_path) as home, inside(home, "anna", "ben") as ((anna, _), (ben, _)):
        for _ in range(12):
            async with Member(home, "probe") as probe:
                probe.to, probe.host_ufrag, probe.host_pwd = anna.to, anna.host_ufrag, anna.host_pwd
                probe.check(nominate=False)
                await until(lambda probe=probe: probe.checks_answered)  # type: ignore[misc]
        peer = home.host._conferences["studio"]._sessions["anna"].peer
        assert len(peer.addresses) == 8
        assert peer.address in peer.addresses
        anna.say(b"still here")
        await until(lambda: ben.heard_of("still here"))


async def test_handshakes_that_fail_again_and_again_end_the_session(tmp_path: Path) -> None:
    async with house(tmp_path) as home, inside(home, "ben") as ((_, bens),), Member(home, "anna") as anna:
        await anna.join()
        anna.check()
        await until(lambda: anna.checks_answered)
        for failures in range(1, 5):
            anna.send_raw(b"\x16\xfe\xfd" + bytes(8) + b"\x00\x05hello")
            await until(lambda n=failures: home.count("host_dtls_failures") >= n)  # type: ignore[misc]
        await until(lambda: bens.of("left"))
        assert home.told(EventName.MEMBER_LEFT)[0].fields["why"] == "handshake failed"


async def test_junk_first_and_the_handshake_after(tmp_path: Path) -> None:
    async with house(tmp_path) as home, Member(home, "anna") as anna:
        await anna.join()
        anna.check()
        await until(lambda: anna.checks_answered)
        anna.send_raw(b"\x16\xfe\xfd" + bytes(8) + b"\x00\x05hello")
        await until(lambda: home.count("host_dtls_failures") == 1)
        await anna.connect()


async def test_an_error_of_ours_costs_one_datagram(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError

    async with house(tmp_path) as home, inside(home, "anna", "ben") as ((anna, _), (ben, _)):
        with monkeypatch.context() as patch:
            patch.setattr("appliance.host.session.Session.rtp", broken)
            anna.say(b"lost")
            await until(lambda: home.told(EventName.BAD_REQUEST))
        anna.say(b"heard")
        await until(lambda: ben.heard_of("heard"))
        assert not ben.heard_of("lost")
        assert home.told(EventName.BAD_REQUEST)[0].fields["error"] == "ZeroDivisionError"


async def test_media_before_the_keys_and_from_nowhere_is_junk(tmp_path: Path) -> None:
    async with house(tmp_path) as home, Member(home, "anna") as anna:
        await anna.join()
        anna.send_raw(b"")
        for first in (0x80, 0x16, 0x50, 0xFF):  # SRTP, DTLS, TURN, nothing at all: no check came from here
            anna.send_raw(bytes([first]) + bytes(40))
        await until(lambda: home.count("host_datagrams_junk") == 5)
        anna.check()
        await until(lambda: anna.checks_answered)
        anna.send_raw(b"\x80" + bytes(40))
        anna.send_raw(b"\x80" + bytes(4))
        await until(lambda: home.count("host_datagrams_junk") == 7)


async def test_what_the_kernel_does_not_take_is_dropped_and_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Full:
        def sendmmsg(self, *_: object) -> int:
            ctypes.set_errno(errno.EAGAIN)
            return -1

    async with house(tmp_path) as home, inside(home, "anna", "ben", "cleo") as ((anna, _), (ben, _), _):
        with monkeypatch.context() as patch:
            patch.setattr(fan_out, "_libc", Full())
            anna.say(b"lost")
            await until(lambda: home.count("host_packets_dropped") == 2)
        anna.say(b"heard")
        await until(lambda: ben.heard_of("heard"))
        assert home.count("host_packets_out") == 2


async def test_media_does_not_wait_for_a_storm_of_handshakes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    order: list[str] = []
    receive, rtp = Handshake.receive, Session.rtp

    def noted_receive(handshake: Handshake, data: bytes) -> Keys | None:
        order.append("handshake")
        return receive(handshake, data)

    def noted_rtp(session: Session, packet: Datagram, now: float) -> None:
        order.append("media")
        rtp(session, packet, now)

    async with house(tmp_path) as home, inside(home, "anna", "ben") as ((anna, _), (ben, _)):
        newcomers = [Member(home, f"n{i}", role="listener") for i in range(12)]
        try:
            for member in newcomers:
                await member.join()
                member.check()
                await until(lambda member=member: member.checks_answered)  # type: ignore[misc]
            monkeypatch.setattr(Handshake, "receive", noted_receive)
            monkeypatch.setattr(Session, "rtp", noted_rtp)
            for member in newcomers:
                member.begin_dtls()
            anna.say(tagged(loud(20), b"in between"))
            await until(lambda: ben.heard_of("in between"))
            await until(lambda: all(member.connected for member in newcomers))
        finally:
            for member in newcomers:
                member.vanish()
        assert order.count("handshake") >= 24
        assert order.index("media") <= 2
